package iam

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/airhook-go/airhook"
)

func TestAPasswordsRedshiftIsFoundByItsIdentifier(t *testing.T) {
	for extra, c := range map[string]struct{ op, answer, host string }{
		`{"aws_conn_id": "my_aws", "cluster_identifier": "my-cluster", "region": "us-east-1"}`:                             {"DescribeClusters", oneCluster, "my-cluster.xyz.us-east-1.redshift.amazonaws.com"},
		`{"aws_conn_id": "my_aws", "is_serverless": true, "serverless_work_group": "my-workgroup", "region": "us-east-1"}`: {"GetWorkgroup", oneWorkgroup, "my-workgroup.123456789012.us-east-1.redshift-serverless.amazonaws.com"},
	} {
		f := newFake(t)
		f.knows = map[string]string{c.op: c.answer}
		pw := conn(t, "pw", "redshift", "", extra)
		pw.Password = airhook.NewSecret(canary)
		got := resolved(t, logins(t, f.URL), pw)
		if got.Host != c.host || got.Port == 0 || got.Method != airhook.MethodPassword || got.User != "app" || len(f.seen(c.op)) != 1 {
			t.Errorf("%s: got %s:%d by %s as %s, calls %v", extra, got.Host, got.Port, got.Method, got.User, f.calls)
		}
	}
}

func TestAPasswordsLookUpFailsWithItsReason(t *testing.T) {
	f := newFake(t)
	f.fail(400, "AccessDenied", "no")
	pw := conn(t, "pw", "redshift", "", `{"aws_conn_id": "my_aws", "cluster_identifier": "my-cluster", "region": "us-east-1"}`)
	pw.Password = airhook.NewSecret(canary)
	l := logins(t, f.URL)
	e := lookUp(t, l, pw)
	if !errors.Is(e, airhook.ErrAccessDenied) || !strings.Contains(e.Hint, "set host to the endpoint") {
		t.Errorf("got %v (%s)", e, e.Hint)
	}
	want := [][2]string{{"redshift:DescribeClusters", "arn:aws:redshift:us-east-1:123456789012:cluster:my-cluster"}}
	if diff := cmp.Diff(want, pairs(t, e.Policy)); diff != "" {
		t.Errorf("the refusal's policy: %s", diff)
	}
	if n := needs(t, l, pw); !cmp.Equal(want, pairs(t, n.Permissions)) || len(n.SQL) != 0 {
		t.Errorf("policy prints %s, %v", n.Permissions, n.SQL)
	}
}
