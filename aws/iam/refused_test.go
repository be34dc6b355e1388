package iam

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/airhook-go/airhook"
	"github.com/airhook-go/airhook/aws/session"
)

// pam is what a client sees of every refusal of RDS.
func pam() *airhook.Error {
	return &airhook.Error{
		ID: "db", Stage: airhook.StageLogin, Kind: airhook.ErrLogin, SQLState: "28000", Hint: "?",
		Err: errors.New(`the server refused "app" on database "dev": PAM authentication failed for user "app" (SQLSTATE 28000)`),
	}
}

func TestWhyRDSRefuses(t *testing.T) {
	const host, plain = "mydb.cluster-xyz.us-east-1.rds.amazonaws.com", `{"iam": true, "aws_conn_id": "my_aws"}`
	answer := func(change func(w http.ResponseWriter)) func(http.ResponseWriter, string) bool {
		return func(w http.ResponseWriter, op string) bool {
			if op == "GetCallerIdentity" {
				change(w)
			}
			return false
		}
	}
	refuse := func(status int, code string) func(http.ResponseWriter, string) bool {
		return func(w http.ResponseWriter, op string) bool {
			if op == "GetCallerIdentity" {
				w.WriteHeader(status)
				_, _ = fmt.Fprintf(w, `<ErrorResponse><Error><Code>%s</Code><Message>no</Message></Error></ErrorResponse>`, code)
			}
			return op == "GetCallerIdentity"
		}
	}
	off := func(by time.Duration) func(http.ResponseWriter, string) bool {
		return answer(func(w http.ResponseWriter) { w.Header().Set("Date", time.Now().Add(-by).UTC().Format(http.TimeFormat)) })
	}
	policies := "may not rds-db:connect as \"app\", or the database has no user \"app\" with rds_iam"
	for name, c := range map[string]struct {
		host, extra string
		port        int
		hook        func(http.ResponseWriter, string) bool
		knows       map[string]string
		kind        error
		why, do     string
		last        bool // the usual reasons are named too
	}{
		"nothing that can be checked is wrong": {host, plain, 0, nil, map[string]string{"DescribeDBClusters": oneDatabase}, airhook.ErrLogin, policies, "attach the policy, and run in the database: CREATE USER app; GRANT rds_iam TO app", false},
		"nobody may look":                      {host, plain, 0, nil, nil, airhook.ErrLogin, policies, "attach the policy, and run in the database: CREATE USER app; GRANT rds_iam TO app", false},
		"a clock ahead":                        {host, plain, 0, off(10 * time.Minute), nil, airhook.ErrLogin, "this machine's clock is 10m0s ahead of AWS's", "set the clock 10m0s back", false},
		"a clock behind":                       {host, plain, 0, off(-10 * time.Minute), nil, airhook.ErrLogin, "this machine's clock is 10m0s behind AWS's", "set the clock 10m0s forward", true},
		"a session token that has run out":     {host, plain, 0, refuse(403, "ExpiredToken"), nil, airhook.ErrTokenExpired, "the session token of the AWS credentials has expired", "renew the temporary keys", false},
		"keys that nobody knows":               {host, plain, 0, refuse(403, "InvalidClientTokenId"), nil, airhook.ErrAccessDenied, "AWS doesn't know the access key", "check the access key id", false},
		"STS on a bad day":                     {host, plain, 0, refuse(500, "InternalFailure"), nil, airhook.ErrLogin, policies, "AWS could not be asked", false},
		"another name":                         {"localhost", `{"iam": true, "aws_conn_id": "my_aws", "region_name": "us-east-1"}`, 0, nil, nil, airhook.ErrLogin, "the token is signed for localhost, which is no RDS endpoint", "set iam_host in the extra to the database's own endpoint, and iam_port to its port", true},
		"an address":                           {"127.0.0.1", `{"iam": true, "aws_conn_id": "my_aws", "region_name": "us-east-1"}`, 0, nil, nil, airhook.ErrLogin, "signed for 127.0.0.1, which is no RDS endpoint", "set iam_host", true},
		"another region":                       {host, `{"iam": true, "aws_conn_id": "my_aws", "region_name": "eu-west-1"}`, 0, nil, nil, airhook.ErrLogin, "signed for region eu-west-1 (extra region_name), and the endpoint is in us-east-1", "set region_name in the extra to us-east-1", false},
		"another port":                         {host, plain, 15432, nil, map[string]string{"DescribeDBClusters": oneDatabase}, airhook.ErrLogin, "signed for port 15432, and the database listens on 5432", "set iam_port in the extra to 5432", false},
		"IAM is off":                           {host, plain, 0, nil, map[string]string{"DescribeDBClusters": strings.Replace(oneDatabase, "true", "false", 1)}, airhook.ErrLogin, "IAM authentication is off", "switch it on", false},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			f.hook, f.knows = c.hook, c.knows
			l := logins(t, f.URL)
			db := conn(t, "db", "postgres", c.host, c.extra)
			db.Port = c.port
			e := pam()
			l.Refused(t.Context(), resolved(t, l, db), e)
			if !errors.Is(e, c.kind) || !strings.HasPrefix(e.Err.Error(), pam().Err.Error()+": ") || !strings.Contains(e.Err.Error(), c.why) || !strings.HasPrefix(e.Hint, c.do) && !strings.Contains(e.Hint, c.do) {
				t.Errorf("got %s: %v\nhint: %s\nwant %s, %s", airhook.KindOf(e), e, e.Hint, c.why, c.do)
			}
			if c.last != strings.Contains(e.Hint, "; or the AWS identity "+policies) {
				t.Errorf("hint %s", e.Hint)
			}
			if strings.HasSuffix(e.Hint, ".") || strings.Contains(e.Hint, canary) || strings.Contains(e.Error(), canaryTok) {
				t.Errorf("hint %s, %v", e.Hint, e)
			}
			if heals := c.last || strings.Contains(c.why, "may not rds-db:connect"); heals != (e.Policy != nil) {
				t.Errorf("policy %s: it heals %t", e.Policy, heals)
			}
			if signed := fmt.Sprintf("; the token was signed for %s:%d in ", c.host, cmp.Or(c.port, 5432)); !strings.Contains(e.Error(), signed) {
				t.Errorf("got %v, which doesn't say %q", e, signed)
			}
			if !strings.Contains(e.Resource, ":dbuser:") || e.Policy != nil && e.Resource != pairs(t, e.Policy)[0][1] {
				t.Errorf("resource %s, policy %s", e.Resource, e.Policy)
			}
			if known := c.kind == airhook.ErrLogin && name != "STS on a bad day"; known != (e.Principal == callerARN) {
				t.Errorf("principal %q", e.Principal)
			}
		})
	}
}

