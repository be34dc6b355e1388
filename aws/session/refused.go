package session

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/airhook-go/airhook"
)

// innermost is the call of STS that failed: in a chain of roles the others only waited for it.
func innermost(err error) *roleError {
	var found, r *roleError
	for errors.As(err, &r) {
		found, err = r, r.err
	}
	return found
}

// roleFailure says why a role was not assumed (STS API reference: AssumeRole, AssumeRoleWithWebIdentity, errors).
func roleFailure(ctx context.Context, r *roleError) *airhook.Error {
	doing := "assume role " + r.role
	if e := noCredentials(ctx, r.err); e != nil { // no keys to ask with
		return e
	}
	e := Failure(ctx, doing, r.err)
	e.Resource = r.role
	var api smithy.APIError
	if !errors.As(r.err, &api) {
		return e
	}
	text := firstLine(api.ErrorMessage())
	say := func(kind error, format string, args ...any) {
		e.Kind, e.Err = kind, fmt.Errorf("%s: %s", doing, fmt.Sprintf(format, args...))
	}
	switch code := strings.TrimSuffix(api.ErrorCode(), "Exception"); {
	case code == "AccessDenied":
		r.denied(e, doing, api.ErrorMessage())
	case code == "ExpiredToken" && r.file != "":
		say(airhook.ErrTokenExpired, "the web identity token in %s has expired", r.file)
		e.Hint = "whoever issues the token has to renew the file: in Kubernetes, kubelet does; if it is new, check this machine's clock"
	case code == "InvalidIdentityToken" && !r.jwt:
		say(airhook.ErrInvalid, "the web identity token file %s holds no JSON web token: %s", r.file, text)
		e.Hint = "let the issuer write the token alone into it, three parts with a dot between them, or name another file"
	case code == "InvalidIdentityToken" || code == "IDPRejectedClaim":
		say(airhook.ErrAccessDenied, "access denied: AWS doesn't accept the web identity token in %s: %s", r.file, text)
		e.Hint = "IAM needs an identity provider for the token's issuer, with its audience; for EKS: sts.amazonaws.com"
	case code == "IDPCommunicationError":
		say(airhook.ErrUnreachable, "AWS can't ask the issuer of the web identity token in %s: %s", r.file, text)
		e.Hint = "try again; the issuer's /.well-known/openid-configuration has to be reachable from the internet"
	case code == "RegionDisabled":
		say(airhook.ErrInvalid, "STS is not activated in this region: %s", text)
		e.Hint = "activate it in IAM's account settings, or name another region in the aws connection's region_name"
	case code == "MalformedPolicyDocument":
		say(airhook.ErrInvalid, "the session policy is malformed: %s", text)
		e.Hint = "correct Policy in the aws connection's assume_role_kwargs"
	case code == "PackedPolicyTooLarge":
		say(airhook.ErrInvalid, "the session's policies and tags are too large: %s", text)
		e.Hint = "shorten Policy, PolicyArns or Tags in the aws connection's assume_role_kwargs"
	}
	return e
}

// denied: two policies have to allow it, and AWS's text is the same whichever doesn't.
func (r *roleError) denied(e *airhook.Error, doing, text string) {
	said := ParseDenial(text)
	e.Kind, e.Principal = airhook.ErrAccessDenied, said.Principal
	e.Err = fmt.Errorf("%s: access denied: %s", doing, first(said.Short(), firstLine(text)+" (sts:"+r.call+")"))
	if r.call != "AssumeRole" {
		e.Hint = "the role's trust policy has to name the identity provider, and the token's audience and subject"
		return
	}
	e.Policy = assumePolicy(r.role, r.also)
	e.Hint = "both have to allow it: a policy of the caller, and the role's trust policy, which may want an ExternalId (assume_role_kwargs) and which airhook policy CONN_ID --trust prints; or the role may not exist: AWS says the same then"
}

