package cloud

import (
	"fmt"
	"maps"
	"strconv"
	"strings"
	"time"

	"github.com/airhook-go/airhook/devstack/policy"
)

// identity is the answer of sts:GetCallerIdentity.
type identity struct {
	ARN     string `xml:"Arn"`
	UserID  string `xml:"UserId"`
	Account string `xml:"Account"`
}

// getCallerIdentity needs no leave: on AWS no policy can take it away.
func (a *Account) getCallerIdentity(c call) (any, error) {
	return identity{ARN: c.who.arn, UserID: c.who.id, Account: a.o.AccountID}, nil
}

// sessionKeys are those of a session in STS's answers.
type sessionKeys struct {
	AccessKeyID     string `xml:"AccessKeyId"`
	SecretAccessKey string
	SessionToken    string
	Expiration      string
}

func keysOfSession(p Principal, expires time.Time) sessionKeys {
	return sessionKeys{p.AccessKeyID, p.SecretAccessKey, p.SessionToken, isoTime(expires)}
}

type assumedRole struct {
	ARN string `xml:"Arn"`
	ID  string `xml:"AssumedRoleId"`
}

// roleSession is the answer of sts:AssumeRole.
type roleSession struct {
	AssumedRoleUser  assumedRole
	Credentials      sessionKeys
	PackedPolicySize int    `xml:",omitempty"`
	SourceIdentity   string `xml:",omitempty"`
}

// assumeRole opens a session of a role, for whom the role trusts. Whoever its trust policy names needs no other leave;
// whoever it names by their account needs that of a policy of their own.
//
// https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic-cross-account.html
func (a *Account) assumeRole(c call) (any, error) {
	asked, err := readRole(c, forUsers)
	if err != nil {
		return nil, err
	}
	if err := asked.inherit(c.who); err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	role := a.entities[asked.arn]
	if role == nil || !role.role { // AWS does not tell who is there
		return nil, notTrusted(c, "sts:AssumeRole", asked.arn, "there is no such role")
	}
	for _, action := range asked.actions() {
		if err := a.mayAssume(c, role, action, asked.keys()); err != nil {
			return nil, err
		}
	}
	switch chained := c.who.entity.role; {
	case asked.lifetime > role.longest:
		return nil, validationError("The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")
	case chained && asked.lifetime > time.Hour:
		return nil, validationError("The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.")
	}
	return a.openRole(role, asked), nil
}

func (a *Account) openRole(role *entity, asked askedRole) roleSession {
	s := session{entity: role, name: asked.session, lifetime: asked.lifetime, limit: asked.limit, tags: asked.tags, transitive: asked.inherited, source: asked.source}
	maps.Copy(s.tags, asked.inherited)
	for _, name := range asked.transitive {
		s.transitive[name] = asked.tags[name]
	}
	p, expires := a.open(s)
	answer := roleSession{assumedRole{p.ARN, role.id + ":" + asked.session}, keysOfSession(p, expires), 0, asked.source}
	if asked.limit != nil || len(asked.tags) > 0 {
		answer.PackedPolicySize = 1
	}
	return answer
}

// mayAssume asks the role's trust policy and, where that leaves it to them, the caller's own. A session that is trusted by
// its role's ARN may do no more than its session policy allows; one that is trusted as itself, or as everybody, may.
//
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html (role principals)
func (a *Account) mayAssume(c call, role *entity, action string, keys policy.Keys) error {
	own, err := a.decide(c, action, role.arn, keys)
	if own == policy.Denied {
		return err
	}
	caller := policy.Caller{ARNs: []string{c.who.arn, c.who.entity.arn}, Account: a.o.AccountID}
	request := policy.Request{Action: action, Keys: a.keysOf(c, keys), Caller: caller}
	switch role.trust.Decide(request) {
	case policy.Allowed:
		request.Caller.ARNs = []string{c.who.arn}
		if c.who.limit == nil || role.trust.Decide(request) == policy.Allowed {
			return nil
		}
		if request.Resource = role.arn; c.who.limit.Decide(request) == policy.Allowed {
			return nil
		}
		return notInSessionPolicy(c.who.arn, action, role.arn)
	case policy.Delegated:
		return err
	case policy.Denied:
		return notTrusted(c, action, role.arn, "the role's trust policy denies it")
	}
	return notTrusted(c, action, role.arn, "the role's trust policy does not name the caller, or a condition of it is not met")
}