// A user without rds_iam is asked for a password, and no policy changes that.
func TestAPasswordIsAskedOfWhoLacksRDSIAM(t *testing.T) {
	for answer, want := range map[string]string{oneDatabase: `the database has no user "app" with rds_iam`, strings.Replace(oneDatabase, "true", "false", 1): "IAM authentication is off"} {
		f := newFake(t)
		f.knows = map[string]string{"DescribeDBClusters": answer}
		l := logins(t, f.URL)
		e := pam()
		e.SQLState = "28P01"
		l.Refused(t.Context(), resolved(t, l, rdsConn(t)), e)
		if !strings.Contains(e.Error(), want) || !strings.Contains(e.Hint, "run in the database: GRANT rds_iam TO app; where the user is missing, CREATE USER app before") || e.Policy != nil || strings.Contains(e.Error()+e.Hint, "rds-db:connect") {
			t.Errorf("got %v (%s), policy %s; want %s", e, e.Hint, e.Policy, want)
		}
	}
}

// A policy for another region than the endpoint's would let nobody in.
func TestTheRegionOfTheEndpointIsTheOneToSet(t *testing.T) {
	f := newFake(t)
	l := logins(t, f.URL)
	for id, c := range map[string]airhook.Connection{
		"red": conn(t, "red", "redshift", "my-cluster.xyz.us-east-1.redshift.amazonaws.com", `{"iam": true, "aws_conn_id": "my_aws", "region": "eu-west-1"}`),
		"srv": conn(t, "srv", "redshift", "my-workgroup.123456789012.us-east-1.redshift-serverless.amazonaws.com", `{"iam": true, "is_serverless": true, "aws_conn_id": "my_aws", "region": "eu-west-1"}`),
	} {
		for _, code := range []string{"ClusterNotFound", "ResourceNotFoundException", "AccessDenied"} {
			f.fail(http.StatusForbidden, code, "no")
			e := login(t, l, c)
			if e.Hint != "set region in the extra to us-east-1" || !strings.Contains(e.Error(), "AWS is asked in region eu-west-1 (extra region), and the endpoint is in us-east-1") || strings.Contains(string(e.Policy), "eu-west-1") {
				t.Errorf("%s, %s: got %v (%s), policy %s", id, code, e, e.Hint, e.Policy)
			}
		}
		if n := needs(t, l, c); !strings.Contains(string(n.Permissions), ":us-east-1:") || strings.Contains(string(n.Permissions), "eu-west-1") || !strings.Contains(strings.Join(n.Notes, "\n"), "set region in the extra to us-east-1") {
			t.Errorf("%s: %s, notes %q", id, n.Permissions, n.Notes)
		}
	}
}

