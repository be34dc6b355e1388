package airhook_test

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/airhook-go/airhook"
)

// explain explains a connection with resolvers that know what they are given.
func explain(t *testing.T, conn airhook.Connection, resolve func(*airhook.Target) error, who airhook.Identity, identify error) airhook.Explanation {
	t.Helper()
	c := must(airhook.New(airhook.Config{
		Registry: registry{},
		Resolve: func(_ context.Context, target airhook.Target) (airhook.Target, error) {
			err := resolve(&target)
			return target, err
		},
		Identify: func(context.Context, airhook.Target) (airhook.Identity, error) { return who, identify },
	}))
	defer c.Close()
	x, err := c.Explain(t.Context(), conn)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func found(*airhook.Target) error { return nil }

func TestExplainHasTheContractsKeys(t *testing.T) {
	conn := connection(t, "postgres", rdsHost, `{"iam": true, "redshift": false, "redshift-serverless": false, "cluster-identifier": "a", "workgroup-name": "b", "aws_conn_id": "my_aws_conn", "region_name": "us-east-1"}`)
	conn.Password, conn.FoundIn = airhook.NewSecret(plain), "environment"
	x := explain(t, conn, found, airhook.Identity{Source: `connection "my_aws_conn"`, ARN: "arn:aws:iam::123456789012:user/etl"}, nil)
	text := must(json.Marshal(x))
	var got map[string]any
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	want := strings.Fields("connection found_in engine method host port database user region region_from cluster workgroup sign_host sign_port aws_conn_id profile role_arn identity tls session parameters ignored warnings")
	if keys := slices.Sorted(maps.Keys(got)); !slices.Equal(keys, slices.Sorted(slices.Values(want))) {
		t.Errorf("keys: %q", keys)
	}
	if got["method"] != "rds-iam" || got["region_from"] != "extra region_name" || got["sign_host"] != rdsHost || got["sign_port"] != 5432.0 || got["found_in"] != "environment" || got["tls"] != "verify-full" {
		t.Errorf("got %s", text)
	}
	if identity, _ := got["identity"].(map[string]any); identity["arn"] != "arn:aws:iam::123456789012:user/etl" || identity["source"] != `connection "my_aws_conn"` {
		t.Errorf("identity: %v", got["identity"])
	}
	conn.Extra = mustExtra(`{"options": "-c my.password=` + plain + `", "connect_timeout": 3}`)
	other := explain(t, conn, found, airhook.Identity{}, nil)
	if p := other.Parameters; p["options"] != "***" || p["application_name"] != "airhook" || p["connect_timeout"] != "3s" || x.Parameters["connect_timeout"] != "10s" {
		t.Errorf("parameters: %v", p)
	}
	if len(x.Ignored) != 2 || x.Ignored[0].Key != "cluster-identifier" || x.Ignored[1].Key != "workgroup-name" || x.Ignored[0].Reason == "" {
		t.Errorf("ignored: %v", x.Ignored)
	}
	if strings.Contains(string(text), plain) {
		t.Errorf("the password shows: %s", text)
	}
}

func TestExplainWarnsOfWhatItCannotLearn(t *testing.T) {
	conn := connection(t, "postgres", rdsHost, `{"iam": true, "aws_conn_id": "nope"}`)
	undefined := &airhook.Error{Kind: airhook.ErrNotFound, Err: errors.New(`aws connection "nope" isn't defined`), Hint: "did you mean hope?"}
	x := explain(t, conn, func(*airhook.Target) error { return undefined }, airhook.Identity{}, nil)
	if warnings := strings.Join(x.Warnings, "\n"); x.Identity != nil || !strings.Contains(warnings, `"nope" isn't defined – did you mean hope?`) || x.Region != "us-east-1" || x.RegionFrom != "endpoint name" {
		t.Errorf("undefined aws connection: %+v", x)
	}
	x = explain(t, conn, found, airhook.Identity{Source: "default chain"}, errors.New("no credentials"))
	if x.Identity == nil || x.Identity.Source != "default chain" || x.Identity.ARN != "" || !strings.Contains(strings.Join(x.Warnings, "\n"), "no credentials") {
		t.Errorf("no credentials: %+v", x)
	}
	x = explain(t, conn, func(t *airhook.Target) error { t.Refused = "role_arn asks for a role"; return nil }, airhook.Identity{}, nil)
	if !strings.Contains(strings.Join(x.Warnings, "\n"), "a login is refused: role_arn") {
		t.Errorf("refused: %q", x.Warnings)
	}
}

func TestExplainOfAPasswordAsksNobody(t *testing.T) {
	x := explain(t, connection(t, "postgres", "db.example.com", ``), found, airhook.Identity{ARN: "somebody"}, nil)
	if x.Identity != nil || x.SignHost != "" || x.AWSConnID != "" || x.Region != "" || x.RegionFrom != "" || x.TLS != "prefer" {
		t.Errorf("got %+v", x)
	}
	if text := string(must(json.Marshal(x))); !strings.Contains(text, `"identity":null`) || !strings.Contains(text, `"warnings":[]`) || !strings.Contains(text, `"session":[]`) || !strings.Contains(text, `"ignored":[]`) {
		t.Errorf("got %s", text)
	}
}

func TestExplainRefusesWhatCannotWork(t *testing.T) {
	c := must(airhook.New(airhook.Config{Registry: registry{}}))
	defer c.Close()
	if _, err := c.Explain(t.Context(), connection(t, "postgres", "h", `{"iam": "flase"}`)); !errors.Is(err, airhook.ErrInvalid) {
		t.Errorf("got %v", err)
	}
}
