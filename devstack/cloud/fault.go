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

// accessDenied is a refusal because nothing allows it, or because something denies it.
//
// https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html
func accessDenied(arn, action, resource string) error {
	return notAuthorized(arn, action, resource, fmt.Sprintf(" because no identity-based policy allows the %s action", action))
}

func notInSessionPolicy(arn, action, resource string) error {
	return notAuthorized(arn, action, resource, fmt.Sprintf(" because no session policy allows the %s action", action))
}

func explicitlyDenied(arn, action, resource, where string) error {
	return notAuthorized(arn, action, resource, " with an explicit deny in "+where)
}

func notAuthorized(arn, action, resource, because string) *fault {
	return &fault{status: 403, code: "AccessDenied", message: fmt.Sprintf("User: %s is not authorized to perform: %s on resource: %s%s", arn, action, resource, because)}
}

// validationError is STS's.
func validationError(format string, args ...any) error {
	return &fault{status: 400, code: "ValidationError", message: fmt.Sprintf(format, args...)}
}
