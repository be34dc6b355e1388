package airhook_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
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
	want := strings.Fields("connection found_in engine method host port database user region region_from cluster workgroup endpoint_from sign_host sign_port aws_conn_id profile role_arn identity tls session parameters db_groups auto_create duration ignored warnings")
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

// What takes effect is said under its usual name, and what has none isn't.
func TestExplainSaysWhatShapesASession(t *testing.T) {
	all := `{"iam": true, "application_name": "etl", "options": "-c a=b", "timeout": 4, "sslca": "/ca.pem", "tcp_keepalive_idle": 30, "keepalives": false, "hostaddr": "127.0.0.1", "ssl_min_protocol_version": "TLSv1.3", "auto_create": true, "db_groups": "a,b", "duration_seconds": 900}`
	for host, groups := range map[string]string{redshiftHost: "[a b] true 15m0s", serverlessHost: "[] false 15m0s"} {
		x := explain(t, connection(t, "redshift", host, all), found, airhook.Identity{}, nil)
		want := map[string]string{"application_name": "etl", "options": "-c a=b", "connect_timeout": "4s", "sslrootcert": "/ca.pem", "keepalives_idle": "30", "keepalives": "false", "hostaddr": "127.0.0.1", "ssl_min_protocol_version": "TLSv1.3"}
		if !maps.Equal(x.Parameters, want) {
			t.Errorf("%s: parameters %v", host, x.Parameters)
		}
		if text := fmt.Sprint(x.DBGroups, " ", x.AutoCreate, " ", x.Duration); text != groups {
			t.Errorf("%s: got %s, want %s", host, text, groups)
		}
	}
	x := explain(t, connection(t, "postgres", rdsHost, `{"iam": true, "sslnegotiation": "direct", "duration_seconds": 900}`), found, airhook.Identity{}, nil)
	if x.Duration != "" || x.Parameters["sslnegotiation"] != "direct" || len(x.Parameters) != 3 {
		t.Errorf("RDS: %q, %v", x.Duration, x.Parameters)
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

func TestExplainTellsARefusalOnce(t *testing.T) {
	for _, host := range []string{redshiftHost, ""} {
		conn := airhook.Connection{ID: "c", Type: "redshift", Host: host, Login: "app", Schema: "dev", Extra: mustExtra(`{"iam": true, "cluster_identifier": "my-cluster", "region": "us-east-1", "access_key_id": "AKIA"}`)}
		x := explain(t, conn, found, airhook.Identity{}, nil)
		if len(x.Warnings) != 1 || !strings.Contains(x.Warnings[0], `"access_key_id"`) {
			t.Errorf("host %q: %q", host, x.Warnings)
		}
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

func TestExplainNamesTheIdentitysOwnUser(t *testing.T) {
	conn := connection(t, "redshift", redshiftHost, `{"role_arn": "arn:aws:iam::123456789012:role/load", "region_name": "us-east-1"}`)
	conn.Login = ""
	for arn, want := range map[string]string{
		"arn:aws:sts::123456789012:assumed-role/load/airflow_c":    "IAMR:load",
		"arn:aws-cn:sts::123456789012:assumed-role/load/airflow_c": "IAMR:load",
		"arn:aws:iam::123456789012:user/alice":                     "IAM:alice",
		"arn:aws:iam::123456789012:user/teams/etl/alice":           "IAM:alice",
		"arn:aws:sts::123456789012:federated-user/alice":           "",
		"arn:aws:iam::123456789012:root":                           "",
		"":                                                         "",
	} {
		x := explain(t, conn, found, airhook.Identity{Source: "default chain", ARN: arn}, nil)
		if warned := strings.Contains(strings.Join(x.Warnings, "\n"), "isn't known"); x.User != want || warned != (want == "") {
			t.Errorf("%s: user %q, warnings %q; want %q", arn, x.User, x.Warnings, want)
		}
	}
	conn.Login = "app"
	if x := explain(t, conn, found, airhook.Identity{ARN: "arn:aws:iam::123456789012:user/alice"}, nil); x.User != "app" {
		t.Errorf("a named user became %q", x.User)
	}
}

// Who may not look up an endpoint wants to know who that was.
func TestExplainNamesWhoMayNotLookUpTheEndpoint(t *testing.T) {
	conn := airhook.Connection{ID: "c", Type: "redshift", Login: "app", Extra: mustExtra(`{"iam": true, "cluster_identifier": "my-cluster", "region": "us-east-1"}`)}
	denied := &airhook.Error{ID: "c", Kind: airhook.ErrAccessDenied, Hint: "let it", Policy: json.RawMessage("{}"), Err: errors.New("access denied: user/etl may not redshift:DescribeClusters")}
	who := airhook.Identity{ARN: "arn:aws:iam::123456789012:user/etl"}
	x := explain(t, conn, func(*airhook.Target) error { return denied }, who, nil)
	if x.Identity == nil || *x.Identity != who || x.Host != "" || x.Port != 0 || x.User != "app" || !strings.Contains(strings.Join(x.Warnings, "\n"), "DescribeClusters – let it (airhook policy c)") {
		t.Errorf("got %+v", x)
	}
}

// A role that the aws connection or a profile names signs as much as the extra's own.
func TestExplainNamesTheRoleThatSigns(t *testing.T) {
	const signs = "arn:aws:iam::123456789012:role/teams/load"
	for extra, want := range map[string]string{`{"iam": true}`: signs, `{"iam": true, "role_arn": "arn:aws:iam::123456789012:role/own"}`: "arn:aws:iam::123456789012:role/own"} {
		x := explain(t, connection(t, "redshift", redshiftHost, extra), found, airhook.Identity{ARN: "arn:aws:sts::123456789012:assumed-role/load/x", RoleARN: signs}, nil)
		if x.RoleARN != want {
			t.Errorf("%s: got role %q, want %q", extra, x.RoleARN, want)
		}
	}
}
