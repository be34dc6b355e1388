package iam

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/airhook-go/airhook"
	"github.com/airhook-go/airhook/airhooktest"
	"github.com/airhook-go/airhook/aws/session"
)

// withExtra gives a connection's extra one more value.
func withExtra(t *testing.T, c airhook.Connection, more string) airhook.Connection {
	t.Helper()
	extra, err := airhook.ParseExtra(strings.TrimSuffix(c.Extra.Reveal(), "}") + ", " + more + "}")
	if err != nil {
		t.Fatal(err)
	}
	c.Extra = extra
	return c
}

// TestARefusedLookUpIsSharedAndItsPolicyIsNot: two connections to one cluster, one answer of AWS.
func TestARefusedLookUpIsSharedAndItsPolicyIsNot(t *testing.T) {
	f := newFake(t)
	l := logins(t, f.URL)
	admin := withExtra(t, hostlessCluster(t), `"auto_create": true`)
	admin.ID, admin.Login = "admin_conn", "superadmin"
	reader := hostlessCluster(t)
	reader.ID, reader.Login, reader.Schema = "reader_conn", "reader", "reports"
	for _, c := range []airhook.Connection{admin, reader} {
		e := lookUp(t, l, c)
		if e.Principal != callerARN || !strings.Contains(string(e.Policy), "dbuser:my-cluster/"+c.Login+`"`) || !strings.Contains(string(e.Policy), "dbname:my-cluster/"+c.Schema+`"`) {
			t.Errorf("%s: asked by %s, policy %s", c.ID, e.Principal, e.Policy)
		}
		if created := strings.Contains(string(e.Policy), "CreateClusterUser"); created != (c.ID == "admin_conn") {
			t.Errorf("%s: policy %s", c.ID, e.Policy)
		}
	}
	if n := len(f.seen("DescribeClusters")); n != 1 {
		t.Errorf("%d calls, want 1", n)
	}
}

func TestAMissingClusterIsListedForOnce(t *testing.T) {
	f := newFake(t)
	f.knows = map[string]string{"DescribeClusters": strings.ReplaceAll(clusters, ">my-cluster<", ">my-clustre<")}
	f.fail(404, "ClusterNotFound", "not there")
	l := logins(t, f.URL)
	target, err := redshiftConn(t).Target()
	if err != nil {
		t.Fatal(err)
	}
	s, err := l.open(t.Context(), target)
	if err != nil {
		t.Fatal(err)
	}
	target.Region = "us-east-1"
	for range 3 {
		if e := l.missing(t.Context(), s, target); !strings.HasPrefix(e.Hint, "did you mean my-clustre?") {
			t.Errorf("got %v (%s)", e, e.Hint)
		}
	}
	if n := len(f.seen("DescribeClusters")); n != 1 {
		t.Errorf("%d calls, want 1", n)
	}
}

// TestALookUpByARoleThatMayNotBeAssumed: the policy is that of the caller, and not of the login.
func TestALookUpByARoleThatMayNotBeAssumed(t *testing.T) {
	f := newFake(t)
	f.hook = func(w http.ResponseWriter, op string) bool {
		if op == "AssumeRole" {
			w.WriteHeader(http.StatusForbidden)
			_, _ = w.Write([]byte(`<ErrorResponse><Error><Code>AccessDenied</Code><Message>User: ` + callerARN + ` is not authorized to perform: sts:AssumeRole on resource: ` + roleARN + `</Message></Error></ErrorResponse>`))
		}
		return op == "AssumeRole"
	}
	e := lookUp(t, logins(t, f.URL), withExtra(t, hostlessCluster(t), `"role_arn": "`+roleARN+`"`))
	if !strings.Contains(string(e.Policy), `"sts:AssumeRole"`) || strings.Contains(string(e.Policy), "redshift:") || e.Resource != roleARN {
		t.Errorf("%v: resource %s, policy %s", e, e.Resource, e.Policy)
	}
}

// TestCloseEndsTheLookUps: nothing of them runs afterwards, and nothing starts.
func TestCloseEndsTheLookUps(t *testing.T) {
	f := newFake(t)
	asked := make(chan struct{})
	f.Config.Handler = http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm() // the body is read: from here on the server sees who hangs up
		if r.Form.Get("Action") == "DescribeClusters" {
			close(asked)
		}
		<-r.Context().Done()
	})
	registry := airhooktest.Registry(conn(t, "my_aws", "aws", "", `{"endpoint_url": "`+f.URL+`"}`), hostlessCluster(t))
	l := New(&session.Resolver{Registry: registry})
	target, err := hostlessCluster(t).Target()
	if err != nil {
		t.Fatal(err)
	}
	got := make(chan error, 1)
	go func() {
		_, err := l.Resolve(t.Context(), target)
		got <- err
	}()
	<-asked
	l.Close()
	for _, err := range []error{<-got, func() error { _, err := l.Resolve(t.Context(), target); return err }()} {
		var e *airhook.Error
		if !errors.As(err, &e) || e.ID != "red" || e.Stage != airhook.StageEndpoint || !strings.Contains(err.Error(), "the AWS logins are closed") {
			t.Errorf("got %v", err)
		}
	}
	l.Close() // as often as anybody likes
}
