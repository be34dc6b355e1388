package cloud

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// faults are those of AWS on a bad day, each until it is taken back.
type faults struct {
	throttle map[string]int
	denied   map[denial]bool
	lifetime time.Duration
	skew     time.Duration
}

type denial struct{ principal, action string }

func newFaults() faults { return faults{throttle: map[string]int{}, denied: map[denial]bool{}} }

// Throttle refuses the next calls of an action ("GetClusterCredentials"), so many times, as AWS refuses a caller that
// asks too often. 0 ends it.
func (a *Account) Throttle(action string, times int) {
	a.mu.Lock()
	a.faults.throttle[action] = times
	a.mu.Unlock()
}

// Expire makes what the account gives out from now on live for d only: temporary passwords and sessions. Tokens count
// as expired d after their date. 0 ends it.
func (a *Account) Expire(d time.Duration) {
	a.mu.Lock()
	a.faults.lifetime = max(d, 0)
	a.mu.Unlock()
}

// Skew sets the account's clock off by d.
func (a *Account) Skew(d time.Duration) {
	a.mu.Lock()
	a.faults.skew = d
	a.mu.Unlock()
}

// Deny takes an action from a user or role, by its name: "redshift:GetClusterCredentials", "rds-db:connect", or "*".
// Nobody needs leave for sts:GetCallerIdentity, as on AWS.
func (a *Account) Deny(principal, action string) {
	a.mu.Lock()
	a.faults.denied[denial{principal, strings.ToLower(action)}] = true
	a.mu.Unlock()
}

// Allow takes a Deny back; of "*", all of that principal's.
func (a *Account) Allow(principal, action string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for d := range a.faults.denied {
		if d.principal == principal && (action == "*" || d.action == strings.ToLower(action)) {
			delete(a.faults.denied, d)
		}
	}
}

// throttled counts down.
func (a *Account) throttled(action string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	n := a.faults.throttle[action]
	if n <= 0 {
		return false
	}
	a.faults.throttle[action] = n - 1
	return true
}

// denies says whether a Deny takes an action from somebody of that name.
func (f faults) denies(name, action string) bool {
	_, verb, _ := strings.Cut(action, ":")
	for _, denied := range []string{action, verb, "*"} {
		if f.denied[denial{name, strings.ToLower(denied)}] {
			return true
		}
	}
	return false
}

// SetClusterStatus says what a cluster is from now on, in AWS's words: "paused" lets nobody in; "available" ends it.
func (a *Account) SetClusterStatus(id, status string) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !slices.ContainsFunc(a.o.Clusters, func(c Cluster) bool { return c.ID == id }) {
		return fmt.Errorf("the account has no cluster %q", id)
	}
	a.statuses[id] = status
	return nil
}

// ClusterStatus is what SetClusterStatus said, else "available".
func (a *Account) ClusterStatus(id string) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.status(id)
}

// status is ClusterStatus, for those who hold the lock.
func (a *Account) status(id string) string { return cmp.Or(a.statuses[id], "available") }