// TestAPasswordThatCameExpired is no unknown user's; a clock that is ahead is told once, by how much.
func TestAPasswordThatCameExpired(t *testing.T) {
	for name, c := range map[string]struct {
		expires time.Duration
		ahead   time.Duration
		kind    error
		why     string
		logged  bool
	}{
		"by AWS's clock":  {-3 * time.Second, 0, airhook.ErrTokenExpired, "the password that AWS gave ran out at ", false},
		"by our own only": {-5 * time.Minute, 20 * time.Minute, airhook.ErrLogin, "this machine's clock is 20m0s ahead of AWS's", true},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			f.expires = time.Now().Add(c.expires).UTC()
			f.hook = func(w http.ResponseWriter, _ string) bool {
				w.Header().Set("Date", time.Now().Add(-c.ahead).UTC().Format(http.TimeFormat))
				return false
			}
			l := logins(t, f.URL)
			var log strings.Builder
			l.Logger = slog.New(slog.NewTextHandler(&log, nil))
			target := resolved(t, l, redshiftConn(t))
			for range 3 {
				if _, err := l.redshift(t.Context(), target); err != nil {
					t.Fatal(err)
				}
			}
			e := &airhook.Error{ID: "red", Stage: airhook.StageLogin, Kind: airhook.ErrLogin, SQLState: "28P01", Err: errors.New("password authentication failed")}
			l.Refused(t.Context(), target, e)
			if !errors.Is(e.Kind, c.kind) || !strings.Contains(e.Error(), c.why) || (c.kind == airhook.ErrLogin) != strings.Contains(e.Hint, "does not know the user") {
				t.Errorf("got %s: %v (%s)", airhook.KindOf(e), e, e.Hint)
			}
			if told := strings.Count(log.String(), "this machine's clock is 20m0s ahead of AWS's"); told == 1 != c.logged || told > 1 {
				t.Errorf("log: %s", log.String())
			}
			f.expires = time.Now().Add(time.Hour).UTC()
			if _, err := l.redshift(t.Context(), target); err != nil {
				t.Fatal(err)
			}
			if _, ran := l.ranOut(mustOpen(t, l, target), target); ran {
				t.Error("a good one is remembered as expired")
			}
		})
	}
}

// TestAPasswordThatRanOutOnTheWay was good when it came.
func TestAPasswordThatRanOutOnTheWay(t *testing.T) {
	f := newFake(t)
	f.expires = time.Now().Add(50 * time.Millisecond).UTC()
	l := logins(t, f.URL)
	target := resolved(t, l, redshiftConn(t))
	if _, err := l.redshift(t.Context(), target); err != nil {
		t.Fatal(err)
	}
	<-time.After(time.Until(f.expires) + 10*time.Millisecond)
	e := &airhook.Error{ID: "red", Stage: airhook.StageLogin, Kind: airhook.ErrLogin, SQLState: "28P01", Err: errors.New("password authentication failed")}
	l.Refused(t.Context(), target, e)
	if !errors.Is(e.Kind, airhook.ErrTokenExpired) || !strings.Contains(e.Error(), "ran out at") || strings.Contains(e.Hint, "CREATE USER") {
		t.Errorf("got %s: %v (%s)", airhook.KindOf(e), e, e.Hint)
	}
}

