package airhook_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/airhook-go/airhook"
)

// What a Redshift connection without a host and with a password means: AWS says where that is.
func TestAPasswordsRedshiftIsLookedUpByItsIdentifier(t *testing.T) {
	for extra, want := range map[string]string{
		`{"cluster_identifier": "c1", "region": "us-east-1"}`:                            "c1//aws_default/us-east-1",
		`{"cluster-identifier": "c1", "aws_conn_id": "my_aws"}`:                          "c1//my_aws/",
		`{"cluster_identifier": "c1", "aws_conn_id": null, "workgroup_name": "w1"}`:      "c1///",
		`{"is_serverless": true, "serverless_work_group": "w1", "region_name": "r-x-1"}`: "/w1/aws_default/r-x-1",
		`{"workgroup_name": "w1"}`:                                                       "/w1/aws_default/",
	} {
		conn := connection(t, "redshift", "", extra)
		conn.Password = airhook.NewSecret(plain)
		got, err := conn.Target()
		if err != nil {
			t.Errorf("%s: %v", extra, err)
			continue
		}
		if text := fmt.Sprint(got.Cluster, "/", got.Workgroup, "/", got.AWSConnID, "/", got.Region); text != want || got.Method != airhook.MethodPassword || got.User != "app" {
			t.Errorf("%s: got %s by %s, want %s", extra, text, got.Method, want)
		}
		if got.TLS.Mode != "verify-full" || len(got.Ignored) != 0 || got.Host != "" || got.Port != 0 {
			t.Errorf("%s: TLS %s, ignored %v, %s:%d", extra, got.TLS.Mode, got.Ignored, got.Host, got.Port)
		}
	}
	named := connection(t, "redshift", redshiftHost, `{"cluster_identifier": "c1"}`)
	if got, err := named.Target(); err != nil || got.Cluster != "" || got.AWSConnID != "" || len(got.Ignored) != 1 {
		t.Errorf("with a host: %+v, %v", got, err)
	}
}

func TestAnIdentifierWithoutPasswordAndIAMHasForgottenIAM(t *testing.T) {
	for _, login := range []string{"app", ""} {
		conn := connection(t, "redshift", "", `{"cluster_identifier": "c1"}`)
		conn.Login = login
		_, err := conn.Target()
		var e *airhook.Error
		if !errors.As(err, &e) || e.Err.Error() != "there is neither a password nor iam" || !strings.HasPrefix(e.Hint, `set "iam": true in the extra`) {
			t.Errorf("login %q: got %v", login, err)
		}
	}
	conn := connection(t, "postgres", "", `{"cluster_identifier": "c1"}`)
	conn.Password = airhook.NewSecret(plain)
	if _, err := conn.Target(); err == nil || !strings.Contains(err.Error(), "the host is missing") {
		t.Errorf("PostgreSQL: got %v", err)
	}
}
