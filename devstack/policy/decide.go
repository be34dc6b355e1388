package policy

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// Keys are what is known of a request, by the names of condition keys in lower case: "redshift:dbuser",
// "sts:externalid". What is not there is not known.
type Keys map[string][]string

// Request is what somebody asks leave for.
type Request struct {
	// Action is as policies have it: "sts:AssumeRole". Resource is an ARN or "*"; a trust policy has none.
	Action, Resource string
	Keys             Keys
	// Caller is who asks; only trust policies name them.
	Caller Caller
}

// Caller is somebody whom a trust policy may name.
type Caller struct {
	// ARNs are a user's own, or a session's and its role's.
	ARNs []string
	// Account is the account that they belong to, twelve digits; "" for those that AWS does not know yet.
	Account string
	// Federated is the ARN of the identity provider that vouches for the caller.
	Federated string
}

// Decision is what a document says of a request.
type Decision int

// The decisions. A trust policy that names only the caller's account leaves it to the account's own policies: Delegated.
const (
	Silent Decision = iota
	Delegated
	Allowed
	Denied
)

// Decide says what the document says of a request. A Deny counts more than any Allow.
func (d Document) Decide(r Request) Decision {
	decision := Silent
	for _, s := range d.statements {
		said := d.says(s, r)
		if said == Silent {
			continue
		}
		if s.deny {
			return Denied
		}
		decision = max(decision, said)
	}
	return decision
}

// says is Silent when a statement is about something else.
func (d Document) says(s statement, r Request) Decision {
	said := Allowed
	if s.principals != nil {
		if said = r.Caller.among(s.principals); said == Silent {
			return Silent
		}
	}
	if s.actions.not == slices.ContainsFunc(s.actions.patterns, func(p string) bool { return d.matchesAction(p, r.Action) }) {
		return Silent
	}
	if s.resources.patterns != nil && s.resources.not == slices.ContainsFunc(s.resources.patterns, func(p string) bool { return d.matchesARN(p, r.Resource, r.Keys) }) {
		return Silent
	}
	for _, c := range s.conditions {
		if !d.holds(c, r.Keys) {
			return Silent
		}
	}
	return said
}

// principal is somebody whom a statement is about.
type principal struct{ kind, value string }

var principalKinds = []string{"AWS", "Service", "Federated"}

// parsePrincipals reads "*", or who is named of each kind.
func parsePrincipals(raw json.RawMessage, at string) ([]principal, error) {
	if string(raw) == `"*"` {
		return []principal{{"AWS", "*"}}, nil
	}
	members, err := object(raw, at, principalKinds)
	if err != nil {
		return nil, err
	}
	all := []principal{}
	for _, m := range members {
		values, err := texts(m.value, at+"."+m.name)
		if err != nil {
			return nil, err
		}
		for _, value := range values {
			if m.name == "AWS" && !isAWS(value) {
				return nil, fmt.Errorf("%s.AWS: %q: want an ARN of IAM or STS without wildcards, an account's twelve digits, or *", at, value)
			}
			all = append(all, principal{m.name, value})
		}
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("%s: empty", at)
	}
	return all, nil
}

func isAWS(value string) bool {
	if value == "*" || isAccount(value) {
		return true
	}
	parts := strings.Split(value, ":")
	return len(parts) == 6 && parts[0] == "arn" && (parts[2] == "iam" || parts[2] == "sts") && isAccount(parts[4]) && parts[5] != "" && !strings.ContainsAny(value, "*?")
}

func isAccount(text string) bool {
	return len(text) == 12 && strings.Trim(text, "0123456789") == ""
}

// among says whether the caller is one of them: Delegated when it is only named by its account.
func (c Caller) among(principals []principal) Decision {
	named := Silent
	for _, p := range principals {
		switch {
		case p.kind == "Federated" && c.Federated != "" && p.value == c.Federated,
			p.kind == "AWS" && c.Account != "" && (p.value == "*" || slices.Contains(c.ARNs, p.value)):
			return Allowed
		case p.kind == "AWS" && c.Account != "" && (p.value == c.Account || strings.HasPrefix(p.value, "arn:") && strings.HasSuffix(p.value, ":iam::"+c.Account+":root")):
			named = Delegated
		}
	}
	return named
}
