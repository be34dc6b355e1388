package airhook

import (
	"context"
	"strings"
	"time"
)

// Credential is what opens one session: a user and a password or token. Credentials live in memory only.
type Credential struct {
	// User is the startup user; it may differ from the target's, as in "IAM:app".
	User string
	// Password is the password or token.
	Password Secret
	// Expires is when the credential stops opening sessions, the end of the signing keys included; zero means never.
	// An open session outlives it.
	Expires time.Time
	// Principal names who signed: an ARN or an access key id; empty for a password.
	Principal string
}

// Login gets a fresh credential for a target. It asks every time; the Client caches. It obeys ctx and is safe for
// concurrent use. Its errors are *Error with a kind, and hold no secret.
type Login func(ctx context.Context, t Target) (Credential, error)

// Identity is who AWS says that a target's login is.
type Identity struct {
	// Source says where the AWS credentials come from: `connection "my_aws"`, "default chain", …
	Source string `json:"source"`
	// ARN is STS's answer; empty when it could not be asked.
	ARN string `json:"arn"`
	// RoleARN is the role that is assumed on the way; empty when none is.
	RoleARN string `json:"-"`
}

// DatabaseUser is the user that Redshift makes of the identity: IAM:name of a user, IAMR:name of a role; "" when the ARN
// doesn't tell (Amazon Redshift API Reference, "GetClusterCredentialsWithIAM").
func (i Identity) DatabaseUser() string {
	_, name, _ := strings.Cut(i.ARN, "/")
	switch {
	case strings.Contains(i.ARN, ":user/"):
		return "IAM:" + name[strings.LastIndexByte(name, '/')+1:] // a user may have a path
	case strings.Contains(i.ARN, ":assumed-role/"):
		role, _, _ := strings.Cut(name, "/")
		return "IAMR:" + role
	}
	return ""
}