// notTrusted is what AWS says of a role that does not trust somebody, or is not there: no more than that.
func notTrusted(c call, action, role, why string) error {
	f := notAuthorized(c.who.arn, action, role, "")
	f.why = why
	return f
}

func nullMember(name string) error {
	return validationError("1 validation error detected: Value null at '%s' failed to satisfy constraint: Member must not be null", name)
}

func mismatch(name, value, pattern string, least, most int) error {
	return validationError("1 validation error detected: Value '%s' at '%s' failed to satisfy constraint: Member must have %d to %d characters and satisfy regular expression pattern: %s",
		short(value), name, least, most, pattern)
}

// stsLifetime reads DurationSeconds, of 900 to a service's most.
func stsLifetime(c call, usual, most time.Duration) (time.Duration, error) {
	text := c.form.Get("DurationSeconds")
	if text == "" {
		return usual, nil
	}
	seconds, err := strconv.Atoi(text)
	switch {
	case err != nil || seconds < 900:
		return 0, validationError("1 validation error detected: Value '%s' at 'durationSeconds' failed to satisfy constraint: Member must have value greater than or equal to 900", short(text))
	case seconds > int(most.Seconds()):
		return 0, validationError("1 validation error detected: Value '%s' at 'durationSeconds' failed to satisfy constraint: Member must have value less than or equal to %d", short(text), int(most.Seconds()))
	}
	return time.Duration(seconds) * time.Second, nil
}

// getSessionToken opens a session of the user who asks; a session opens none.
//
// https://docs.aws.amazon.com/STS/latest/APIReference/API_GetSessionToken.html
func (a *Account) getSessionToken(c call) (any, error) {
	if c.who.key.SessionToken != "" {
		return nil, &fault{status: 403, code: "AccessDenied", message: "Cannot call GetSessionToken with session credentials"}
	}
	lifetime, err := stsLifetime(c, 12*time.Hour, 36*time.Hour)
	if err == nil {
		err = c.knows([]string{"Action", "Version", "DurationSeconds"})
	}
	if err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.faults.denies(c.who.entity.name, "sts:GetSessionToken") {
		return nil, accessDenied(c.who.arn, "sts:GetSessionToken", "*")
	}
	p, expires := a.open(session{entity: c.who.entity, lifetime: lifetime})
	return struct{ Credentials sessionKeys }{keysOfSession(p, expires)}, nil
}

// webSession is the answer of sts:AssumeRoleWithWebIdentity.
type webSession struct {
	roleSession
	SubjectFromWebIdentityToken, Audience, Provider string
}

// assumeRoleWithWebIdentity opens a session of a role for a workload, which has a token of the account's identity provider
// instead of keys.
//
// https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html
func (a *Account) assumeRoleWithWebIdentity(c call) (any, error) {
	asked, err := readRole(c, forWorkloads)
	if err != nil {
		return nil, err
	}
	if c.form.Get("WebIdentityToken") == "" {
		return nil, nullMember("webIdentityToken")
	}
	token, err := a.readWebToken(c.form.Get("WebIdentityToken"))
	if err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	role := a.entities[asked.arn]
	const action = "sts:AssumeRoleWithWebIdentity"
	keys := asked.keys()
	issuer := strings.ToLower(a.provider.issuer)
	keys[issuer+":sub"], keys[issuer+":aud"] = []string{token.Subject}, token.Audience
	trusted := role != nil && role.role && !a.faults.denies(role.name, action) &&
		role.trust.Decide(policy.Request{Action: action, Keys: keys, Caller: policy.Caller{Federated: a.provider.arn}}) == policy.Allowed
	switch {
	case !trusted:
		return nil, &fault{status: 403, code: "AccessDenied", message: "Not authorized to perform " + action, why: fmt.Sprintf("the role %s is not there, or does not trust %s", short(asked.arn), short(token.Subject))}
	case asked.lifetime > role.longest:
		return nil, validationError("The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")
	}
	return webSession{a.openRole(role, asked), token.Subject, audience, a.provider.arn}, nil
}
