package session

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/airhook-go/airhook"
)

// TestADoubtedKeyIsNamed: which access key id signed, and where it comes from, for every way in which AWS doubts a key.
func TestADoubtedKeyIsNamed(t *testing.T) {
	f := newFake(t)
	const role = "arn:aws:iam::123456789012:role/r"
	for code, want := range map[string]string{
		"InvalidClientTokenId":  "access denied: AWS doesn't know the access key (InvalidClientTokenId); ",
		"SignatureDoesNotMatch": "access denied: the signature is wrong (SignatureDoesNotMatch); ",
		"ExpiredToken":          "the session token of the AWS credentials has expired; ",
	} {
		for _, c := range []struct {
			name, config, credentials string
			env                       map[string]string
			who                       Who
			login, want               string
		}{
			{"a connection", "", "", nil, Who{ConnID: "my_aws"}, "AKIDCONN", `the key is AKIDCONN, from connection "my_aws"`},
			{"environment", "", "", map[string]string{"AWS_ACCESS_KEY_ID": "AKIDENV", "AWS_SECRET_ACCESS_KEY": canary}, Who{ConnID: "aws_default"}, "", "the key is AKIDENV, from default chain (environment)\n"},
			{"a profile", "", "[dev]\naws_access_key_id = AKIDDEV\naws_secret_access_key = " + canary, nil, Who{Profile: "dev"}, "", `the key is AKIDDEV, from profile "dev"`},
			{"AWS_PROFILE", "", "[dev]\naws_access_key_id = AKIDDEV\naws_secret_access_key = " + canary, map[string]string{"AWS_PROFILE": "dev"}, Who{}, "", `the key is AKIDDEV, from AWS profile "dev" (AWS_PROFILE)`},
			{"the default profile", "", "[default]\naws_access_key_id = AKIDDEF\naws_secret_access_key = " + canary, nil, Who{}, "", `the key is AKIDDEF, from default chain (AWS config files)`},
			{"a source_profile", "[profile dev]\nrole_arn = " + role + "\nsource_profile = keys\n", "[keys]\naws_access_key_id = AKIDSRC\naws_secret_access_key = " + canary, nil, Who{Profile: "dev"}, "", `the key is AKIDSRC, from AWS profile "keys", the source_profile of "dev"`},
			{"a secret where the id belongs", "", "", nil, Who{ConnID: "my_aws"}, canary + "/ABC/x", `the key is from connection "my_aws", and no access key id looks like it`},
		} {
			t.Run(code+" "+c.name, func(t *testing.T) {
				awsFolder(t, c.config, c.credentials)
				setenv(t, map[string]string{"AWS_ENDPOINT_URL": f.URL, "AWS_REGION": "us-east-1", "AWS_MAX_ATTEMPTS": "1"})
				setenv(t, c.env)
				f.fail("AssumeRole "+role, code, "x")
				f.fail("GetCallerIdentity ", code, "x")
				r := resolver(awsConn(t, c.login, canary, ""))
				if c.login == "" {
					r = resolver()
				}
				s := openWho(t, r, c.who)
				onTop := c.who
				onTop.RoleARN = role
				_, failed := openWho(t, r, onTop).Credentials(t.Context())
				_, err := sts.NewFromConfig(s.Config).GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{})
				for what, err := range map[string]error{"a call": Failure(t.Context(), "ask", err), "a role": failed} {
					if !strings.Contains(err.Error()+"\n", want+c.want) || strings.Contains(fmt.Sprintf("%+v", err), canary) {
						t.Errorf("%s: got %v, want %q", what, err, want+c.want)
					}
				}
			})
		}
	}
}

// TestARolesKeyIsOfTheRole, which is not whoever assumed it.
func TestARolesKeyIsOfTheRole(t *testing.T) {
	f := newFake(t)
	f.fail("GetCallerIdentity ", "InvalidClientTokenId", "x")
	awsFolder(t, "[profile dev]\nrole_arn = "+roleA+"\nsource_profile = keys\n", "[keys]\naws_access_key_id = AKIDSRC\naws_secret_access_key = x")
	setenv(t, map[string]string{"AWS_ENDPOINT_URL": f.URL, "AWS_REGION": "us-east-1"})
	for _, c := range []struct {
		who  Who
		want string
	}{
		{Who{Profile: "dev"}, `from profile "dev", role ` + roleA}, {Who{Profile: "dev", RoleARN: roleB}, `from profile "dev", role ` + roleB},
	} {
		s := openWho(t, resolver(), c.who)
		_, err := sts.NewFromConfig(s.Config).GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{})
		if e := Failure(t.Context(), "ask", err); !strings.Contains(e.Error(), c.want) {
			t.Errorf("%+v: got %v, want %q", c.who, e, c.want)
		}
	}
}

func TestATokenFileWithoutATokenIsNamed(t *testing.T) {
	f := newFake(t)
	f.fail("AssumeRoleWithWebIdentity "+roleA, "InvalidIdentityToken", "The ID Token provided is not a valid JWT.")
	for text, want := range map[string]string{"not a token": "holds no JSON web token", "a.b.c": "AWS doesn't accept the web identity token"} {
		file := filepath.Join(t.TempDir(), "token")
		write(t, file, text)
		setenv(t, map[string]string{"AWS_ENDPOINT_URL": f.URL, "AWS_REGION": "us-east-1", "AWS_ROLE_ARN": roleA, "AWS_WEB_IDENTITY_TOKEN_FILE": file, "AWS_MAX_ATTEMPTS": "1"})
		_, err := mustOpen(t, resolver(), "").Credentials(t.Context())
		var e *airhook.Error
		if !errors.As(err, &e) || !strings.Contains(err.Error(), want) || strings.Contains(e.Hint, "identity provider") != (text == "a.b.c") {
			t.Errorf("%s: got %v, want %q", text, err, want)
		}
	}
}