func mustOpen(t *testing.T, l *Logins, target airhook.Target) *session.Session {
	t.Helper()
	s, err := l.open(t.Context(), target)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// What stands in a name by mistake is told neither in the reason nor in the policy.
func TestASecretInANameIsNotTold(t *testing.T) {
	f := newFake(t)
	l := logins(t, f.URL)
	for _, db := range []airhook.Connection{rdsConn(t), conn(t, "red", "redshift", "my-cluster.xyz.us-east-1.redshift.amazonaws.com", `{"iam": true, "aws_conn_id": "my_aws"}`)} {
		db.Login, db.Schema = "u:hunter2@h", "d?password=hunter2"
		e := pam()
		e.Err = errors.New("the server refused")
		l.Refused(t.Context(), resolved(t, l, db), e)
		if all := fmt.Sprint(e, e.Hint, e.Resource, string(e.Policy)); strings.Contains(all, "hunter2") || !strings.Contains(e.Hint, "***@h") {
			t.Errorf("got %s", all)
		}
	}
}

func TestALoginSpelledAnotherWay(t *testing.T) {
	f := newFake(t)
	l := logins(t, f.URL)
	db := rdsConn(t)
	db.Login = "App"
	e := pam()
	l.Refused(t.Context(), resolved(t, l, db), e)
	if !strings.Contains(e.Error(), `the login "App" has upper-case letters`) || !strings.Contains(e.Hint, `CREATE USER "App"; GRANT rds_iam TO "App"`) {
		t.Errorf("got %v (%s)", e, e.Hint)
	}
}

func TestWhatTheServerToldIsLeftAsItIs(t *testing.T) {
	f := newFake(t)
	l := logins(t, f.URL)
	for text, e := range map[string]*airhook.Error{
		"another SQLSTATE":   {Kind: airhook.ErrLogin, Stage: airhook.StageLogin, SQLState: "3D000", Err: errors.New("no such database"), Hint: "said"},
		"TLS":                {Kind: airhook.ErrLogin, Stage: airhook.StageLogin, SQLState: "28000", Err: errors.New(`no pg_hba.conf entry for host "1.2.3.4", SSL off`), Hint: "said"},
		"RDS can't be asked": {Kind: airhook.ErrUnreachable, Stage: airhook.StageTCP, Err: errors.New("connection refused"), Hint: "said"},
		"another kind":       {Kind: airhook.ErrTLS, Stage: airhook.StageTLS, Err: errors.New("bad certificate"), Hint: "said"},
	} {
		was := e.Error()
		l.Refused(t.Context(), resolved(t, l, rdsConn(t)), e)
		if e.Error() != was || e.Hint != "said" || (e.Principal == callerARN) != (e.SQLState == "28000") {
			t.Errorf("%s: %v (%s) of %s", text, e, e.Hint, e.Principal)
		}
	}
}

func TestWhyRedshiftRefuses(t *testing.T) {
	refused := func(text string) *airhook.Error {
		return &airhook.Error{ID: "red", Stage: airhook.StageLogin, Kind: airhook.ErrLogin, SQLState: "28000", Hint: "?", Err: errors.New(text)}
	}
	edit := func(c airhook.Connection, login, extra string) airhook.Connection {
		c.Login = login
		c.Extra, _ = airhook.ParseExtra(strings.Replace(c.Extra.Reveal(), "{", "{"+extra, 1))
		return c
	}
	plain := conn(t, "red", "redshift", "my-cluster.xyz.us-east-1.redshift.amazonaws.com", `{"iam": true, "aws_conn_id": "my_aws"}`)
	for name, c := range map[string]struct {
		conn    airhook.Connection
		text    string
		kind    error
		why, do string
	}{
		"an unknown user": {plain, "password authentication failed", airhook.ErrLogin, `AWS gave a password, but the database does not know the user "app"`, `run in database "dev": CREATE USER app PASSWORD DISABLE; or set auto_create to true in the extra, which needs redshift:CreateClusterUser`},
		"an unknown role": {edit(plain, "", ""), "password authentication failed", airhook.ErrLogin, `does not know the user "IAM:alice"`, `run in database "dev": CREATE USER "IAM:alice" PASSWORD DISABLE`},
		"a workgroup's":   {serverlessConn(t), "password authentication failed", airhook.ErrLogin, `does not know the user "IAM:alice"`, `CREATE USER "IAM:alice" PASSWORD DISABLE`},
		"another's host":  {edit(plain, "app", `"cluster_identifier": "lake", `), "password authentication failed", airhook.ErrLogin, `the password is for cluster "lake", and the host is the endpoint of "my-cluster"`, "let host and identifier name the same"},
		"a guess":         {conn(t, "red", "redshift", "lake.example.com", `{"iam": true, "aws_conn_id": "my_aws", "region": "us-east-1"}`), "password authentication failed", airhook.ErrLogin, `cluster "lake" is only a guess from the host's name`, "set cluster_identifier or workgroup_name in the extra; or AWS gave"},
		"upper case":      {edit(plain, "App", ""), "password authentication failed", airhook.ErrLogin, `the login "App" has upper-case letters`, "write the login as the database has it; or"},
		"another region":  {edit(plain, "app", `"region": "eu-west-1", `), "password authentication failed", airhook.ErrLogin, `AWS is asked in region eu-west-1 (extra region), and the endpoint is in us-east-1`, "set region in the extra to us-east-1"},
		"run out":         {plain, "IAM Authentication token has expired", airhook.ErrTokenExpired, "the password that AWS gave had run out", "try again"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			l := logins(t, f.URL)
			e := refused(c.text)
			l.Refused(t.Context(), resolved(t, l, c.conn), e)
			if !errors.Is(e, c.kind) || !strings.Contains(e.Error(), c.why) || !strings.Contains(e.Hint, c.do) {
				t.Errorf("got %s: %v\nhint: %s\nwant %s, %s", airhook.KindOf(e), e, e.Hint, c.why, c.do)
			}
			if e.Principal != callerARN || e.Resource == "" || e.Policy != nil {
				t.Errorf("principal %s, resource %s, policy %s: AWS allowed it", e.Principal, e.Resource, e.Policy)
			}
		})
	}
}

