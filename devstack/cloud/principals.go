package cloud

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/airhook-go/airhook/devstack/policy"
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
	key     sigv4.Key
	entity  *entity
	arn     string
	id      string            // GetCallerIdentity's UserId
	limit   *policy.Document  // a session's own policy
	tags    map[string]string // a session's
	expires time.Time

	transitive map[string]string // those of tags that a session hands down
	source     string            // a session's SourceIdentity, which it hands down too
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

// NewSession gives temporary keys and a session token, for ttl, to the user or role of that name. A ttl that is not
// positive gives a session that has run out.
func (a *Account) NewSession(name string, ttl time.Duration) (Principal, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, kind := range []string{"user", "role"} {
		if e := a.entities[a.iamARN(kind, name)]; e != nil {
			p, _ := a.open(session{entity: e, name: "airhook", lifetime: ttl})
			return p, nil
		}
	}
	return Principal{}, fmt.Errorf("no user or role %q in account %s", name, a.o.AccountID)
}

// session is one that is to be opened: of a user, who stays who they are, or of a role.
type session struct {
	entity   *entity
	name     string
	lifetime time.Duration
	limit    *policy.Document
	tags     map[string]string

	transitive map[string]string
	source     string
}

// open gives out a session's keys. The caller holds the lock.
func (a *Account) open(s session) (Principal, time.Time) {
	if d := a.faults.lifetime; d > 0 && s.lifetime > 0 {
		s.lifetime = d
	}
	e := s.entity
	p := Principal{Name: e.name, ARN: e.arn, AccessKeyID: "ASIA" + letters(), SecretAccessKey: secret(), SessionToken: sessionToken()}
	who := holder{entity: e, id: e.id, limit: s.limit, tags: s.tags, transitive: s.transitive, source: s.source, expires: a.clock().Add(s.lifetime)}
	if e.role {
		p.ARN = fmt.Sprintf("arn:%s:sts::%s:assumed-role/%s/%s", partition(a.o.Region), a.o.AccountID, e.name, s.name)
		who.id += ":" + s.name
	}
	a.hold(p, who)
	return p, who.expires
}

// hold makes the keys good. The caller holds the lock.
func (a *Account) hold(p Principal, who holder) {
	who.arn = p.ARN
	a.o.Issued(p.SecretAccessKey)
	if p.SessionToken != "" {
		a.o.Issued(p.SessionToken)
	}
	who.key = sigv4.Key{AccessKeyID: p.AccessKeyID, SecretAccessKey: p.SecretAccessKey, SessionToken: p.SessionToken, Expires: who.expires}
	a.keys[p.AccessKeyID] = who
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

// arn is that of a resource in the account.
func (a *Account) arn(service, region, resource string) string {
	return fmt.Sprintf("arn:%s:%s:%s:%s:%s", partition(region), service, region, a.o.AccountID, resource)
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
