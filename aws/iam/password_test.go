package iam

import (
	"errors"
	"testing"

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
	if e := lookUp(t, logins(t, f.URL), pw); !errors.Is(e, airhook.ErrAccessDenied) || len(e.Policy) == 0 {
		t.Errorf("got %v, policy %s", e, e.Policy)
	}
}
