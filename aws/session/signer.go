package session

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials/ec2rolecreds"
	"github.com/aws/aws-sdk-go-v2/credentials/ssocreds"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/airhook-go/airhook"
)

// signedError is a failed call with the key that signed it: AWS's answer doesn't repeat it.
type signedError struct {
	key, from string
	err       error
}

func (s *signedError) Error() string { return s.err.Error() }
func (s *signedError) Unwrap() error { return s.err }

// signer notes which key signs the calls of one Config, and where that comes from.
type signer struct{ from string }

// to adds it to the calls of a client.
func (s *signer) to(stack *middleware.Stack) error {
	return stack.Deserialize.Add(middleware.DeserializeMiddlewareFunc("airhookSigner", func(ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler) (middleware.DeserializeOutput, middleware.Metadata, error) {
		out, metadata, err := next.HandleDeserialize(ctx, in)
		if request, ok := in.Request.(*smithyhttp.Request); ok && err != nil {
			answer, _ := out.RawResponse.(*smithyhttp.Response)
			err = withoutBearer(err, request.Header, answer)
			if key := signingKey(request.Header.Get("Authorization")); key != "" {
				err = &signedError{key, s.from, err}
			}
		}
		return out, metadata, err
	}), middleware.Before)
}

// signingKey reads the access key id of a signature: Credential=KEY/date/region/service/aws4_request (AWS Signature
// Version 4). Whoever swapped id and secret has the secret there.
func signingKey(authorization string) string {
	_, credential, _ := strings.Cut(authorization, "Credential=")
	credential, _, _ = strings.Cut(credential, ",")
	parts := strings.Split(credential, "/")
	if len(parts) < 5 {
		return ""
	}
	return strings.Join(parts[:len(parts)-4], "/")
}

// signedWith ends an error's text that AWS's doubt about a key explains: which key, and where it comes from.
func signedWith(err error) string {
	var s *signedError
	switch {
	case !errors.As(err, &s):
		return ""
	case len(s.key) > 128 || strings.Trim(s.key, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") != "":
		return "; the key is from " + s.from + ", and no access key id looks like it"
	}
	return fmt.Sprintf("; the key is %s, from %s", s.key, s.from)
}

// from says where the keys come from that sign before a role is assumed.
func (s *Session) from(set settings, env config.EnvConfig, end string) string {
	base := *s
	base.RoleARN = ""
	kind := s.kind
	switch asked := first(set.profile, env.SharedConfigProfile); {
	case !s.outside || kind == "EnvConfig" || kind == "EC2Role" || kind == "CredentialsEndpoint" || asked == "":
	case end != "" && end != asked:
		return fmt.Sprintf("AWS profile %q, the source_profile of %q", end, asked)
	case set.profile == "":
		return fmt.Sprintf("AWS profile %q (AWS_PROFILE)", asked)
	}
	return base.origin()
}

// signs lets the failures of calls name where the session's keys come from: those of a role sign otherwise than those
// that asked for it.
func (s *Session) signs() {
	one := &s.at.signer
	if s.RoleARN != "" {
		one = &signer{s.origin()}
	}
	s.Config.APIOptions = []func(*middleware.Stack) error{one.to} // as load sets them
}

// origin is Source for an error's text, where a connection that nobody defined explains nothing.
func (s *Session) origin() string {
	one := *s
	if s.ID == "" {
		one.why = ""
	}
	return one.Source(aws.Credentials{Source: s.kind})
}

// kindOf is what Credentials.Source of a provider's keys begins with.
func kindOf(p aws.CredentialsProvider, env bool) string {
	switch is := func(of aws.CredentialsProvider) bool { return aws.IsCredentialsProvider(p, of) }; {
	case env:
		return "EnvConfig"
	case isContainer(p):
		return "CredentialsEndpoint"
	case is((*ec2rolecreds.Provider)(nil)):
		return "EC2Role"
	case isProcess(p):
		return "Process"
	case is((*ssocreds.Provider)(nil)):
		return "SSO"
	case is((*stscreds.WebIdentityRoleProvider)(nil)):
		return "WebIdentity"
	}
	return "SharedConfig"
}

// told says of keys that can't be had whose they are, which the SDK's errors don't.
type told struct {
	aws.CredentialsProvider
	profile config.SharedConfig
	process *process // nil: none
}

// Retrieve is the provider's.
func (t told) Retrieve(ctx context.Context) (aws.Credentials, error) {
	if t.process != nil {
		defer t.process.attend(ctx)()
	}
	creds, err := t.CredentialsProvider.Retrieve(ctx)
	for errors.Is(err, errAbandoned) && ctx.Done() != nil && ctx.Err() == nil {
		creds, err = t.CredentialsProvider.Retrieve(ctx)
	}
	var known *airhook.Error
	if err == nil || errors.As(err, &known) {
		return creds, err
	}
	if e := processFailure(err, t.profile.Profile); e != nil {
		return creds, e
	}
	if e := centerFailure(err, t.profile); e != nil {
		return creds, e
	}
	return creds, err
}

// IsCredentialsProvider looks through, as the SDK's cache does.
func (t told) IsCredentialsProvider(target aws.CredentialsProvider) bool {
	return aws.IsCredentialsProvider(t.CredentialsProvider, target)
}
