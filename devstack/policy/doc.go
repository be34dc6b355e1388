// Package policy reads AWS IAM policies and decides by them: what a user or role may do, and who may assume a role.
//
//	document, err := policy.Parse(text)
//	if err != nil {
//		return err // Statement[0].Condition: unknown operator StringIs
//	}
//	decision := document.Decide(policy.Request{Action: "redshift:GetClusterCredentials", Resource: arn, Keys: policy.Keys{"redshift:dbuser": {"app"}}})
//
// A document that holds what this package does not know is refused with the name of that element, rather than read as if
// it were not there. How the decisions of several documents make one is for the caller.
//
// The rules: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements.html and
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
package policy
