package cloud

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"time"

	"github.com/airhook-go/airhook/devstack/policy"
)

// entity is a user or a role, as IAM calls both.
type entity struct {
	name, arn, id string
	role          bool
	policy, trust policy.Document
	longest       time.Duration // that somebody's session of the role may last
}

// dbUser is the database user that the identity is on Redshift.
func (e *entity) dbUser() string {
	if e.role {
		return "IAMR:" + e.name
	}
	return "IAM:" + e.name
}

const (
	adminName  = "admin"
	devRole    = "AirhookDev"
	roleLife   = time.Hour // IAM's default for MaxSessionDuration
	longestDev = 12 * time.Hour
	everything = `{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}`
)

// found makes those whom every account has.
func (a *Account) found() error {
	devTrust := fmt.Sprintf(`{"Version": "2012-10-17", "Statement": [
		{"Effect": "Allow", "Principal": {"AWS": %q}, "Action": ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"]},
		{"Effect": "Allow", "Principal": {"Federated": %q}, "Action": "sts:AssumeRoleWithWebIdentity", "Condition": {"StringEquals": {%[3]q: "sts.amazonaws.com"}, "StringLike": {%[4]q: "system:serviceaccount:*"}}},
		{"Effect": "Allow", "Principal": {"Service": ["ec2.amazonaws.com", "ecs-tasks.amazonaws.com", "pods.eks.amazonaws.com"]}, "Action": ["sts:AssumeRole", "sts:TagSession"]}
	]}`, fmt.Sprintf("arn:%s:iam::%s:root", partition(a.o.Region), a.o.AccountID), a.provider.arn, a.provider.issuer+":aud", a.provider.issuer+":sub")
	const (
		redshiftTrust = `{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Principal": {"Service": ["redshift.amazonaws.com", "redshift-serverless.amazonaws.com"]}, "Action": "sts:AssumeRole"}}`
		onlyS3        = `{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}}`
	)
	for _, r := range []struct{ name, policy, trust string }{{devRole, everything, devTrust}, {"RedshiftRole", onlyS3, redshiftTrust}} {
		if _, err := a.putRole(r.name, []byte(r.policy), []byte(r.trust)); err != nil {
			return err
		}
	}
	a.entities[a.iamARN("role", devRole)].longest = longestDev
	_, err := a.putUser(adminName, []byte(everything), false)
	return err
}

// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
var entityName = regexp.MustCompile(`^[A-Za-z0-9+=,.@_-]+$`)

// AddPrincipal makes another user, who may do everything that Deny does not take away.
func (a *Account) AddPrincipal(name string) (Principal, error) {
	p, err := a.putUser(name, []byte(everything), false)
	if err != nil {
		return Principal{}, err
	}
	return p, a.o.Changed()
}

// PutUser makes a user, or changes one, who keeps its keys: document becomes its policy, and without one it may do nothing
// but what needs no leave. The admin stays as it is.
func (a *Account) PutUser(name string, document []byte) (Principal, error) {
	if name == adminName {
		return Principal{}, fmt.Errorf("user %q is the account's own, and may do everything", name)
	}
	p, err := a.putUser(name, document, true)
	if err != nil {
		return Principal{}, err
	}
	return p, a.o.Changed()
}

// PutRole makes a role, or changes one: document becomes its policy and trust its trust policy. A role without the one may
// do nothing, and nobody may assume one without the other. The role of the stack's own identities stays as it is.
func (a *Account) PutRole(name string, document, trust []byte) (Role, error) {
	if name == devRole {
		return Role{}, fmt.Errorf("role %q is the account's own, and may do everything", name)
	}
	r, err := a.putRole(name, document, trust)
	if err != nil {
		return Role{}, err
	}
	return r, a.o.Changed()
}

func (a *Account) putUser(name string, document []byte, change bool) (Principal, error) {
	may, err := read("policy", document, policy.Parse)
	if err == nil {
		err = checkName("user", name)
	}
	if err != nil {
		return Principal{}, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, p := range a.principals {
		if p.Name != name {
			continue
		}
		if !change {
			return Principal{}, fmt.Errorf("user %q exists", name)
		}
		a.entities[p.ARN].policy = may
		return p, nil
	}
	p := Principal{Name: name, ARN: a.iamARN("user", name), AccessKeyID: "AKIA" + letters(), SecretAccessKey: secret()}
	e := &entity{name: name, arn: p.ARN, id: "AIDA" + letters(), policy: may}
	a.entities[p.ARN] = e
	a.principals = append(a.principals, p)
	a.hold(p, holder{entity: e, id: e.id})
	return p, nil
}

func (a *Account) putRole(name string, document, trust []byte) (Role, error) {
	may, err := read("policy", document, policy.Parse)
	whom, wrong := read("trust policy", trust, policy.ParseTrust)
	if err = errors.Join(err, wrong); err == nil {
		err = checkName("role", name)
	}
	if err != nil {
		return Role{}, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	role := Role{Name: name, ARN: a.iamARN("role", name)}
	e := a.entities[role.ARN]
	if e == nil {
		e = &entity{name: name, arn: role.ARN, id: "AROA" + letters(), role: true, longest: roleLife}
		a.entities[role.ARN] = e
		a.roles = append(a.roles, role)
	}
	e.policy, e.trust = may, whom
	return role, nil
}

// read reads a document, or none.
func read(what string, text []byte, parse func([]byte) (policy.Document, error)) (policy.Document, error) {
	if len(text) == 0 || string(text) == "null" {
		return policy.Document{}, nil
	}
	d, err := parse(text)
	if err != nil {
		return policy.Document{}, fmt.Errorf("%s: %w", what, err)
	}
	return d, nil
}

func checkName(kind, name string) error {
	if fits(entityName, name) {
		return nil
	}
	return fmt.Errorf("%s name %q: want 1 to 64 letters, digits and characters of +=,.@_-", kind, short(name))
}

// How `airhook dev principal` asks for a user or role: JSON 1.1 as Redshift Serverless has it, signed by the admin.
const (
	OwnService   = "airhook-dev"
	OwnTarget    = "AirhookDev"
	PutPrincipal = "PutPrincipal"
)

// AskedPrincipal is a user or role that is to be made or changed. Without policy it may do nothing.
type AskedPrincipal struct {
	Name   string          `json:"name"`
	Role   bool            `json:"role"`
	Policy json.RawMessage `json:"policy,omitempty"`
	Trust  json.RawMessage `json:"trust,omitempty"`
}

// putPrincipal is for the admin alone, whatever others may do.
func (a *Account) putPrincipal(c call) (any, error) {
	var asked AskedPrincipal
	if err := c.decode(&asked); err != nil {
		return nil, err
	}
	if c.who.arn != a.iamARN("user", adminName) {
		return nil, accessDenied(c.who.arn, OwnService+":"+PutPrincipal, a.iamARN("user", asked.Name))
	}
	var made any
	var err error
	if asked.Role {
		made, err = a.PutRole(asked.Name, asked.Policy, asked.Trust)
	} else {
		made, err = a.PutUser(asked.Name, asked.Policy)
	}
	if err != nil {
		return nil, validation(err.Error())
	}
	return made, nil
}
