package iam

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/airhook-go/airhook"
	"github.com/airhook-go/airhook/airhooktest"
	"github.com/airhook-go/airhook/aws/session"
)

func TestEveryLoginKeepsTheContract(t *testing.T) {
	f := newFake(t)
	l := logins(t, f.URL)
	for _, c := range []airhook.Connection{rdsConn(t), redshiftConn(t), serverlessConn(t)} {
		target := resolved(t, l, c)
		t.Run(target.Method, func(t *testing.T) {
			airhooktest.LoginContract(t, l.Logins()[target.Method], target)
		})
	}
}

func TestGetClusterCredentialsIsAskedForWhatTheTargetSays(t *testing.T) {
	f := newFake(t)
	l := logins(t, f.URL)
	target := resolved(t, l, redshiftConn(t))
	target.Duration = 30 * time.Minute
	cred, err := l.redshift(t.Context(), target)
	if err != nil {
		t.Fatal(err)
	}
	want := url.Values{
		"Action": {"GetClusterCredentials"}, "Version": {"2012-12-01"}, "ClusterIdentifier": {"my-cluster"}, "DbUser": {"app"}, "DbName": {"dev"},
		"AutoCreate": {"true"}, "DbGroups.DbGroup.1": {"etl"}, "DbGroups.DbGroup.2": {"ops"}, "DurationSeconds": {"1800"},
	}
	call := f.seen("GetClusterCredentials")[0]
	if diff := cmp.Diff(want, call.form); diff != "" {
		t.Error(diff)
	}
	if !strings.Contains(call.scope, "AKIDEXAMPLE/") || !strings.Contains(call.scope, "/us-east-1/redshift/aws4_request") {
		t.Errorf("signed as %s", call.scope)
	}
	checkTemporary(t, f, cred, "IAM:app")
}

func TestGetCredentialsIsAskedForWhatTheTargetSays(t *testing.T) {
	f := newFake(t)
	l := logins(t, f.URL)
	cred, err := l.serverless(t.Context(), resolved(t, l, serverlessConn(t)))
	if err != nil {
		t.Fatal(err)
	}
	call := f.seen("GetCredentials")[0]
	if want := `{"dbName":"dev","durationSeconds":1800,"workgroupName":"my-workgroup"}`; call.json != want {
		t.Errorf("asked %s, want %s", call.json, want)
	}
	if !strings.Contains(call.scope, "/us-east-1/redshift-serverless/aws4_request") {
		t.Errorf("signed as %s", call.scope)
	}
	checkTemporary(t, f, cred, "IAM:alice")
}

// TestTheIdentityItselfIsAskedForWithoutAUser: nothing says which user, group or creation then.
func TestTheIdentityItselfIsAskedForWithoutAUser(t *testing.T) {
	for name, change := range map[string]func(*airhook.Connection){
		"no user": func(c *airhook.Connection) { c.Login = "" },
		"group federation": func(c *airhook.Connection) {
			c.Extra, _ = airhook.ParseExtra(strings.Replace(c.Extra.Reveal(), "{", `{"group_federation": true, `, 1))
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			l := logins(t, f.URL)
			c := redshiftConn(t)
			change(&c)
			target := resolved(t, l, c)
			target.Duration = time.Hour
			cred, err := l.redshift(t.Context(), target)
			if err != nil {
				t.Fatal(err)
			}
			want := url.Values{"Action": {"GetClusterCredentialsWithIAM"}, "Version": {"2012-12-01"}, "ClusterIdentifier": {"my-cluster"}, "DbName": {"dev"}, "DurationSeconds": {"3600"}}
			if diff := cmp.Diff(want, f.seen("GetClusterCredentialsWithIAM")[0].form); diff != "" {
				t.Error(diff)
			}
			checkTemporary(t, f, cred, "IAMR:etl")
		})
	}
}

