package sigv4

import "fmt"

// Error is why a signature was refused. Code, Status and Message are what AWS answers; Why says the same to whoever
// reads the stack's log. None holds a secret.
type Error struct {
	Code    string
	Status  int
	Message string
	Why     string
}

// Error returns the code and the reason.
func (e *Error) Error() string { return e.Code + ": " + e.Why }

// missing: nothing was signed.
func missing(why string) error {
	return &Error{Code: "MissingAuthenticationToken", Status: 403, Message: "Request is missing Authentication Token", Why: why}
}

// incomplete: what says that it is signed can't be read. The message is the reason, as on AWS.
func incomplete(format string, args ...any) error {
	why := fmt.Sprintf(format, args...)
	return &Error{Code: "IncompleteSignature", Status: 400, Message: why, Why: why}
}

func invalidKey(format string, args ...any) error {
	return &Error{Code: "InvalidClientTokenId", Status: 403, Message: "The security token included in the request is invalid.", Why: fmt.Sprintf(format, args...)}
}

// mismatch says to the client only that the signature does not hold.
func mismatch(format string, args ...any) error {
	return &Error{
		Code: "SignatureDoesNotMatch", Status: 403, Why: fmt.Sprintf(format, args...),
		Message: "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.",
	}
}

// wrong is a signature for another time, service or place, which AWS does name.
func wrong(format string, args ...any) error {
	why := fmt.Sprintf(format, args...)
	return &Error{Code: "SignatureDoesNotMatch", Status: 403, Message: why, Why: why}
}

func expired(format string, args ...any) error {
	return &Error{Code: "RequestExpired", Status: 400, Message: "Request has expired.", Why: fmt.Sprintf(format, args...)}
}

func notSigned(header string) error {
	return &Error{
		Code: "AccessDenied", Status: 403, Message: "There were headers present in the request which were not signed: " + header,
		Why: "header " + header + " is not signed",
	}
}
