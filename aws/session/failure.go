package session

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"slices"
	"strings"

	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/airhook-go/airhook"
)

const unreachableHint = "check the network, the proxy, and endpoint_url or AWS_ENDPOINT_URL where one is set; in a VPC without internet AWS needs an interface endpoint"

// Failure turns what an AWS call returned into an *airhook.Error with stage, kind and hint. doing is a verb phrase with
// the object: "get credentials for cluster x". The SDK's error is not wrapped: it holds the signed request.
func Failure(ctx context.Context, doing string, err error) *airhook.Error {
	var known *airhook.Error
	if errors.As(err, &known) {
		return known
	}
	if r := innermost(err); r != nil && ctx.Err() == nil {
		return roleFailure(ctx, r)
	}
	e := &airhook.Error{Stage: airhook.StageCredential}
	var api smithy.APIError
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		e.Kind, e.Err = airhook.ErrCancelled, fmt.Errorf("%s: %w", doing, context.Cause(ctx))
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		e.Kind, e.Err = airhook.ErrUnreachable, fmt.Errorf("%s: AWS did not answer in time", doing)
		e.Hint = unreachableHint
	case errors.As(err, &api):
		apiFailure(e, doing, api, signedWith(err))
		blameClock(e, doing, err, api)
	case isTLS(err):
		e.Kind, e.Err = airhook.ErrTLS, fmt.Errorf("%s: %s", doing, cause(err))
		e.Hint = "name the CA bundle in the aws connection's verify or in AWS_CA_BUNDLE, and check this machine's clock"
	case isNetwork(err):
		e.Kind, e.Err = airhook.ErrUnreachable, fmt.Errorf("%s: AWS can't be reached: %s", doing, cause(err))
		e.Hint = unreachableHint
	default:
		e.Err = fmt.Errorf("%s: %s", doing, cause(err))
		e.Hint = "check endpoint_url or AWS_ENDPOINT_URL where one is set"
	}
	return e
}

// apiFailure tells the kinds apart by AWS's code (API references of STS, Redshift and Redshift Serverless, "Common
// errors"), never by its text.
func apiFailure(e *airhook.Error, doing string, api smithy.APIError, signed string) {
	text := firstLine(api.ErrorMessage())
	switch code := api.ErrorCode(); strings.TrimSuffix(code, "Exception") {
	case "AccessDenied", "UnauthorizedOperation", "NotAuthorized", "OptInRequired":
		e.Kind, e.Err = airhook.ErrAccessDenied, fmt.Errorf("%s: access denied: %s", doing, text)
		e.Hint = "let the identity do that: the policy says how"
	case "InvalidClientTokenId", "UnrecognizedClient", "InvalidAccessKeyId":
		e.Kind, e.Err = airhook.ErrAccessDenied, fmt.Errorf("%s: access denied: AWS doesn't know the access key (%s)%s", doing, code, signed)
		e.Hint = "check the access key id, and the session token that temporary keys need; a key of another partition (China, GovCloud) is unknown too"
	case "SignatureDoesNotMatch", "InvalidSignature", "IncompleteSignature", "MissingAuthenticationToken", "RequestTimeTooSkewed", "RequestInTheFuture":
		// AWS's text repeats the signed headers, the session token among them.
		e.Kind, e.Err = airhook.ErrAccessDenied, fmt.Errorf("%s: access denied: the signature is wrong (%s)%s", doing, code, signed)
		e.Hint = "check the secret access key, and this machine's clock: AWS allows five minutes"
	case "ExpiredToken", "RequestExpired", "ExpiredTokenSTS":
		e.Kind, e.Err = airhook.ErrTokenExpired, fmt.Errorf("%s: the session token of the AWS credentials has expired%s", doing, signed)
		e.Hint = "renew the temporary keys; if they are new, check this machine's clock"
	case "Throttling", "ThrottlingError", "ThrottledException", "RequestLimitExceeded", "TooManyRequests", "RequestThrottled", "SlowDown":
		e.Err = fmt.Errorf("%s: AWS throttles: %s", doing, text)
		e.Hint = "wait a minute and try again: too many calls of this kind came from the account at once; a process that runs on asks once for all its sessions"
	case "ValidationError", "Validation", "InvalidParameterValue", "InvalidParameterCombination", "MissingParameter":
		e.Kind, e.Err = airhook.ErrInvalid, fmt.Errorf("%s: %s (%s)", doing, text, code)
		e.Hint = "correct the connection: AWS names the value"
	default:
		e.Err = fmt.Errorf("%s: %s (%s)", doing, text, code)
		e.Hint = "AWS's API reference explains " + code
		if api.ErrorFault() == smithy.FaultServer {
			e.Hint = "it is AWS's own failure: try again in a minute"
		}
	}
}

// firstLine keeps AWS's text to one line of a sane length.
func firstLine(text string) string {
	text, _, _ = strings.Cut(strings.TrimSpace(text), "\n")
	if len(text) > 600 {
		text = strings.ToValidUTF8(text[:600], "") + "…"
	}
	if text == "" {
		return "no reason given"
	}
	return text
}

func isTLS(err error) bool {
	var (
		verify  *tls.CertificateVerificationError
		unknown x509.UnknownAuthorityError
		record  tls.RecordHeaderError
		alert   tls.AlertError
	)
	return errors.As(err, &verify) || errors.As(err, &unknown) || errors.As(err, &record) || errors.As(err, &alert)
}

func isNetwork(err error) bool {
	var send *smithyhttp.RequestSendError
	var n net.Error
	var file *fs.PathError // its number of the system would pass as a network's
	if errors.As(err, &file) {
		return false
	}
	return errors.As(err, &send) || errors.As(err, &n) || errors.Is(err, context.DeadlineExceeded)
}

// cause is the innermost text that says something, without the SDK's own layers.
func cause(err error) string {
	var send *smithyhttp.RequestSendError
	if errors.As(err, &send) && send.Err != nil {
		err = send.Err
	}
	return firstLine(err.Error())
}

// asked reports whether a call of one of the services failed, on its own or to sign another call.
func asked(err error, services ...string) bool {
	var op *smithy.OperationError
	for errors.As(err, &op) {
		if slices.Contains(services, op.ServiceID) {
			return true
		}
		err = op.Err
	}
	return false
}

// noCredentials recognises a default chain that came to its end: the metadata service is the SDK's last resort.
func noCredentials(bounded context.Context, err error) *airhook.Error {
	imds := asked(err, "ec2imds")
	if !imds && bounded.Err() == nil {
		return nil
	}
	e := &airhook.Error{
		Stage: airhook.StageCredential, Kind: airhook.ErrInvalid,
		Err:  errors.New("no AWS credentials found: tried the environment (AWS_ACCESS_KEY_ID, AWS_PROFILE, web identity, container) and the AWS config files; no EC2 metadata service answers with a role"),
		Hint: "name an aws connection with keys in aws_conn_id, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE",
	}
	if !imds {
		e.Kind, e.Err = airhook.ErrUnreachable, errors.New("no AWS credentials found: their source (metadata service, container, credential_process, STS) did not answer in time")
	}
	return e
}