// TestARoleOfTheExtraSigns: also without iam, as Astronomer's guide prints it.
func TestARoleOfTheExtraSigns(t *testing.T) {
	f := newFake(t)
	t.Setenv("AWS_ENDPOINT_URL", f.URL)
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIDENV")
	t.Setenv("AWS_SECRET_ACCESS_KEY", canary)
	l := New(&session.Resolver{Registry: airhooktest.Registry()})
	c := conn(t, "red", "redshift", "my-cluster.xyz.us-east-1.redshift.amazonaws.com", `{"role_arn": "`+roleARN+`", "region_name": "us-east-1"}`)
	c.Login = ""
	target := resolved(t, l, c)
	cred, err := l.redshift(t.Context(), target)
	if err != nil || cred.User != "IAMR:etl" || cred.Principal != "ASIAROLE" {
		t.Fatalf("got %s signed by %s, %v", cred.User, cred.Principal, err)
	}
	if asked := f.seen("AssumeRole"); len(asked) != 1 || !strings.Contains(asked[0].scope, "AKIDENV/") || asked[0].form.Get("RoleArn") != roleARN {
		t.Errorf("STS was asked %v", asked)
	}
	if who, err := l.Identify(t.Context(), target); err != nil || who.ARN != roleSession {
		t.Errorf("got %+v, %v", who, err)
	}
}

func checkTemporary(t *testing.T, f *fakeAWS, cred airhook.Credential, user string) {
	t.Helper()
	if cred.User != user || cred.Password.Reveal() != canary+"-db" || !cred.Expires.Equal(f.expires) || cred.Principal != "AKIDEXAMPLE" {
		t.Errorf("got user %s, expiry %v, principal %s; want %s, %v", cred.User, cred.Expires, cred.Principal, user, f.expires)
	}
}

func TestRegionIsFoundInOrder(t *testing.T) {
	const endpoint = "mydb.xyz.us-east-1.rds.amazonaws.com"
	for _, c := range []struct{ name, host, extra, awsExtra, env, want, wantFrom string }{
		{"the extra first", endpoint, `{"iam": true, "aws_conn_id": "my_aws", "region_name": "eu-west-1"}`, `{"region_name": "eu-west-2"}`, "eu-west-3", "eu-west-1", "extra region_name"},
		{"then the aws connection", endpoint, `{"iam": true, "aws_conn_id": "my_aws"}`, `{"region_name": "eu-west-2"}`, "eu-west-3", "eu-west-2", `connection "my_aws"`},
		{"then the endpoint's name", endpoint, `{"iam": true, "aws_conn_id": "my_aws"}`, ``, "eu-west-3", "us-east-1", "endpoint name"},
		{"then the environment", "db.example.com", `{"iam": true, "aws_conn_id": "my_aws"}`, ``, "eu-west-3", "eu-west-3", "environment AWS_REGION or AWS_DEFAULT_REGION"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Setenv("AWS_REGION", c.env)
			l := New(&session.Resolver{Registry: airhooktest.Registry(conn(t, "my_aws", "aws", "", c.awsExtra))})
			target := resolved(t, l, conn(t, "db", "postgres", c.host, c.extra))
			if target.Region != c.want || target.RegionFrom != c.wantFrom {
				t.Errorf("got %s from %s, want %s from %s", target.Region, target.RegionFrom, c.want, c.wantFrom)
			}
			warned := strings.Contains(strings.Join(target.Warnings, "\n"), "the endpoint's name says region")
			if warned != (c.host == endpoint && c.want != "us-east-1") {
				t.Errorf("warnings %q", target.Warnings)
			}
		})
	}
}