func TestAPausedClusterIsWhyNobodyAnswers(t *testing.T) {
	f := newFake(t)
	f.knows = map[string]string{"DescribeClusters": strings.Replace(oneCluster, ">available<", ">paused<", 1)}
	l := logins(t, f.URL)
	e := &airhook.Error{ID: "red", Stage: airhook.StageTCP, Kind: airhook.ErrUnreachable, Err: errors.New("no answer"), Hint: "?"}
	l.Refused(t.Context(), resolved(t, l, redshiftConn(t)), e)
	if !errors.Is(e, airhook.ErrUnreachable) || e.Stage != airhook.StageTCP || !strings.Contains(e.Error(), `cluster "my-cluster" is paused`) || !strings.Contains(e.Hint, "resume it") {
		t.Errorf("got %v (%s) at %s", e, e.Hint, e.Stage)
	}
}

func TestWhoGaveUpIsNotKept(t *testing.T) {
	f := newFake(t)
	release := make(chan struct{})
	f.hook = func(http.ResponseWriter, string) bool { <-release; return true }
	t.Cleanup(func() { close(release) })
	l := logins(t, f.URL)
	target := resolved(t, l, rdsConn(t))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	e := pam()
	l.Refused(ctx, target, e)
	if e.Error() != pam().Error() || len(f.seen("GetCallerIdentity")) != 0 {
		t.Errorf("got %v", e)
	}
	started := time.Now()
	l.Refused(t.Context(), target, e)
	if took := time.Since(started); took > identifyTimeout+time.Second || e.Policy == nil || !strings.Contains(e.Hint, "AWS could not be asked") {
		t.Errorf("it took %s: %v (%s)", took, e, e.Hint)
	}
}

// TestManyThatAreRefusedAskOnce: a storm of refusals is none of calls.
func TestManyThatAreRefusedAskOnce(t *testing.T) {
	f := newFake(t)
	l := logins(t, f.URL)
	target := resolved(t, l, rdsConn(t))
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			e := pam()
			if l.Refused(t.Context(), target, e); e.Principal != callerARN {
				t.Errorf("principal %q", e.Principal)
			}
		})
	}
	wg.Wait()
	if sts, rds := len(f.seen("GetCallerIdentity")), len(f.seen("DescribeDBClusters")); sts != 1 || rds != 1 {
		t.Errorf("STS was asked %d times, RDS %d times", sts, rds)
	}
}
