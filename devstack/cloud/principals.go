package cloud

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"io"
	"log/slog"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/airhook-go/airhook/devstack/sigv4"
)

// Principal is somebody with keys: a user, or a session of a user or role. It prints without them; its JSON has them
// (`airhook dev status`).
type Principal struct {
	Name            string `json:"name"`
	ARN             string `json:"arn"`
	AccessKeyID     string `json:"access_key_id"`
	SecretAccessKey string `json:"secret_access_key"`
	SessionToken    string `json:"session_token"`
}

// Format writes the ARN, for every verb.
func (p Principal) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, p.ARN) }

// LogValue is the ARN.
func (p Principal) LogValue() slog.Value { return slog.StringValue(p.ARN) }

// Role is one that somebody can assume.
type Role struct {
	Name string `json:"name"`
	ARN  string `json:"arn"`
}

// holder is who has a key.
type holder struct {
	key    sigv4.Key
	name   string // of the user or role: what Deny goes by
	arn    string
	id     string // GetCallerIdentity's UserId
	dbUser string // the database user that the identity is on Redshift: IAM:name, IAMR:name
}

// Principals returns the users, the admin first.
func (a *Account) Principals() []Principal {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.principals)
}

// Roles returns the roles: first the one that the admin may assume and that may do everything, then RedshiftRole.
func (a *Account) Roles() []Role {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.roles)
}

// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
var principalName = regexp.MustCompile(`^[A-Za-z0-9+=,.@_-]+$`)

// AddPrincipal makes another user, who may do everything that Deny does not take away.
func (a *Account) AddPrincipal(name string) (Principal, error) {
	if !fits(principalName, name) {
		return Principal{}, fmt.Errorf("user name %q: want 1 to 64 letters, digits and characters of +=,.@_-", name)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	p := Principal{Name: name, ARN: a.iamARN("user", name), AccessKeyID: "AKIA" + letters(), SecretAccessKey: secret()}
	if _, taken := a.ids[p.ARN]; taken {
		return Principal{}, fmt.Errorf("user %q exists", name)
	}
	a.ids[p.ARN] = "AIDA" + letters()
	a.principals = append(a.principals, p)
	a.hold(p, time.Time{}, a.ids[p.ARN], "IAM:"+name)
	return p, nil
}

func (a *Account) addRole(name string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	role := Role{Name: name, ARN: a.iamARN("role", name)}
	a.roles = append(a.roles, role)
	a.ids[role.ARN] = "AROA" + letters()
}

// NewSession gives temporary keys and a session token, for ttl, to the user or role of that name. A ttl that is not
// positive gives a session that has run out.
func (a *Account) NewSession(name string, ttl time.Duration) (Principal, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if d := a.faults.lifetime; d > 0 && ttl > 0 {
		ttl = d
	}
	p := Principal{Name: name, AccessKeyID: "ASIA" + letters(), SecretAccessKey: secret(), SessionToken: sessionToken()}
	expires := a.clock().Add(ttl)
	if user := a.iamARN("user", name); a.ids[user] != "" {
		p.ARN = user
		a.hold(p, expires, a.ids[user], "IAM:"+name)
		return p, nil
	}
	role := a.iamARN("role", name)
	if a.ids[role] == "" {
		return Principal{}, fmt.Errorf("no user or role %q in account %s", name, a.o.AccountID)
	}
	const session = "airhook"
	p.ARN = fmt.Sprintf("arn:%s:sts::%s:assumed-role/%s/%s", partition(a.o.Region), a.o.AccountID, name, session)
	a.hold(p, expires, a.ids[role]+":"+session, "IAMR:"+name)
	return p, nil
}

// hold makes the keys good. The caller holds the lock.
func (a *Account) hold(p Principal, expires time.Time, id, dbUser string) {
	key := sigv4.Key{AccessKeyID: p.AccessKeyID, SecretAccessKey: p.SecretAccessKey, SessionToken: p.SessionToken, Expires: expires}
	a.keys[p.AccessKeyID] = holder{key: key, name: p.Name, arn: p.ARN, id: id, dbUser: dbUser}
}

func (a *Account) find(accessKeyID string) (sigv4.Key, bool) {
	who, found := a.holder(accessKeyID)
	return who.key, found
}

func (a *Account) holder(accessKeyID string) (holder, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	who, found := a.keys[accessKeyID]
	return who, found
}

func (a *Account) iamARN(kind, name string) string {
	return fmt.Sprintf("arn:%s:iam::%s:%s/%s", partition(a.o.Region), a.o.AccountID, kind, name)
}

// partition is the part of AWS that a region belongs to; ARNs begin with it.
func partition(region string) string {
	switch {
	case strings.HasPrefix(region, "cn-"):
		return "aws-cn"
	case strings.HasPrefix(region, "us-gov-"):
		return "aws-us-gov"
	}
	return "aws"
}

// letters are the random part of an id: sixteen capitals and digits.
func letters() string { return rand.Text()[:16] }

// secret is a secret access key: forty characters, / and + among them, as AWS's.
func secret() string { return random(30) }

func sessionToken() string { return random(360) }

func random(bytes int) string {
	text := make([]byte, bytes)
	_, _ = rand.Read(text) // never fails
	return base64.StdEncoding.EncodeToString(text)
}
