package iam

import (
	"errors"
	"strings"
	"testing"

	"github.com/airhook-go/airhook"
	"github.com/airhook-go/airhook/aws/session"
)

// Who signs is asked before the service: its failure is not the service's.
func TestALookUpWithoutCredentialsBlamesThem(t *testing.T) {
	for name, value := range map[string]string{
		"AWS_EC2_METADATA_DISABLED": "true", "AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_PROFILE": "", "AWS_CONTAINER_CREDENTIALS_FULL_URI": "",
		"AWS_CONFIG_FILE": "/nonexistent", "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent", "AWS_WEB_IDENTITY_TOKEN_FILE": "",
	} {
		t.Setenv(name, value)
	}
	l := New(&session.Resolver{Registry: airhook.Chain()})
	defer l.Close()
	e := lookUp(t, l, conn(t, "red", "redshift", "", `{"iam": true, "cluster_identifier": "my-cluster", "region": "us-east-1", "db_user": "app"}`))
	if !errors.Is(e, airhook.ErrInvalid) || !strings.HasPrefix(e.Err.Error(), "no AWS credentials found") || e.Stage != airhook.StageEndpoint {
		t.Errorf("got %s at %s: %v", airhook.KindOf(e), e.Stage, e)
	}
}

func TestAHintNamesTheConnection(t *testing.T) {
	f := newFake(t)
	f.fail(403, "AccessDenied", "User: arn:aws:iam::123456789012:user/bob is not authorized to perform: sts:AssumeRole on resource: arn:aws:iam::123456789012:role/none")
	l := logins(t, f.URL)
	red := conn(t, "red", "redshift", "my-cluster.xyz.us-east-1.redshift.amazonaws.com", `{"role_arn": "arn:aws:iam::123456789012:role/none", "aws_conn_id": "my_aws"}`)
	_, err := l.redshift(t.Context(), resolved(t, l, red))
	var e *airhook.Error
	if !errors.As(err, &e) || !strings.Contains(e.Hint, "airhook policy red --trust") || strings.Contains(e.Hint, "CONN_ID") {
		t.Errorf("got %v (%s)", err, e.Hint)
	}
}
