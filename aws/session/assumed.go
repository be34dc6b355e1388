package session

import (
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// Assumption is the role that a session signs as, and how STS is asked for it: what the role's trust policy has to allow.
type Assumption struct {
	// RoleARN is the role, as it was named.
	RoleARN string
	// Caller signs the call. It is nil where a web identity token is sent, and nobody signs.
	Caller *Session
	// TokenFile holds the web identity token; "" where Caller signs.
	TokenFile string
	// ExternalID and SourceIdentity are what is sent under these names; "" is not sent.
	ExternalID, SourceIdentity string
	// Tags reports whether the session is tagged.
	Tags bool
}

// step is one role of a chain.
type step struct {
	Assumption
	keys   aws.CredentialsProvider // the caller's; nil for a web identity
	before *step                   // whose keys they are; nil for no role's
}

// Assumed tells which role the session assumes, on its own or because an AWS profile or the environment says so; false when
// it assumes none. A role that a service handed out with its keys (EC2, ECS, EKS, IAM Identity Center) was not assumed here.
func (s *Session) Assumed() (Assumption, bool) {
	if s.assumed == nil {
		return Assumption{}, false
	}
	a := s.assumed.Assumption
	if s.assumed.keys != nil {
		caller := *s
		caller.Config.Credentials, caller.container = s.assumed.keys, isContainer(s.assumed.keys)
		caller.Principal = opaque([]string{s.Principal, "caller"})
		caller.assume(s.assumed.before)
		caller.signs()
		caller.signs()
		a.Caller = &caller
	}
	return a, true
}

// assume notes the role that the session's keys are of.
func (s *Session) assume(one *step) {
	s.assumed, s.RoleARN = one, ""
	if one == nil {
		return
	}
	s.RoleARN = one.RoleARN
	if warning := fmt.Sprintf("aws connection %q: %s", s.ID, notForSTS); isForOthers(s.endpoints) && !slices.Contains(s.Warnings, warning) {
		s.Warnings = append(slices.Clip(s.Warnings), warning)
	}
}