func TestWhatCannotWorkIsSaidBeforeTheLogin(t *testing.T) {
	l := logins(t, "http://127.0.0.1:1")
	for _, c := range []struct {
		name string
		conn airhook.Connection
		kind error
		want string
	}{
		{"no region", conn(t, "db", "postgres", "db.example.com", `{"iam": true, "aws_conn_id": "my_aws"}`), airhook.ErrInvalid, "no region is known"},
		{"a region that is a host", conn(t, "db", "postgres", "db.example.com", `{"iam": true, "aws_conn_id": "my_aws", "region_name": "x.evil.com/"}`), airhook.ErrInvalid, "is no region's name"},
		{"an undefined aws connection", conn(t, "db", "postgres", "db.example.com", `{"iam": true, "aws_conn_id": "my_awz"}`), airhook.ErrNotFound, `aws connection "my_awz", which aws_conn_id of connection "db" names`},
		{"an aws connection that is a database", conn(t, "db", "postgres", "db.example.com", `{"iam": true, "aws_conn_id": "other"}`), airhook.ErrInvalid, `its type is "postgres"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			target, err := c.conn.Target()
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(c.want, "type is") {
				l = New(&session.Resolver{Registry: airhooktest.Registry(conn(t, "other", "postgres", "h", ""))})
			}
			_, err = l.Resolve(t.Context(), target)
			var e *airhook.Error
			if !errors.As(err, &e) || !errors.Is(err, c.kind) || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("got %v, want %v with %q", err, c.kind, c.want)
			}
			if e.ID != "db" || e.Stage != airhook.StageEndpoint || e.Hint == "" {
				t.Errorf("id %q, stage %q, hint %q", e.ID, e.Stage, e.Hint)
			}
		})
	}
}

func TestAPasswordNeedsNoAWS(t *testing.T) {
	l := New(&session.Resolver{Registry: airhooktest.Registry()})
	target := resolved(t, l, conn(t, "db", "postgres", "mydb.xyz.us-east-1.rds.amazonaws.com", `{"aws_conn_id": "nowhere"}`))
	if target.Region != "us-east-1" || target.RegionFrom != "endpoint name" || target.Principal != "" {
		t.Errorf("got %s from %s, principal %q", target.Region, target.RegionFrom, target.Principal)
	}
}

// TestNeverAnotherIdentity: who asks for what airhook doesn't do loads and resolves, and nothing signs or is asked.
func TestNeverAnotherIdentity(t *testing.T) {
	f := newFake(t)
	t.Setenv("AWS_ENDPOINT_URL", f.URL)
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIDENV") // what a wrong turn would sign with
	t.Setenv("AWS_SECRET_ACCESS_KEY", canary)
	saml := conn(t, "saml", "aws", "", `{"role_arn": "`+roleARN+`", "assume_role_method": "assume_role_with_saml"}`)
	old := conn(t, "old", "aws", "", `{"aws_account_id": "123456789012", "aws_iam_role": "etl"}`)
	l := New(&session.Resolver{Registry: airhooktest.Registry(saml, old)})
	const cluster = "my-cluster.xyz.us-east-1.redshift.amazonaws.com"
	for _, c := range []struct {
		conn airhook.Connection
		want string
	}{
		{conn(t, "a", "redshift", cluster, `{"iam": true, "aws_conn_id": "saml"}`), "SAML"},
		{conn(t, "b", "redshift", cluster, `{"iam": true, "aws_conn_id": "old"}`), "aws_iam_role"},
		{conn(t, "c", "redshift", "", `{"iam": true, "aws_conn_id": "saml", "cluster_identifier": "c", "region": "us-east-1"}`), "SAML"},
		{conn(t, "d", "postgres", "db.xyz.us-east-1.rds.amazonaws.com", `{"iam": true, "aws_conn_id": "saml"}`), "SAML"},
		{conn(t, "e", "redshift", "w.123456789012.us-east-1.redshift-serverless.amazonaws.com", `{"iam": true, "aws_conn_id": "old"}`), "aws_iam_role"},
	} {
		target, err := c.conn.Target()
		if err != nil {
			t.Fatal(err)
		}
		if target, err = l.Resolve(t.Context(), target); !strings.Contains(target.Refused, c.want) {
			t.Errorf("%s: refused %q (%v), want %q", c.conn.ID, target.Refused, err, c.want)
		}
		target.Refused = "" // a caller that skips Resolve
		cred, err := l.Logins()[target.Method](t.Context(), target)
		var e *airhook.Error
		if !errors.As(err, &e) || !errors.Is(err, airhook.ErrInvalid) || !strings.Contains(err.Error(), c.want) || e.Hint == "" || cred != (airhook.Credential{}) {
			t.Errorf("%s: login gives %v, want invalid with %q", c.conn.ID, err, c.want)
		}
		if who, err := l.Identify(t.Context(), target); err != nil || who.ARN != "" || who.Source == "" {
			t.Errorf("%s: identity %+v, %v; want only a source", c.conn.ID, who, err)
		}
	}
	if len(f.calls) != 0 {
		t.Errorf("AWS was asked %d times", len(f.calls))
	}
}

// TestAnotherProfileSignsForWhatIsOpenedNext: two connections that mean the same share a token only while the AWS files
// stay as they are.
func TestAnotherProfileSignsForWhatIsOpenedNext(t *testing.T) {
	file := filepath.Join(t.TempDir(), "credentials")
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", file)
	db := conn(t, "a", "postgres", "mydb.xyz.us-east-1.rds.amazonaws.com", `{"iam": true}`)
	conns := []airhook.Connection{db, db, db}
	conns[1].ID, conns[2].ID = "b", "c"
	l := New(&session.Resolver{Registry: airhooktest.Registry()})
	client, err := airhook.New(airhook.Config{Registry: airhooktest.Registry(conns...), Logins: l.Logins(), Resolve: l.Resolve})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	for i, signer := range []string{"AKIDALICE", "AKIDBOB", "AKIDCAROLINE"} {
		text := "[default]\naws_access_key_id = " + signer + "\naws_secret_access_key = " + canary + "\n"
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		cred, err := client.Credential(t.Context(), conns[i].ID)
		if err != nil || cred.Principal != signer {
			t.Errorf("connection %s is signed for by %s (%v), want %s", conns[i].ID, cred.Principal, err, signer)
		}
	}
}

func TestIdentifyAsksOnce(t *testing.T) {
	f := newFake(t)
	l := logins(t, f.URL)
	target := resolved(t, l, rdsConn(t))
	for range 3 {
		who, err := l.Identify(t.Context(), target)
		if want := (airhook.Identity{Source: `connection "my_aws"`, ARN: callerARN}); err != nil || who != want {
			t.Fatalf("got %+v, %v; want %+v", who, err, want)
		}
	}
	if n := len(f.seen("GetCallerIdentity")); n != 1 {
		t.Errorf("STS was asked %d times", n)
	}
}

func TestIdentifyDoesNotWaitForLong(t *testing.T) {
	f := newFake(t)
	release := make(chan struct{})
	f.hook = func(http.ResponseWriter, string) bool { <-release; return true }
	t.Cleanup(func() { close(release) })
	l := logins(t, f.URL)
	target := resolved(t, l, rdsConn(t))
	started := time.Now()
	who, err := l.Identify(t.Context(), target)
	if took := time.Since(started); took > identifyTimeout+time.Second {
		t.Errorf("it took %s", took)
	}
	if !errors.Is(err, airhook.ErrUnreachable) || who.Source != `connection "my_aws"` {
		t.Errorf("got %+v, %v; want the source and unreachable", who, err)
	}
}

func TestServiceEndpoints(t *testing.T) {
	one, other := newFake(t), newFake(t)
	t.Setenv("AWS_ENDPOINT_URL", one.URL)
	t.Setenv("AWS_ENDPOINT_URL_REDSHIFT_SERVERLESS", other.URL)
	aws := conn(t, "my_aws", "aws", "", fmt.Sprintf(`{"service_config": {"redshift": {"endpoint_url": %q}}}`, other.URL))
	l := New(&session.Resolver{Registry: airhooktest.Registry(aws)})
	for _, c := range []airhook.Connection{redshiftConn(t), serverlessConn(t)} {
		target := resolved(t, l, c)
		if _, err := l.Logins()[target.Method](t.Context(), target); err != nil {
			t.Fatal(err)
		}
		if _, err := l.Identify(t.Context(), target); err != nil {
			t.Fatal(err)
		}
	}
	for name, got := range map[string]int{
		"sts at AWS_ENDPOINT_URL": len(one.seen("GetCallerIdentity")), "redshift at service_config": len(other.seen("GetClusterCredentials")),
		"serverless at its own variable": len(other.seen("GetCredentials")), "calls at AWS_ENDPOINT_URL": len(one.calls),
	} {
		if got != 1 {
			t.Errorf("%s: %d calls, want 1", name, got)
		}
	}
}

// TestKeysOfAContainerEndTheToken goes the default chain's way: the container endpoint gives keys that expire.
func TestKeysOfAContainerEndTheToken(t *testing.T) {
	expires := time.Now().Add(5 * time.Minute).UTC().Truncate(time.Second)
	container := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprintf(w, `{"AccessKeyId": "ASIACONTAINER", "SecretAccessKey": %q, "Token": %q, "Expiration": %q}`, canary, canaryTok, expires.Format(time.RFC3339))
	}))
	t.Cleanup(container.Close)
	t.Setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", container.URL)
	l := New(&session.Resolver{Registry: airhooktest.Registry()})
	cred, err := l.rds(t.Context(), resolved(t, l, conn(t, "db", "postgres", "mydb.xyz.us-east-1.rds.amazonaws.com", `{"iam": true}`)))
	if early := expires.Sub(cred.Expires); err != nil || early < 0 || early > time.Minute || cred.Principal != "ASIACONTAINER" {
		t.Errorf("got principal %s, expiry %v, %v; want %v", cred.Principal, cred.Expires, err, expires)
	}
}
