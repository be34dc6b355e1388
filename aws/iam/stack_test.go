package iam_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/airhook-go/airhook"
	"github.com/airhook-go/airhook/airhooktest"
	"github.com/airhook-go/airhook/aws/iam"
	"github.com/airhook-go/airhook/aws/session"
	"github.com/airhook-go/airhook/devstack/cloud"
)

const (
	database  = "mydb.cluster-xyz.us-east-1.rds.amazonaws.com"
	cluster   = "my-cluster.xyz.us-east-1.redshift.amazonaws.com"
	workgroup = "my-workgroup.123456789012.us-east-1.redshift-serverless.amazonaws.com"
)

// account is one that checks signatures and policies as AWS does.
type account struct {
	*cloud.Account
	t   *testing.T
	url string
}

func newAccount(t *testing.T) account {
	t.Helper()
	a, err := cloud.New(cloud.Options{
		Databases:  []cloud.Database{{ID: "mydb", Endpoint: database, Port: 5432, Database: "dev", MasterUser: "postgres"}},
		Clusters:   []cloud.Cluster{{ID: "my-cluster", Endpoint: cluster, Port: 5439, Database: "dev", MasterUser: "awsuser", CustomDomain: "warehouse.example.com"}},
		Workgroups: []cloud.Workgroup{{Name: "my-workgroup", Endpoint: workgroup, Port: 5439, Database: "dev", CustomDomain: "lakehouse.example.com"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(a)
	t.Cleanup(server.Close)
	return account{a, t, server.URL}
}

// user has that policy; nil: may do nothing.
func (a account) user(name string, policy []byte) cloud.Principal {
	a.t.Helper()
	p, err := a.PutUser(name, policy)
	if err != nil {
		a.t.Fatal(err)
	}
	return p
}

// logins sign with somebody's keys, and know nothing yet.
func (a account) logins(p cloud.Principal) *iam.Logins {
	a.t.Helper()
	aws := a.conn("my_aws", "aws", "", fmt.Sprintf(`{"endpoint_url": %q, "aws_session_token": %q, "config_kwargs": {"retries": {"total_max_attempts": 1}}}`, a.url, p.SessionToken))
	aws.Login, aws.Password, aws.Schema = p.AccessKeyID, airhook.NewSecret(p.SecretAccessKey), ""
	return iam.New(&session.Resolver{Registry: airhooktest.Registry(aws)})
}

func (a account) conn(id, typ, host, extra string) airhook.Connection {
	a.t.Helper()
	e, err := airhook.ParseExtra(extra)
	if err != nil {
		a.t.Fatal(err)
	}
	return airhook.Connection{ID: id, Type: typ, Host: host, Login: "app", Schema: "dev", Extra: e}
}

// login resolves a connection and logs in; an RDS token is shown to the database.
func (a account) login(ctx context.Context, l *iam.Logins, c airhook.Connection) (airhook.Target, airhook.Credential, error) {
	t, err := c.Target()
	if err != nil {
		a.t.Fatal(err)
	}
	if t, err = l.Resolve(ctx, t); err != nil {
		return t, airhook.Credential{}, err
	}
	cred, err := l.Logins()[t.Method](ctx, t)
	if err != nil || t.Method != airhook.MethodRDS {
		return t, cred, err
	}
	if a.CheckToken(database, 5432, "us-east-1", cloud.ResourceID("mydb"), cred.User, cred.Password.Reveal()) == nil {
		return t, cred, nil
	}
	e := &airhook.Error{ID: c.ID, Stage: airhook.StageLogin, Kind: airhook.ErrLogin, SQLState: "28000", Err: errors.New("PAM authentication failed")}
	l.Refused(ctx, t, e)
	return t, airhook.Credential{}, e
}

type document struct {
	Version   string
	Statement []struct {
		Sid, Effect, Action string
		Resource            []string
	}
}

func read(t *testing.T, text json.RawMessage) (d document) {
	t.Helper()
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return d
}

func (d document) pairs() (all []string) {
	for _, s := range d.Statement {
		for _, r := range s.Resource {
			all = append(all, s.Action+" "+r)
		}
	}
	return all
}

func (d document) actions() (all []string) {
	for _, s := range d.Statement {
		all = append(all, s.Action)
	}
	return all
}

// only keeps the statements that keep says.
func (d document) only(keep func(i int, sid string) bool) []byte {
	one := document{Version: d.Version}
	for i, s := range d.Statement {
		if keep(i, s.Sid) {
			one.Statement = append(one.Statement, s)
		}
	}
	if len(one.Statement) == 0 {
		return nil
	}
	text, _ := json.Marshal(struct {
		Version   string
		Statement any
	}{one.Version, withoutEmptySid(one)})
	return text
}

func withoutEmptySid(d document) (all []map[string]any) {
	for _, s := range d.Statement {
		all = append(all, map[string]any{"Effect": s.Effect, "Action": s.Action, "Resource": s.Resource})
	}
	return all
}

// TestThePrintedPolicyLetsInAndNothingOfItIsTooMuch: a newcomer is refused with a policy that is part of what the admin is
// shown; with that one they are let in; without any statement of it they are refused again.
func TestThePrintedPolicyLetsInAndNothingOfItIsTooMuch(t *testing.T) {
	a := newAccount(t)
	const here = `"aws_conn_id": "my_aws", "region": "us-east-1"`
	serverless := a.conn("srv", "redshift", workgroup, `{"iam": true, "is_serverless": true, `+here+`}`)
	serverless.Login = ""
	itself := a.conn("itself", "redshift", cluster, `{"iam": true, `+here+`}`)
	itself.Login = ""
	for _, c := range []struct {
		conn       airhook.Connection
		kind       error
		statements int
		user       string
	}{
		{a.conn("rds", "postgres", database, `{"iam": true, `+here+`}`), airhook.ErrLogin, 1, "app"},
		{a.conn("red", "redshift", cluster, `{"iam": true, `+here+`}`), airhook.ErrAccessDenied, 1, "IAM:app"},
		{a.conn("groups", "redshift", cluster, `{"iam": true, "db_groups": ["etl", "ops"], "auto_create": true, `+here+`}`), airhook.ErrAccessDenied, 3, "IAMA:app:etl,ops"},
		{a.conn("hostless", "redshift", "", `{"iam": true, "cluster_identifier": "my-cluster", `+here+`}`), airhook.ErrAccessDenied, 2, "IAM:app"},
		{itself, airhook.ErrAccessDenied, 1, "IAM:newcomer"},
		{serverless, airhook.ErrAccessDenied, 1, "IAM:newcomer"},
		{a.conn("wg", "redshift", "", `{"iam": true, "is_serverless": true, "serverless_work_group": "my-workgroup", `+here+`}`), airhook.ErrAccessDenied, 2, "IAM:newcomer"},
	} {
		t.Run(c.conn.ID, func(t *testing.T) {
			newcomer := a.user("newcomer", nil)
			_, _, err := a.login(t.Context(), a.logins(newcomer), c.conn)
			var e *airhook.Error
			if !errors.As(err, &e) || !errors.Is(err, c.kind) || e.Principal != newcomer.ARN || e.Resource == "" {
				t.Fatalf("got %v of %+v", err, e)
			}
			target, _ := c.conn.Target()
			need, err := a.logins(a.Principals()[0]).Needs(t.Context(), target)
			if err != nil {
				t.Fatal(err)
			}
			doc := read(t, need.Permissions)
			if diff := cmp.Diff(doc.pairs(), read(t, e.Policy).pairs()); diff != "" || len(doc.Statement) != c.statements {
				t.Errorf("%d statements; the error has others (-printed +error):\n%s", len(doc.Statement), diff)
			}
			newcomer = a.user("newcomer", need.Permissions)
			if _, cred, err := a.login(t.Context(), a.logins(newcomer), c.conn); err != nil || cred.User != c.user {
				t.Errorf("with the policy: %q, %v", cred.User, err)
			}
			for n := range doc.Statement {
				newcomer = a.user("newcomer", doc.only(func(i int, _ string) bool { return i != n }))
				if _, _, err := a.login(t.Context(), a.logins(newcomer), c.conn); !errors.Is(err, c.kind) {
					t.Errorf("without statement %d: %v", n+1, err)
				}
			}
		})
	}
}

// TestTheNewcomerOfACustomDomain is told how to learn whose it is, and then what that one needs.
func TestTheNewcomerOfACustomDomain(t *testing.T) {
	a := newAccount(t)
	for _, db := range []airhook.Connection{
		a.conn("red", "redshift", "warehouse.example.com", `{"iam": true, "aws_conn_id": "my_aws", "region": "us-east-1"}`),
		a.conn("srv", "redshift", "lakehouse.example.com", `{"iam": true, "is_serverless": true, "aws_conn_id": "my_aws", "region": "us-east-1"}`),
	} {
		newcomer, want := a.user("newcomer", nil), `cluster "warehouse" is a guess`
		if db.ID == "srv" {
			want = `workgroup "lakehouse" is a guess`
		}
		_, _, err := a.login(t.Context(), a.logins(newcomer), db)
		var e *airhook.Error
		if !errors.As(err, &e) || !errors.Is(err, airhook.ErrAccessDenied) && !errors.Is(err, airhook.ErrWorkgroupNotFound) || e.Principal != newcomer.ARN {
			t.Fatalf("%s: got %v", db.ID, err)
		}
		if errors.Is(err, airhook.ErrAccessDenied) && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", db.ID, err, want)
		}
		target, _ := db.Target()
		for range 2 { // whose domain it is, then the login
			need, err := a.logins(newcomer).Needs(t.Context(), target)
			if err != nil {
				t.Fatal(err)
			}
			_, _, err = a.login(t.Context(), a.logins(newcomer), db)
			if err == nil { // a workgroup's id was a *
				break
			}
			if !errors.As(err, &e) || !slices.Equal(read(t, e.Policy).actions(), read(t, need.Permissions).actions()) {
				t.Errorf("%s: the refusal has another policy: %v", db.ID, err)
			}
			newcomer = a.user("newcomer", need.Permissions)
		}
		if _, cred, err := a.login(t.Context(), a.logins(newcomer), db); err != nil || cred.User == "" {
			t.Errorf("%s: with what was printed: %v", db.ID, err)
		}
	}
}

// TestThePrintedTrustLetsTheRoleBeAssumed, by its own account and with the external id only.
func TestThePrintedTrustLetsTheRoleBeAssumed(t *testing.T) {
	a := newAccount(t)
	newcomer := a.user("newcomer", nil)
	const role = "arn:aws:iam::123456789012:role/partner"
	db := a.conn("red", "redshift", cluster, `{"aws_conn_id": "my_aws", "role_arn": "`+role+`"}`)
	db.Login = ""
	if _, err := a.PutRole("partner", nil, []byte(`{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}]}`)); err != nil {
		t.Fatal(err)
	}
	_, _, err := a.login(t.Context(), a.logins(newcomer), db)
	var e *airhook.Error
	if !errors.As(err, &e) || !errors.Is(err, airhook.ErrAccessDenied) || e.Principal != newcomer.ARN || e.Resource != role || !strings.Contains(err.Error(), "AssumeRole") {
		t.Fatalf("got %v", err)
	}
	target, _ := db.Target()
	need, err := a.logins(newcomer).Needs(t.Context(), target)
	if err != nil {
		t.Fatal(err)
	}
	doc := read(t, need.Permissions)
	if denied := read(t, e.Policy).pairs(); !slices.Contains(doc.pairs(), denied[0]) {
		t.Errorf("the error has %v, printed is %v", denied, doc.pairs())
	}
	forRole := doc.only(func(_ int, sid string) bool { return strings.HasPrefix(sid, "ForTheRole") })
	if _, err := a.PutRole("partner", forRole, need.Trust); err != nil {
		t.Fatal(err)
	}
	if _, cred, err := a.login(t.Context(), a.logins(newcomer), db); err != nil || cred.User != "IAMR:partner" {
		t.Errorf("got %q, %v", cred.User, err)
	}
	if want := `CREATE USER "IAMR:partner" PASSWORD DISABLE`; need.SQL[0] != want {
		t.Errorf("SQL %s, want %s", need.SQL[0], want)
	}
	a.user("stranger", nil)
	if _, _, err := a.login(t.Context(), a.logins(a.Principals()[2]), db); !errors.Is(err, airhook.ErrAccessDenied) {
		t.Errorf("a stranger: %v", err)
	}
}

func TestEndpointsAndDomainsOfTheAccount(t *testing.T) {
	a := newAccount(t)
	l := a.logins(a.Principals()[0])
	const here = `"iam": true, "aws_conn_id": "my_aws", "region": "us-east-1"}`
	for _, c := range []struct {
		conn           airhook.Connection
		host, id, from string
	}{
		{a.conn("a", "redshift", "", `{"cluster_identifier": "my-cluster", `+here), cluster, "my-cluster", "DescribeClusters"},
		{a.conn("b", "redshift", "", `{"is_serverless": true, "serverless_work_group": "my-workgroup", `+here), workgroup, "my-workgroup", "GetWorkgroup"},
		{a.conn("c", "redshift", "warehouse.example.com", `{`+here), "warehouse.example.com", "my-cluster", "DescribeCustomDomainAssociations"},
		{a.conn("d", "redshift", "lakehouse.example.com", `{"is_serverless": true, `+here), "lakehouse.example.com", "my-workgroup", "ListCustomDomainAssociations"},
	} {
		target, cred, err := a.login(t.Context(), l, c.conn)
		if err != nil || cred.User == "" || target.Host != c.host || target.Cluster+target.Workgroup != c.id || target.Port != 5439 || target.EndpointFrom != c.from {
			t.Errorf("%s: got %s:%d of %s%s, %v", c.conn.ID, target.Host, target.Port, target.Cluster, target.Workgroup, err)
		}
	}
	_, _, err := a.login(t.Context(), l, a.conn("e", "redshift", cluster, `{"cluster_identifier": "my-clustr", `+here))
	var e *airhook.Error
	if !errors.As(err, &e) || !errors.Is(err, airhook.ErrClusterNotFound) || !strings.Contains(e.Hint, "did you mean my-cluster?") {
		t.Errorf("got %v", err)
	}
	if err := a.SetClusterStatus("my-cluster", "paused"); err != nil {
		t.Fatal(err)
	}
	_, _, err = a.login(t.Context(), a.logins(a.Principals()[0]), a.conn("f", "redshift", "", `{"cluster_identifier": "my-cluster", `+here))
	if !errors.Is(err, airhook.ErrUnreachable) || !strings.Contains(err.Error(), "is paused") {
		t.Errorf("paused: %v", err)
	}
}

// TestTheClockIsBlamedByMinutes: AWS's goes another way, and this machine's is the one to set.
func TestTheClockIsBlamedByMinutes(t *testing.T) {
	for skew, want := range map[time.Duration]string{-20 * time.Minute: "set the clock 20m0s back", 20 * time.Minute: "set the clock 20m0s forward"} {
		a := newAccount(t)
		a.Skew(skew)
		_, _, err := a.login(t.Context(), a.logins(a.Principals()[0]), a.conn("rds", "postgres", database, `{"iam": true, "aws_conn_id": "my_aws"}`))
		var e *airhook.Error
		if !errors.As(err, &e) || !strings.HasPrefix(e.Hint, want) {
			t.Errorf("%s: got %v (%+v)", skew, err, e)
		}
	}
}

// TestAClockAheadIsTold, where it makes passwords that are good come expired: once, and by how much.
func TestAClockAheadIsTold(t *testing.T) {
	a := newAccount(t)
	a.Skew(-20 * time.Minute)
	admin := a.Principals()[0]
	aws := a.conn("my_aws", "aws", "", fmt.Sprintf(`{"endpoint_url": %q}`, a.url)) // the SDK learns the difference from the first refusal
	aws.Login, aws.Password, aws.Schema = admin.AccessKeyID, airhook.NewSecret(admin.SecretAccessKey), ""
	l := iam.New(&session.Resolver{Registry: airhooktest.Registry(aws)})
	var log strings.Builder
	l.Logger = slog.New(slog.NewTextHandler(&log, nil))
	for _, db := range []airhook.Connection{
		a.conn("red", "redshift", cluster, `{"iam": true, "aws_conn_id": "my_aws"}`), a.conn("srv", "redshift", workgroup, `{"iam": true, "is_serverless": true, "aws_conn_id": "my_aws"}`),
	} {
		if _, _, err := a.login(t.Context(), l, db); err != nil {
			t.Error(err)
		}
	}
	if strings.Count(log.String(), "level=WARN") != 1 || !strings.Contains(log.String(), "this machine's clock is 20m0s ahead of AWS's") {
		t.Errorf("log: %s", log.String())
	}
}

func TestKeysThatRanOutAreBlamed(t *testing.T) {
	a := newAccount(t)
	expired, err := a.NewSession("admin", -time.Second)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []airhook.Connection{
		a.conn("rds", "postgres", database, `{"iam": true, "aws_conn_id": "my_aws"}`), a.conn("red", "redshift", cluster, `{"iam": true, "aws_conn_id": "my_aws"}`),
	} {
		_, _, err := a.login(t.Context(), a.logins(expired), c)
		var e *airhook.Error
		if !errors.As(err, &e) || !errors.Is(err, airhook.ErrTokenExpired) || !strings.Contains(err.Error(), "expired") || e.Hint == "" {
			t.Errorf("%s: got %v", c.ID, err)
		}
	}
}

// TestTheResourceIDIsLookedUpByWhoMay: the policy leaves it open, the note has it.
func TestTheResourceIDIsLookedUpByWhoMay(t *testing.T) {
	a := newAccount(t)
	db := a.conn("rds", "postgres", database, `{"iam": true, "aws_conn_id": "my_aws"}`)
	target, _ := db.Target()
	for name, c := range map[string]struct {
		who  cloud.Principal
		want string
	}{
		"admin":    {a.Principals()[0], "arn:aws:rds-db:us-east-1:123456789012:dbuser:" + cloud.ResourceID("mydb") + "/app"},
		"newcomer": {a.user("newcomer", nil), "aws rds describe-db-clusters --db-cluster-identifier mydb"},
	} {
		need, err := a.logins(c.who).Needs(t.Context(), target)
		if err != nil || !strings.Contains(strings.Join(need.Notes, "\n"), c.want) {
			t.Errorf("%s: %v, notes %q", name, err, need.Notes)
		}
	}
}
