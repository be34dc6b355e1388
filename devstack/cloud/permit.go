package cloud

import (
	"maps"
	"strings"

	"github.com/airhook-go/airhook/devstack/policy"
)

// permit says whether the caller may do action ("redshift:DescribeClusters") to a resource, in AWS's words. The caller's
// policy must allow it and, of a session with a policy of its own, that one too; no Deny may take it away. Whoever calls
// permit holds the lock.
//
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic_policy-eval-denyallow.html
func (a *Account) permit(c call, action, resource string, keys policy.Keys) error {
	_, err := a.decide(c, action, resource, keys)
	return err
}

// decide is permit, and tells what is denied from what nothing allows.
func (a *Account) decide(c call, action, resource string, keys policy.Keys) (policy.Decision, error) {
	who := c.who
	if a.faults.denies(who.entity.name, action) {
		return policy.Denied, accessDenied(who.arn, action, resource)
	}
	request := policy.Request{Action: action, Resource: resource, Keys: a.keysOf(c, keys)}
	own, limit := who.entity.policy.Decide(request), policy.Allowed
	if who.limit != nil {
		limit = who.limit.Decide(request)
	}
	switch {
	case own == policy.Denied:
		return policy.Denied, explicitlyDenied(who.arn, action, resource, "an identity-based policy")
	case limit == policy.Denied:
		return policy.Denied, explicitlyDenied(who.arn, action, resource, "a session policy")
	case own == policy.Silent:
		return policy.Silent, accessDenied(who.arn, action, resource)
	case limit == policy.Silent:
		return policy.Silent, notInSessionPolicy(who.arn, action, resource)
	}
	return policy.Allowed, nil
}

// keysOf adds what is known of the caller to what is known of the call.
//
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html
func (a *Account) keysOf(c call, more policy.Keys) policy.Keys {
	e := c.who.entity
	keys := policy.Keys{
		"aws:principalarn": {e.arn}, "aws:principalaccount": {a.o.AccountID}, "aws:userid": {c.who.id}, "aws:requestedregion": {c.region},
		"aws:principaltype": {"User"}, "aws:securetransport": {"false"},
	}
	if e.role {
		keys["aws:principaltype"] = []string{"AssumedRole"}
	} else {
		keys["aws:username"] = []string{e.name}
	}
	for name, value := range c.who.tags {
		keys["aws:principaltag/"+strings.ToLower(name)] = []string{value}
	}
	if c.who.source != "" {
		keys["aws:sourceidentity"] = []string{c.who.source}
	}
	maps.Copy(keys, more)
	return keys
}