// assumePolicy is the document that lets a caller ask for a role.
func assumePolicy(role string, also []string) json.RawMessage {
	arn, _ := json.Marshal(role) // a string: it can't fail
	var all []string
	for _, action := range append([]string{"sts:AssumeRole"}, also...) {
		all = append(all, `{"Effect":"Allow","Action":"`+action+`","Resource":[`+string(arn)+`]}`)
	}
	return json.RawMessage(`{"Version":"2012-10-17","Statement":[` + strings.Join(all, ",") + `]}`)
}

const containerHint = "check AWS_CONTAINER_CREDENTIALS_FULL_URI or _RELATIVE_URI and AWS_CONTAINER_AUTHORIZATION_TOKEN or _TOKEN_FILE; the task or pod needs a role"

// containerFailure tells a container's endpoint from AWS.
func containerFailure(ctx context.Context, err error) *airhook.Error {
	const doing = "get AWS credentials from the container's endpoint"
	e := Failure(ctx, doing, err)
	var status interface{ HTTPStatusCode() int }
	answered := errors.As(err, &status)
	switch {
	case innermost(err) != nil || ctx.Err() != nil:
		return e
	case !answered && errors.Is(e, airhook.ErrUnreachable):
		e.Err = fmt.Errorf("%s: it can't be reached: %s", doing, cause(err))
	case !answered || e.Kind != nil:
		return e
	case status.HTTPStatusCode() == http.StatusUnauthorized || status.HTTPStatusCode() == http.StatusForbidden:
		e.Kind, e.Err = airhook.ErrAccessDenied, fmt.Errorf("%s: access denied (HTTP %d)", doing, status.HTTPStatusCode())
	default:
		e.Err = fmt.Errorf("%s: it answered HTTP %d", doing, status.HTTPStatusCode())
	}
	e.Hint = containerHint
	return e
}

// blameClock says by how much this machine's clock is off where that may be why a signature was refused.
func blameClock(e *airhook.Error, doing string, err error, api smithy.APIError) {
	code := strings.TrimSuffix(api.ErrorCode(), "Exception")
	switch code {
	case "SignatureDoesNotMatch", "InvalidSignature", "IncompleteSignature", "RequestTimeTooSkewed", "RequestExpired", "RequestInTheFuture", "ExpiredToken":
	default:
		return
	}
	off, said := clockOff(api.ErrorMessage(), err)
	if !said && off.Abs() < time.Minute {
		return
	}
	way := "ahead of"
	if off < 0 {
		way = "behind"
	}
	if said && code != "ExpiredToken" {
		e.Kind, e.Err = airhook.ErrAccessDenied, fmt.Errorf("%s: access denied: the signature's time is wrong (%s)", doing, api.ErrorCode())
	}
	e.Hint = fmt.Sprintf("this machine's clock is %s %s AWS's: set it, for example by NTP; AWS allows five minutes", off.Abs().Round(time.Second), way)
}

var signedTimes = regexp.MustCompile(`\b\d+T\d+Z\b`)

// clockOff is how far this machine's clock is ahead of AWS's. AWS's text names the signature's time first and its own
// last: "Signature expired: A is now earlier than B (C - 5 min.)", "Signature not yet current: A is still later than B
// (C + 5 min.)". Else the answer's Date tells.
func clockOff(text string, err error) (off time.Duration, said bool) {
	if times := signedTimes.FindAllString(text, -1); strings.HasPrefix(text, "Signature ") && len(times) > 1 {
		signed, errSigned := time.Parse("20060102T150405Z", times[0])
		theirs, errTheirs := time.Parse("20060102T150405Z", times[len(times)-1])
		if errSigned == nil && errTheirs == nil {
			return signed.Sub(theirs), true
		}
	}
	var answer *smithyhttp.ResponseError
	if errors.As(err, &answer) && answer.Response != nil {
		if date, err := http.ParseTime(answer.Response.Header.Get("Date")); err == nil {
			return time.Since(date), false
		}
	}
	return 0, false
}
