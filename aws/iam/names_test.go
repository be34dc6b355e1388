package iam

import (
	"errors"
	"os/exec"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/airhook-go/airhook"
	"github.com/airhook-go/airhook/airhooktest"
	"github.com/airhook-go/airhook/aws/session"
)

func TestAnIdentifierThatIsNoneIsRefused(t *testing.T) {
	const cluster, workgroup = `{"iam": true, "aws_conn_id": "my_aws", "region": "us-east-1", "cluster_identifier": "ID"}`,
		`{"iam": true, "is_serverless": true, "aws_conn_id": "my_aws", "region": "us-east-1", "serverless_work_group": "ID"}`
	f := newFake(t)
	l := logins(t, f.URL)
	for _, c := range []struct{ extra, id, hint string }{
		{cluster, "*", "correct cluster_identifier"},
		{cluster, "my-cluster?", "correct cluster_identifier"},
		{cluster, "${x}", "correct cluster_identifier"},
		{workgroup, "x; touch y", "correct workgroup_name"},
		{workgroup, "$(id)", "correct workgroup_name"},
	} {
		target, err := conn(t, "red", "redshift", "", strings.Replace(c.extra, "ID", c.id, 1)).Target()
		if err != nil {
			t.Fatal(err)
		}
		_, resolve := l.Resolve(t.Context(), target)
		_, needs := l.Needs(t.Context(), target)
		for _, err := range []error{resolve, needs} {
			var e *airhook.Error
			if !errors.As(err, &e) || !errors.Is(err, airhook.ErrInvalid) || !strings.Contains(e.Error(), `"`+c.id+`" is no `) || !strings.HasPrefix(e.Hint, c.hint) {
				t.Errorf("%s: got %v", c.id, err)
			}
		}
	}
	if len(f.calls) > 0 {
		t.Errorf("AWS was asked %v", f.calls)
	}
}

// TestAGuessedNameIsNoPattern: what the first label of a host holds is nobody's wish to allow everything.
func TestAGuessedNameIsNoPattern(t *testing.T) {
	all := statements(airhook.Target{Method: airhook.MethodRedshift, Region: "us-east-1", Cluster: "*", User: "app", Database: "dev", DBGroups: []string{"g"}, AutoCreate: true}, facts{account: "123456789012"})
	for _, s := range all {
		for _, arn := range s.Resource {
			if !strings.Contains(arn, ":${*}/") && !strings.HasSuffix(arn, ":${*}") {
				t.Errorf("%s: %s", s.Action, arn)
			}
		}
	}
}

// TestACommandHoldsANameAsOneWord asks a shell.
func TestACommandHoldsANameAsOneWord(t *testing.T) {
	for _, name := range []string{"my-cluster", "MyDB.1_a", "", "x; touch y", "$(id)", "`id`", "it's", `a"b\c`, "a\nb", "*", "é"} {
		out, err := exec.CommandContext(t.Context(), "sh", "-c", "printf '%s|' "+shellWord(name)).Output()
		if err != nil || string(out) != name+"|" {
			t.Errorf("%q is %q to a shell (%v)", name, out, err)
		}
	}
	if shellWord("my-cluster") != "my-cluster" {
		t.Error("a plain name is in quotes")
	}
	for what, command := range map[string]string{
		"cluster":  findResourceID("cluster-*", "x; id"),
		"proxy":    findResourceID("prx-*", "x; id"),
		"instance": findResourceID("*", "x; id"),
		"resume":   notThere(airhook.Target{Cluster: "x; id"}, airhook.StageTCP, "paused").Hint,
	} {
		if !strings.Contains(command, " 'x; id'") {
			t.Errorf("%s: %s", what, command)
		}
	}
}

// TestRDSIsNotAskedElsewhereThanAtItsUsualEndpoint: others only the SDK could name.
func TestRDSIsNotAskedElsewhereThanAtItsUsualEndpoint(t *testing.T) {
	for name, c := range map[string]struct {
		env   string
		extra string
		want  string
	}{
		"usual":               {"", `{}`, "https://rds.us-east-1.amazonaws.com/"},
		"FIPS":                {"AWS_USE_FIPS_ENDPOINT", `{}`, ""},
		"dual stack":          {"AWS_USE_DUALSTACK_ENDPOINT", `{}`, ""},
		"FIPS of the extra":   {"", `{"config_kwargs": {"use_fips_endpoint": true}}`, ""},
		"an endpoint of ours": {"AWS_USE_FIPS_ENDPOINT", `{"endpoint_url": "http://localhost:4566"}`, "http://localhost:4566/"},
	} {
		t.Run(name, func(t *testing.T) {
			if c.env != "" {
				t.Setenv(c.env, "true")
			}
			r := &session.Resolver{Registry: airhooktest.Registry(conn(t, "my_aws", "aws", "", c.extra))}
			s, err := r.Open(t.Context(), session.Who{ConnID: "my_aws"})
			if err != nil {
				t.Fatal(err)
			}
			if got, err := rdsEndpoint(t.Context(), s, "us-east-1"); got != c.want || (err == nil) != (c.want != "") {
				t.Errorf("got %q (%v), want %q", got, err, c.want)
			}
		})
	}
	if variant(t.Context(), []any{aws.Config{}}) {
		t.Error("nobody said so")
	}
}
