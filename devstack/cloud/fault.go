package cloud

import "fmt"

// fault is a refusal in AWS's words; why, where it says more, is for the log.
type fault struct {
	status        int
	code, message string
	why           string
}

func (f *fault) Error() string {
	if f.why != "" {
		return f.code + ": " + f.why
	}
	return f.code + ": " + f.message
}

// https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html
func accessDenied(arn, action, resource string) error {
	return &fault{
		status: 403, code: "AccessDenied",
		message: fmt.Sprintf("User: %s is not authorized to perform: %s on resource: %s because no identity-based policy allows the %s action", arn, action, resource, action),
	}
}
