package session

import (
	"errors"
	"net/http"
	"strings"

	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// echoed is how much of a token an answer may hold by chance.
const echoed = 16

// echoes reports whether a text holds a token or a long part of it.
func echoes(text, token string) bool {
	size := min(echoed, len(token))
	for i := 0; size > 0 && i+size <= len(token); i++ {
		if strings.Contains(text, token[i:i+size]) {
			return true
		}
	}
	return false
}

// withoutToken keeps of an answer that repeats a token only the code and the time: the token logs in whoever has it. what
// names it.
func withoutToken(err error, token, what string) error {
	if !echoes(err.Error(), token) {
		return err
	}
	quiet := &smithy.GenericAPIError{Code: "UnknownError", Message: "the answer repeats " + what + ", so it is not shown"}
	var api smithy.APIError
	if errors.As(err, &api) && !echoes(api.ErrorCode(), token) {
		quiet.Code, quiet.Fault = api.ErrorCode(), api.ErrorFault()
	}
	var answer *smithyhttp.ResponseError
	if errors.As(err, &answer) {
		return &smithyhttp.ResponseError{Response: answer.Response, Err: quiet}
	}
	return quiet
}

// withoutBearer keeps the tokens of a request's headers out of what is said about its answer; nil is no answer.
func withoutBearer(err error, header http.Header, answer *smithyhttp.Response) error {
	for _, one := range [][2]string{
		{"X-Amz-Security-Token", "the session token"}, {"X-Amz-Sso_bearer_token", "the access token of IAM Identity Center"}, {"Authorization", "the authorization token"},
	} {
		token := header.Get(one[0])
		if strings.HasPrefix(token, "AWS4-") || !echoes(err.Error(), token) { // a signature opens nothing else, and AWS repeats parts of it
			continue
		}
		if err = withoutToken(err, token, one[1]); answer != nil { // the status decides what is tried again
			err = &smithyhttp.ResponseError{Response: answer, Err: err}
		}
	}
	return err
}
