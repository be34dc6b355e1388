package iam

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/airhook-go/airhook"
	"github.com/airhook-go/airhook/airhooktest"
	"github.com/airhook-go/airhook/aws/session"
)

const redshiftHost = "my-cluster.xyz.us-east-1.redshift.amazonaws.com"

// awsFiles makes the AWS config file, and lets all of AWS be at the fake's.
func awsFiles(t *testing.T, f *fakeAWS, config string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "config")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("AWS_CONFIG_FILE", file)
	t.Setenv("AWS_ENDPOINT_URL", f.URL)
}

// TestTheTrustPolicyIsThatOfTheRoleWhoeverNamesIt: the aws connection, the database connection besides, a profile.
func TestTheTrustPolicyIsThatOfTheRoleWhoeverNamesIt(t *testing.T) {
	const external = `{"Effect":"Allow","Principal":{"AWS":"` + callerARN + `"},"Action":"sts:AssumeRole","Condition":{"StringEquals":{"sts:ExternalId":"x-7"}}}`
	const partner = "arn:aws:iam::999999999999:role/partner"
	const profiles = "[profile base]\naws_access_key_id = AKIDBASE\naws_secret_access_key = x\n[profile etl]\nrole_arn = " + partner + "\nsource_profile = base\nexternal_id = x-7\nregion = us-east-1\n"
	for name, c := range map[string]struct{ aws, db, want string }{
		"the connection's role, named twice": {
			`{"role_arn": "` + roleARN + `", "assume_role_kwargs": {"ExternalId": "x-7"}}`, `{"iam": true, "aws_conn_id": "my_aws", "role_arn": "` + roleARN + `"}`, external,
		},
		"a profile's role of another account": {"", `{"iam": true, "profile": "etl"}`, external},
		"a profile beside aws_default": {
			`{"role_arn": "` + roleARN + `", "assume_role_kwargs": {"ExternalId": "not-this"}}`, `{"iam": true, "aws_conn_id": "aws_default", "profile": "etl"}`, external,
		},
		"a role on top of a profile's": {
			"", `{"iam": true, "profile": "etl", "role_arn": "` + roleARN + `"}`, `{"Effect":"Allow","Principal":{"AWS":"` + partner + `"},"Action":"sts:AssumeRole"}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			awsFiles(t, f, profiles)
			registry := airhooktest.Registry()
			if c.aws != "" {
				registry = airhooktest.Registry(conn(t, "my_aws", "aws", "", c.aws), conn(t, "aws_default", "aws", "", c.aws))
			}
			n := needs(t, New(&session.Resolver{Registry: registry}), conn(t, "red", "redshift", redshiftHost, c.db))
			if got := trustOf(t, n); got != c.want {
				t.Errorf("got %s\nwant %s", got, c.want)
			}
		})
	}
}

func TestAProviderIsTrustedWhenTheRoleIsNamedTwice(t *testing.T) {
	f := newFake(t)
	t.Setenv("AWS_ENDPOINT_URL", f.URL)
	my := conn(t, "my_aws", "aws", "", `{"role_arn": "`+roleARN+`", "assume_role_method": "assume_role_with_web_identity", "assume_role_with_web_identity_federation": "file", "assume_role_with_web_identity_token_file": "/nonexistent/token"}`)
	my.Login, my.Password = "", airhook.Secret{}
	l := New(&session.Resolver{Registry: airhooktest.Registry(my)})
	once := needs(t, l, conn(t, "red", "redshift", redshiftHost, `{"iam": true, "aws_conn_id": "my_aws"}`))
	twice := needs(t, l, conn(t, "red", "redshift", redshiftHost, `{"iam": true, "aws_conn_id": "my_aws", "role_arn": "`+roleARN+`"}`))
	if got := trustOf(t, twice); got != trustOf(t, once) || !strings.Contains(got, "sts:AssumeRoleWithWebIdentity") {
		t.Errorf("got %s\nwant %s", got, trustOf(t, once))
	}
}

// TestASourceIdentityIsAPermissionOfItsOwn, as session tags are.
func TestASourceIdentityIsAPermissionOfItsOwn(t *testing.T) {
	f := newFake(t)
	t.Setenv("AWS_ENDPOINT_URL", f.URL)
	l := New(&session.Resolver{Registry: airhooktest.Registry(conn(t, "my_aws", "aws", "",
		`{"role_arn": "`+roleARN+`", "assume_role_kwargs": {"SourceIdentity": "alice", "Tags": [{"Key": "team", "Value": "data"}]}}`))})
	n := needs(t, l, conn(t, "red", "redshift", redshiftHost, `{"iam": true, "aws_conn_id": "my_aws"}`))
	if want := `{"Effect":"Allow","Principal":{"AWS":"` + callerARN + `"},"Action":["sts:AssumeRole","sts:TagSession","sts:SetSourceIdentity"]}`; trustOf(t, n) != want {
		t.Errorf("got %s\nwant %s", trustOf(t, n), want)
	}
	var asked []string
	for _, pair := range pairs(t, n.Permissions) {
		if pair[1] == roleARN {
			asked = append(asked, pair[0])
		}
	}
	if diff := cmp.Diff([]string{"sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"}, asked); diff != "" {
		t.Error(diff)
	}
}

// TestARoleThatSTSNamesMayHaveAPath: arn:aws:sts::…:assumed-role/name/session has lost it.
func TestARoleThatSTSNamesMayHaveAPath(t *testing.T) {
	const want = "if role etl has a path, as those of IAM Identity Center have, put it in: aws iam get-role --role-name etl --query Role.Arn"
	for name, c := range map[string]struct {
		keys, extra string
		noted       bool
	}{
		"the caller":     {"ASIAROLE", `{"iam": true, "aws_conn_id": "my_aws", "role_arn": "arn:aws:iam::999999999999:role/partner"}`, true},
		"a user's role":  {"AKIDEXAMPLE", `{"iam": true, "aws_conn_id": "my_aws", "role_arn": "` + roleARN + `"}`, false},
		"nobody's trust": {"AKIDEXAMPLE", `{"iam": true, "aws_conn_id": "my_aws"}`, false},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			t.Setenv("AWS_ENDPOINT_URL", f.URL)
			my := conn(t, "my_aws", "aws", "", `{"aws_session_token": "`+canaryTok+`"}`)
			my.Login = c.keys
			n := needs(t, New(&session.Resolver{Registry: airhooktest.Registry(my)}), conn(t, "red", "redshift", redshiftHost, c.extra))
			if notes := strings.Join(n.Notes, "\n"); strings.Contains(notes, want) != c.noted {
				t.Errorf("notes %q", n.Notes)
			}
		})
	}
}
