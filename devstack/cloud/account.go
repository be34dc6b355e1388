package cloud

import (
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"sync"
	"time"

	"github.com/airhook-go/airhook/devstack/sigv4"
)

// Options say what the account holds. The zero value is an account without clusters, in the dev stack's usual region.
type Options struct {
	// AccountID has twelve digits; "" is 123456789012. Region is where the resources are; "" is us-east-1.
	AccountID, Region string
	Databases         []Database
	Clusters          []Cluster
	Workgroups        []Workgroup
	// Changed is called when users or roles have changed, before whoever changed them hears of it; nil is nobody.
	Changed func() error
	// Issued hears every secret that the account gives out or lets somebody in with: keys, session tokens, temporary
	// passwords, login tokens. It is for those who look whether one of them shows; nil is nobody. It is called in the middle
	// of a call and must not call the account.
	Issued func(secret string)
	// Logger hears what was asked and why something was refused; nil is silent.
	Logger *slog.Logger
}

// Database is an Aurora cluster of Amazon RDS with one instance, as DescribeDBClusters shows it.
type Database struct {
	ID, Endpoint string
	Port         int
	Database     string
	MasterUser   string
}

// Cluster is an Amazon Redshift cluster, as DescribeClusters shows it.
type Cluster struct {
	ID, Endpoint string
	Port         int
	Database     string
	MasterUser   string
	// CustomDomain is a name of the user's own that is associated with the cluster; "" is none.
	CustomDomain string
}

// Workgroup is one of Amazon Redshift Serverless, as GetWorkgroup shows it.
type Workgroup struct {
	Name, Endpoint string
	Port           int
	Database       string
	// CustomDomain is as a cluster's.
	CustomDomain string
}

// Account is an AWS account on loopback. It is safe for concurrent use, faults included.
type Account struct {
	o        Options
	verifier sigv4.Verifier
	provider provider
	made     time.Time

	mu         sync.Mutex
	principals []Principal
	roles      []Role
	entities   map[string]*entity // by ARN
	keys       map[string]holder  // by access key id
	passwords  map[login][]password
	statuses   map[string]string // of clusters that are not available, by id
	faults     faults
	calls      map[string]int
}

// New makes an account with principal "admin", who may do everything; with role "AirhookDev", which may do everything too
// and is for everybody of the account whose own policy says so, for workloads with a token of the account's identity
// provider, for containers and for instances; and with role "RedshiftRole", which Redshift may assume. Its keys are random.
func New(o Options) (*Account, error) {
	if o.AccountID == "" {
		o.AccountID = "123456789012"
	}
	if o.Region == "" {
		o.Region = "us-east-1"
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Issued == nil {
		o.Issued = func(string) {}
	}
	if o.Changed == nil {
		o.Changed = func() error { return nil }
	}
	if err := o.check(); err != nil {
		return nil, err
	}
	a := &Account{
		o: o, made: time.Now(), entities: map[string]*entity{}, keys: map[string]holder{}, passwords: map[login][]password{}, statuses: map[string]string{},
		faults: newFaults(), calls: map[string]int{},
	}
	a.verifier = sigv4.Verifier{Find: a.find, Now: a.now}
	var err error
	if a.provider, err = a.newProvider(); err != nil {
		return nil, err
	}
	return a, a.found()
}

var accountID = regexp.MustCompile(`^[0-9]{12}$`)

func (o Options) check() error {
	if !accountID.MatchString(o.AccountID) {
		return fmt.Errorf("account id %q: want twelve digits", o.AccountID)
	}
	seen := map[string]bool{}
	for _, c := range o.Clusters {
		if c.ID == "" || c.Endpoint == "" || c.Port <= 0 || seen[c.ID] {
			return fmt.Errorf("cluster %q: want an id of its own, an endpoint and a port", c.ID)
		}
		seen[c.ID] = true
	}
	clear(seen)
	for _, d := range o.Databases {
		if d.ID == "" || d.Endpoint == "" || d.Port <= 0 || seen[d.ID] {
			return fmt.Errorf("database %q: want an id of its own, an endpoint and a port", d.ID)
		}
		seen[d.ID] = true
	}
	clear(seen)
	for _, w := range o.Workgroups {
		if w.Name == "" || w.Endpoint == "" || w.Port <= 0 || seen[w.Name] {
			return fmt.Errorf("workgroup %q: want a name of its own, an endpoint and a port", w.Name)
		}
		seen[w.Name] = true
	}
	return nil
}

// now is the account's clock.
func (a *Account) now() time.Time {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.clock()
}

// clock is now, for those who hold the lock.
func (a *Account) clock() time.Time { return time.Now().Add(a.faults.skew) }

// Calls returns how often each action was asked for, also in vain: "GetClusterCredentials", and "rds-db:connect" for
// tokens that a gateway asked about.
func (a *Account) Calls() map[string]int {
	a.mu.Lock()
	defer a.mu.Unlock()
	calls := make(map[string]int, len(a.calls))
	for action, n := range a.calls {
		calls[action] = n
	}
	return calls
}

func (a *Account) count(action string) {
	a.mu.Lock()
	a.calls[action]++
	a.mu.Unlock()
}

// CheckToken says whether token lets user in to the RDS instance of that host, port and region, whose resource id is
// instanceID: [ResourceID] of an instance's or cluster's own id. The error says why not, and is not for the client.
func (a *Account) CheckToken(host string, port int, region, instanceID, user, token string) error {
	const action = "rds-db:connect"
	a.count(action)
	a.o.Issued(token)
	result, err := a.verifier.VerifyToken(token, sigv4.Endpoint{Host: host, Port: port, Region: region, User: user})
	if err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if d := a.faults.lifetime; d > 0 && !a.clock().Before(result.Date.Add(d)) {
		return fmt.Errorf("token expired: the account ends tokens %s after their date", d)
	}
	who, found := a.keys[result.AccessKeyID]
	if !found {
		return errors.New("the key that signed the token is gone")
	}
	return a.permit(call{who: who, region: region}, action, a.arn("rds-db", region, "dbuser:"+instanceID+"/"+user), nil)
}
