package cloud

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"slices"
	"time"
)

// login is what a temporary password is good for: a user, as the client must send it, of a cluster or workgroup.
type login struct {
	service, resource, user string
}

// password is a temporary one. Only its hash is kept.
type password struct {
	hash     [sha256.Size]byte
	role     string
	create   bool
	database string // the only one that it opens; "" for any
	expires  time.Time
}

// CheckPassword says whether password is a temporary one for user of that cluster, in that database: which database role
// the session becomes, and whether that role is to be made. user is as GetClusterCredentials gave it, with IAM: or IAMA:.
// The error says why not, and is not for the client.
func (a *Account) CheckPassword(cluster, database, user, password string) (role string, create bool, err error) {
	return a.checkPassword(login{"redshift", cluster, user}, database, password)
}

// CheckWorkgroupPassword is CheckPassword for a workgroup of Redshift Serverless. The role is the user as GetCredentials
// gave it, IAM: or IAMR: included: that is its name.
func (a *Account) CheckWorkgroupPassword(workgroup, database, user, password string) (role string, create bool, err error) {
	return a.checkPassword(login{"redshift-serverless", workgroup, user}, database, password)
}

func (a *Account) checkPassword(l login, database, given string) (role string, create bool, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.passwords[l]) == 0 {
		return "", false, fmt.Errorf("nobody asked for a temporary password for %q of %s", l.user, l.resource)
	}
	hash, now := sha256.Sum256([]byte(given)), a.clock()
	for _, p := range a.passwords[l] {
		if subtle.ConstantTimeCompare(p.hash[:], hash[:]) != 1 {
			continue
		}
		switch {
		case !now.Before(p.expires):
			return "", false, errors.New("the temporary password expired at " + p.expires.UTC().Format(time.RFC3339))
		case p.database != "" && p.database != database:
			return "", false, fmt.Errorf("the temporary password opens database %q, not %q", p.database, short(database))
		}
		return p.role, p.create, nil
	}
	return "", false, errors.New("not a temporary password of this user, or one that expired long ago")
}

// issue makes a temporary password like p, without its hash and expiry. The caller holds the lock.
func (a *Account) issue(l login, p password, lifetime time.Duration) (plain string, expires time.Time) {
	if a.faults.lifetime > 0 {
		lifetime = a.faults.lifetime
	}
	now := a.clock()
	a.forget(now)
	plain, p.expires = random(48), now.Add(lifetime)
	a.o.Issued(plain)
	p.hash = sha256.Sum256([]byte(plain))
	a.passwords[l] = append(a.passwords[l], p)
	return plain, p.expires
}

// forget drops the passwords that expired more than an hour ago: until then a refusal can say that they did.
func (a *Account) forget(now time.Time) {
	for l, all := range a.passwords {
		all = slices.DeleteFunc(all, func(p password) bool { return now.After(p.expires.Add(time.Hour)) })
		if a.passwords[l] = all; len(all) == 0 {
			delete(a.passwords, l)
		}
	}
}
