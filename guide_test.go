package airhook_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/airhook-go/airhook"
)

// The blocks of Astronomer's "Create an Amazon Redshift connection", with the spaces that they are printed with.
const (
	profileBlock = "\n    {\n        \"iam\": true, \n        \"cluster_identifier\": \"<your-cluster-identifier>\", \n        \"port\": 5439, \n        \"region\": \"<your-region>\",\n        \"db_user\": \"<your-user>\", \n        \"database\": \"<your-database>\", \n        \"profile\": \"<your-profile-name>\"\n    }\n"
	roleBlock    = "\n            {\n            \"role_arn\": \"<your-role-arn>\",\n            \"region_name\": \"<your-region>\"\n            }\n"
)

var filledIn = strings.NewReplacer("<your-cluster-identifier>", "my-cluster", "<your-region>", "us-east-1", "<your-user>", "app", "<your-database>", "dev", "<your-profile-name>", "etl", "<your-role-arn>", "arn:aws:iam::123456789012:role/load")

// Both blocks need no field of the connection but those that the guide fills in.
func TestPrintedBlocksAreCompleteOnceFilledIn(t *testing.T) {
	for name, c := range map[string]struct {
		conn airhook.Connection
		want string // method, host, port, database, user, cluster, profile, role, with IAM
	}{
		"IAM credentials": {airhook.Connection{ID: "c", Type: "redshift", Extra: mustExtra(filledIn.Replace(profileBlock))}, "redshift-iam  5439 dev app my-cluster etl  false"},
		"IAM role": {
			airhook.Connection{ID: "c", Type: "redshift", Host: redshiftHost, Schema: "dev", Port: 5439, Extra: mustExtra(filledIn.Replace(roleBlock))},
			"redshift-iam " + redshiftHost + " 5439 dev  my-cluster  arn:aws:iam::123456789012:role/load true",
		},
		"IAM role with a user": {
			airhook.Connection{ID: "c", Type: "redshift", Host: redshiftHost, Schema: "dev", Port: 5439, Login: "app", Extra: mustExtra(filledIn.Replace(roleBlock))},
			"redshift-iam " + redshiftHost + " 5439 dev app my-cluster  arn:aws:iam::123456789012:role/load false",
		},
		"database user": {
			airhook.Connection{ID: "c", Type: "redshift", Host: redshiftHost, Schema: "dev", Port: 5439, Login: "app", Password: airhook.NewSecret("pw")},
			"password " + redshiftHost + " 5439 dev app    false",
		},
	} {
		got, err := c.conn.Target()
		if text := fmt.Sprint(got.Method, " ", got.Host, " ", got.Port, " ", got.Database, " ", got.User, " ", got.Cluster, " ", got.Profile, " ", got.RoleARN, " ", got.WithIAM()); err != nil || text != c.want || len(got.Warnings) != 0 {
			t.Errorf("%s: got %s, %v, %q\nwant %s", name, text, err, got.Warnings, c.want)
		}
	}
}

