package session

import (
	"errors"
	"fmt"
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

// withoutToken keeps of an answer that repeats a web identity token only the code and the time: the token logs in whoever
// has it.
func withoutToken(err error, token, file string) error {
	if !echoes(err.Error(), token) {
		return err
	}
	quiet := &smithy.GenericAPIError{Code: "UnknownError", Message: fmt.Sprintf("STS's answer repeats the web identity token in %s, so it is not shown", file)}
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
