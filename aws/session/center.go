package session

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials/ssocreds"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/airhook-go/airhook"
)

// centerFailure says what is wrong with a login of IAM Identity Center: aws sso login makes it, and its file is read here.
func centerFailure(err error, profile config.SharedConfig) *airhook.Error {
	var token *ssocreds.InvalidTokenError
	// Of a profile with sso_session the SDK's errors have no type.
	inFile := errors.As(err, &token) || strings.Contains(err.Error(), "cached SSO token")
	var api smithy.APIError
	answered := errors.As(err, &api)
	var send *smithyhttp.RequestSendError
	e := &airhook.Error{Stage: airhook.StageCredential, Kind: airhook.ErrTokenExpired, Hint: "log in with: aws sso login --profile " + word(profile.Profile)}
	what := ""
	switch {
	case !inFile && !asked(err, "SSO", "SSO OIDC") || errors.As(err, &send) || answered && api.ErrorFault() == smithy.FaultServer:
		return nil
	case inFile && errors.Is(err, fs.ErrNotExist):
		what = "nobody has logged in to IAM Identity Center"
	case inFile || answered && api.ErrorCode() == "UnauthorizedException":
		what = "the login of IAM Identity Center has run out"
	case answered && (api.ErrorCode() == "ForbiddenException" || api.ErrorCode() == "ResourceNotFoundException"):
		e.Kind = airhook.ErrAccessDenied
		what = fmt.Sprintf("access denied: IAM Identity Center doesn't give whoever has logged in the permission set %q in account %s", profile.SSORoleName, profile.SSOAccountID)
		e.Hint = "correct sso_role_name and sso_account_id of the profile, or ask whoever assigns permission sets"
	default:
		return nil
	}
	e.Err = fmt.Errorf("get AWS credentials: %s (AWS profile %q)", what, profile.Profile)
	return e
}

// word is a name as a shell takes it.
func word(name string) string {
	if name == "" || strings.ContainsFunc(name, func(c rune) bool { return !sessionRune(c) }) {
		return "'" + strings.ReplaceAll(name, "'", `'\''`) + "'"
	}
	return name
}