func TestPlaceholdersAreRefusedByName(t *testing.T) {
	base := airhook.Connection{ID: "c", Type: "redshift", Host: redshiftHost, Login: "app", Schema: "dev", Extra: mustExtra(`{"iam": true, "region": "us-east-1"}`)}
	with := func(change func(*airhook.Connection)) airhook.Connection {
		c := base
		change(&c)
		return c
	}
	for name, c := range map[string]struct {
		conn  airhook.Connection
		words string
	}{
		"IAM credentials as printed": {airhook.Connection{ID: "c", Type: "redshift", Extra: mustExtra(profileBlock)}, `extra "cluster_identifier" <your-cluster-identifier> my-cluster`},
		"IAM role as printed":        {airhook.Connection{ID: "c", Type: "redshift", Host: redshiftHost, Extra: mustExtra(roleBlock)}, `extra "role_arn" <your-role-arn> arn:aws:iam::123456789012:role/etl`},
		"half of an ARN": {with(func(c *airhook.Connection) {
			c.Extra = mustExtra(`{"role_arn": "arn:aws:iam::<your-aws-account>:role/etl"}`)
		}), `"role_arn" <your-aws-account>`},
		"the field login":  {with(func(c *airhook.Connection) { c.Login = "<your user>" }), `field login <your user> app`},
		"the field schema": {with(func(c *airhook.Connection) { c.Schema = "<DATABASE_NAME>" }), `field schema <DATABASE_NAME> dev`},
		"the field host":   {with(func(c *airhook.Connection) { c.Host = "my-cluster.<id>.us-east-1.redshift.amazonaws.com" }), `field host <id>`},
	} {
		_, err := c.conn.Target()
		var e *airhook.Error
		if !errors.Is(err, airhook.ErrInvalid) || !errors.As(err, &e) {
			t.Errorf("%s: got %v, want invalid", name, err)
			continue
		}
		for _, word := range strings.Fields(c.words) {
			if !strings.Contains(err.Error()+" "+e.Hint, word) {
				t.Errorf("%s: %q is missing in: %v (%s)", name, word, err, e.Hint)
			}
		}
	}
	if _, err := with(func(c *airhook.Connection) { c.Extra = mustExtra(`{"password": "<p>", "query_group": "<q>"}`) }).Target(); err != nil {
		t.Errorf("a password or a parameter may be anything: %v", err)
	}
}

func TestWhoseUserASessionHas(t *testing.T) {
	const own = "the AWS identity's own"
	for extra, want := range map[string]string{ // user, WithIAM, ignored, warned
		`{"iam": true}`: "app false [] false",
		`{"iam": true, "group_federation": true, "db_groups": ["a"]}`:                          " true [db_groups login] false",
		`{"iam": true, "group_federation": false}`:                                             "app false [] false",
		`{"iam": true, "is_serverless": true, "workgroup_name": "w", "group_federation": "1"}`: " false [group_federation login] false",
		`{"iam": false, "group_federation": true}`:                                             "app false [group_federation] false",
		`{"iam": true, "is_serverless": true, "workgroup_name": "w", "auto_create": true}`:     " false [auto_create login] false",
	} {
		got, err := connection(t, "redshift", redshiftHost, extra).Target()
		if err != nil {
			t.Errorf("%s: %v", extra, err)
			continue
		}
		var keys []string
		for _, i := range got.Ignored {
			keys = append(keys, i.Key)
		}
		if text := fmt.Sprint(got.User, " ", got.WithIAM(), " ", keys, " ", len(got.Warnings) > 0); text != want {
			t.Errorf("%s: got %s, want %s", extra, text, want)
		}
	}
	nobody := connection(t, "redshift", redshiftHost, `{"iam": true, "auto_create": true}`)
	nobody.Login = ""
	if got, err := nobody.Target(); err != nil || !got.WithIAM() || len(got.Warnings) != 1 || !strings.Contains(got.Warnings[0], own) || len(got.Ignored) != 1 {
		t.Errorf("without a login: %t, warnings %q, ignored %v, %v", got.WithIAM(), got.Warnings, got.Ignored, err)
	}
	nobody.Extra = mustExtra(`{"iam": true, "user": ""}`)
	if got, err := nobody.Target(); err != nil || !got.WithIAM() {
		t.Errorf("with an empty user: %+v, %v", got, err)
	}
}

func TestAGuessIsToldAndTakenBack(t *testing.T) {
	got, err := connection(t, "redshift", "warehouse.example.com", `{"iam": true}`).Target()
	if err != nil || !got.GuessedID() || got.Cluster != "warehouse" || len(got.Warnings) != 1 {
		t.Fatalf("got %+v, %v", got, err)
	}
	known := got.Identified("my-cluster")
	if known.GuessedID() || known.Cluster != "my-cluster" || len(known.Warnings) != 0 || !got.GuessedID() || len(got.Warnings) != 1 {
		t.Errorf("got %+v of %+v", known, got)
	}
	serverless, err := connection(t, "redshift", "warehouse.example.com", `{"iam": true, "is_serverless": true}`).Target()
	if known := serverless.Identified("wg"); err != nil || known.GuessedID() || known.Workgroup != "wg" || known.Cluster != "" {
		t.Errorf("got %+v, %v", known, err)
	}
}
