package airhook_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/airhook-go/airhook"
)

// connection builds a postgres connection with an extra.
func connection(t *testing.T, kind, host, extra string) airhook.Connection {
	t.Helper()
	e, err := airhook.ParseExtra(extra)
	if err != nil {
		t.Fatal(err)
	}
	return airhook.Connection{ID: "c", Type: kind, Host: host, Login: "app", Schema: "dev", Extra: e}
}

const (
	rdsHost        = "mydb.cluster-xyz.us-east-1.rds.amazonaws.com"
	redshiftHost   = "my-cluster.xyz.us-east-1.redshift.amazonaws.com"
	serverlessHost = "my-workgroup.123456789012.us-east-1.redshift-serverless.amazonaws.com"
)

// The blocks that the Postgres provider's documentation and Astronomer's Redshift guide print.
func TestDocumentedBlocksMeanWhatTheySay(t *testing.T) {
	another := func(kind, host, key, named string) []string {
		return []string{"the endpoint's name says " + kind + " " + host + ", " + key + " says " + named + ": a password for another is refused"}
	}
	for _, c := range []struct {
		name, kind, host, extra string
		want                    airhook.Target
	}{
		{
			"RDS", "postgres", rdsHost, `{"iam": true, "aws_conn_id": "aws_default"}`,
			airhook.Target{Engine: "postgresql", Method: "rds-iam", Port: 5432, SignHost: rdsHost, SignPort: 5432, AWSConnID: "aws_default"},
		},
		{
			"Redshift", "postgres", redshiftHost, `{"iam": true, "redshift": true, "cluster-identifier": "my-redshift-cluster", "aws_conn_id": "my_aws_conn"}`,
			airhook.Target{Engine: "redshift", Method: "redshift-iam", Port: 5439, SignHost: redshiftHost, SignPort: 5439, Cluster: "my-redshift-cluster", AWSConnID: "my_aws_conn", Warnings: another("cluster", "my-cluster", "cluster-identifier", "my-redshift-cluster")},
		},
		{
			"Serverless", "postgres", serverlessHost, `{"iam": true, "redshift-serverless": true, "workgroup-name": "my-serverless-workgroup", "aws_conn_id": "my_aws_conn"}`,
			airhook.Target{Engine: "redshift", Method: "redshift-serverless-iam", Port: 5439, SignHost: serverlessHost, SignPort: 5439, Workgroup: "my-serverless-workgroup", AWSConnID: "my_aws_conn", Ignored: []airhook.Ignored{{Key: "login", Reason: "the session's user is the AWS identity's own, IAM:… or IAMR:…"}}, Warnings: another("workgroup", "my-workgroup", "workgroup-name", "my-serverless-workgroup")},
		},
		{
			"all keys", "postgres", rdsHost, `{"iam": true, "redshift": false, "redshift-serverless": false, "cluster-identifier": "optional-override", "workgroup-name": "optional-override", "aws_conn_id": "aws_default", "region_name": "us-east-1"}`,
			airhook.Target{
				Engine: "postgresql", Method: "rds-iam", Port: 5432, SignHost: rdsHost, SignPort: 5432, AWSConnID: "aws_default", Region: "us-east-1", RegionFrom: "extra region_name",
				Ignored: []airhook.Ignored{{Key: "cluster-identifier", Reason: "only a Redshift cluster has one"}, {Key: "workgroup-name", Reason: "only Redshift Serverless has one"}},
			},
		},
		{
			"role", "redshift", redshiftHost, `{"role_arn": "arn:aws:iam::123456789012:role/load", "region_name": "eu-west-1"}`,
			airhook.Target{Engine: "redshift", Method: "redshift-iam", Port: 5439, SignHost: redshiftHost, SignPort: 5439, Cluster: "my-cluster", AWSConnID: "aws_default", RoleARN: "arn:aws:iam::123456789012:role/load", Region: "eu-west-1", RegionFrom: "extra region_name"},
		},
		{"database user", "redshift", redshiftHost, ``, airhook.Target{Engine: "redshift", Method: "password", Port: 5439, SignHost: redshiftHost, SignPort: 5439}},
	} {
		got, err := connection(t, c.kind, c.host, c.extra).Target()
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		c.want.ID, c.want.Host, c.want.Database = "c", c.host, "dev"
		if c.want.User = "app"; c.want.Workgroup != "" {
			c.want.User = "" // AWS names it
		}
		c.want.TLS.Mode, c.want.ConnectTimeout = "verify-full", 10*time.Second
		c.want.RuntimeParams = map[string]string{"application_name": "airhook"}
		if diff := cmp.Diff(c.want, got, cmpopts.IgnoreUnexported(airhook.Target{}, airhook.TLS{}), cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
}

func TestSwitchesComeAsBooleansOrText(t *testing.T) {
	for text, want := range map[string]string{
		`true`: "rds-iam", `"true"`: "rds-iam", `"True"`: "rds-iam", `1`: "rds-iam", `"yes"`: "rds-iam", `"1"`: "rds-iam",
		`false`: "password", `"false"`: "password", `"False"`: "password", `0`: "password", `"no"`: "password", `null`: "password", `""`: "password",
	} {
		got, err := connection(t, "postgres", "h.example.com", `{"iam": `+text+`}`).Target()
		if err != nil || got.Method != want {
			t.Errorf("iam %s: got %q, %v; want %q", text, got.Method, err, want)
		}
	}
}

func TestRefusesWhatCannotWork(t *testing.T) {
	base := airhook.Connection{ID: "c", Type: "postgres", Host: "h.example.com", Login: "app"}
	with := func(change func(*airhook.Connection)) airhook.Connection {
		c := base
		change(&c)
		return c
	}
	extra := func(text string) airhook.Connection {
		return with(func(c *airhook.Connection) { c.Extra, _ = airhook.ParseExtra(text) })
	}
	for name, c := range map[string]struct {
		conn  airhook.Connection
		words string
	}{
		"flase":                   {extra(`{"iam": "flase"}`), `"iam" "flase" true false`},
		"switch of another kind":  {extra(`{"iam": []}`), `"iam" array`},
		"both switches":           {extra(`{"iam": true, "redshift": true, "redshift-serverless": true}`), `redshift redshift-serverless`},
		"two clusters":            {extra(`{"iam": true, "redshift": true, "cluster-identifier": "a", "cluster_identifier": "b"}`), `cluster-identifier cluster_identifier`},
		"misspelt key":            {extra(`{"iam": true, "cluster-identifer": "a"}`), `cluster-identifer cluster-identifier`},
		"scheme in host":          {with(func(c *airhook.Connection) { c.Host = "https://h" }), `host https`},
		"port in host":            {with(func(c *airhook.Connection) { c.Host = "h:5432" }), `host port`},
		"two hosts":               {with(func(c *airhook.Connection) { c.Host = "h1,h2" }), `host several`},
		"port 70000":              {with(func(c *airhook.Connection) { c.Port = 70000 }), `port 70000`},
		"port 0":                  {base.WithEmpty(airhook.FieldPort), `port 0`},
		"two ports":               {with(func(c *airhook.Connection) { c.Port = 1; c.Extra, _ = airhook.ParseExtra(`{"port": 2}`) }), `port 1 2`},
		"two users":               {extra(`{"db_user": "other"}`), `login db_user other`},
		"no host":                 {with(func(c *airhook.Connection) { c.Host = "" }), `host missing`},
		"no host and no id":       {airhook.Connection{ID: "c", Type: "redshift", Login: "u", Extra: mustExtra(`{"iam": true}`)}, `host cluster-identifier`},
		"no workgroup":            {airhook.Connection{ID: "c", Type: "redshift", Login: "u", Extra: mustExtra(`{"iam": true, "is_serverless": true}`)}, `workgroup`},
		"port 0 in the extra":     {extra(`{"port": 0}`), `port 1 65535`},
		"port 70000 in the extra": {extra(`{"port": "70000"}`), `port 70000 65535`},
		"credentials in host":     {with(func(c *airhook.Connection) { c.Host = "u@h" }), `host credentials`},
		"path in host":            {with(func(c *airhook.Connection) { c.Host = "h/db" }), `host character`},
		"placeholder for a host":  {with(func(c *airhook.Connection) { c.Host = "<your-host>" }), `host placeholder <your-host>`},
		"two users of one extra":  {airhook.Connection{ID: "c", Type: "redshift", Host: "h", Login: "u", Extra: mustExtra(`{"user": "other"}`)}, `login user other`},
		"two ports of one thing":  {airhook.Connection{ID: "c", Type: "redshift", Host: "h", Login: "u", Port: 5439, Extra: mustExtra(`{"port": "5440"}`)}, `port 5439 5440`},
		"schema and database":     {airhook.Connection{ID: "c", Type: "redshift", Host: "h", Login: "u", Schema: "a", Extra: mustExtra(`{"database": "b"}`)}, `schema database`},
		"two databases":           {with(func(c *airhook.Connection) { c.Schema = "a"; c.Extra = mustExtra(`{"dbname": "b"}`) }), `schema dbname`},
		"two passwords": {with(func(c *airhook.Connection) {
			c.Password = airhook.NewSecret("a")
			c.Extra = mustExtra(`{"password": "b"}`)
		}), `password differ`},
		"an object for text":             {extra(`{"sslmode": {}}`), `sslmode object`},
		"an array for a setting":         {extra(`{"application_name": []}`), `application_name array`},
		"half a client certificate":      {extra(`{"sslcert": "/x"}`), `sslcert sslkey`},
		"unknown TLS version":            {extra(`{"ssl_min_protocol_version": "SSLv3"}`), `ssl_min_protocol_version SSLv3 TLSv1.2`},
		"TLS 1.1 at most":                {extra(`{"ssl_max_protocol_version": "TLSv1.1"}`), `ssl_max_protocol_version`},
		"a workgroup without its switch": {airhook.Connection{ID: "c", Type: "redshift", Login: "u", Extra: mustExtra(`{"iam": true, "workgroup-name": "w"}`)}, `cluster is_serverless`},
		"a URL to sign for":              {extra(`{"iam": true, "iam_host": "https://db.example.com:5432/x"}`), `iam_host scheme`},
		"an address that is none":        {extra(`{"hostaddr": "not an address"}`), `hostaddr "not an address"`},
		"ssl off and on":                 {extra(`{"ssl": false, "sslmode": "verify-full"}`), `ssl sslmode verify-full`},
		"ssl on and off":                 {extra(`{"ssl": true, "sslmode": "disable"}`), `ssl sslmode disable`},
		"requiressl":                     {extra(`{"requiressl": 1}`), `requiressl sslmode`},
		"channel binding":                {extra(`{"channel_binding": "maybe"}`), `channel_binding maybe require`},
		"unknown key":                    {extra(`{"a": "b"}`), `"a" unknown`},
		"token over a plain socket":      {extra(`{"iam": "yes", "ssl": false}`), `token`},
		"token over a Unix socket": {with(func(c *airhook.Connection) {
			c.Host, c.Extra = "/run/postgresql", mustExtra(`{"iam": true, "sslmode": "verify-full", "region": "us-east-1"}`)
		}), `host Unix hostaddr`},
		"cluster on a Unix socket": {with(func(c *airhook.Connection) {
			c.Host, c.Extra = "/run/postgresql", mustExtra(`{"iam": true, "redshift": true, "cluster-identifier": "x"}`)
		}), `host Unix`},
		"workgroup on a Unix socket": {with(func(c *airhook.Connection) {
			c.Host, c.Extra = "/run/postgresql", mustExtra(`{"iam": true, "redshift-serverless": true, "workgroup-name": "x"}`)
		}), `host Unix`},
		"a way to log in that is none": {extra(`{"require_auth": "scram"}`), `require_auth scram scram-sha-256`},
		"ways in and not in":           {extra(`{"require_auth": "!md5,password"}`), `require_auth !md5,password`},
		"no login":                     {with(func(c *airhook.Connection) { c.Login = "" }), `login`},
		"no TLS for a token":           {extra(`{"iam": true, "sslmode": "disable"}`), `sslmode token`},
		"unknown sslmode":              {extra(`{"sslmode": "maybe"}`), `sslmode maybe verify-full`},
		"short duration":               {extra(`{"iam": true, "redshift": true, "serverless_token_duration_seconds": 60}`), `serverless_token_duration_seconds 900 3600`},
		"revocation list":              {extra(`{"sslcrl": "/x"}`), `sslcrl`},
		"aws type":                     {with(func(c *airhook.Connection) { c.Type = "aws" }), `aws_conn_id`},
		"http type":                    {with(func(c *airhook.Connection) { c.Type = "http" }), `conn_type http`},
		"no type":                      {with(func(c *airhook.Connection) { c.Type = "" }), `conn_type`},
	} {
		_, err := c.conn.Target()
		var e *airhook.Error
		if !errors.Is(err, airhook.ErrInvalid) || !errors.As(err, &e) || e.ID != "c" || e.Stage != airhook.StageTarget || e.Hint == "" {
			t.Errorf("%s: got %#v", name, err)
			continue
		}
		for _, word := range strings.Fields(c.words) {
			if !strings.Contains(err.Error()+" "+e.Hint, word) {
				t.Errorf("%s: %q is missing in: %v (%s)", name, word, err, e.Hint)
			}
		}
	}
}

// Each round of mending costs: all that is wrong is said at once, and nothing that only follows from it.
func TestAllThatIsWrongIsSaidAtOnce(t *testing.T) {
	for text, want := range map[string]string{ // the extra of a Redshift connection without a host: message and hint
		`{"iam": true, "cluster-identifer": "c", "sslmode": "maybe", "connect_timeout": "x"}`: `neither host nor cluster-identifier tells the cluster; and extra "sslmode" is "maybe" (one of disable, allow, prefer, require, verify-ca, verify-full); ` +
			`and extra "connect_timeout" is "x", not a number from 0 to 3600 (correct connect_timeout of the connection); and extra "cluster-identifer" is unknown (did you mean cluster-identifier, cluster_identifier?) – set host to the cluster's endpoint, or cluster-identifier in the extra`,
		`{"iam": "flase", "sslmode": "maybe"}`: `extra "iam" is "flase", neither true nor false – write true or false`,
		`{"role_arn": "<your-role-arn>", "region_name": "<your-region>"}`: `extra "role_arn" still has the placeholder <your-role-arn>; and extra "region_name" still has the placeholder <your-region> (write your own value in place of <your-region>, as in us-east-1); ` +
			`and neither host nor cluster-identifier tells the cluster (set host to the cluster's endpoint, or cluster-identifier in the extra) – write your own value in place of <your-role-arn>, as in arn:aws:iam::123456789012:role/etl`,
		`{"iam": true, "host": "<your-host>"}`: `extra "host" still has the placeholder <your-host> – write your own value in place of <your-host>, as in my-cluster.abc.us-east-1.redshift.amazonaws.com`,
	} {
		_, err := connection(t, "redshift", "", text).Target()
		var e *airhook.Error
		if !errors.As(err, &e) {
			t.Errorf("%s: %v", text, err)
		} else if got := e.Err.Error() + " – " + e.Hint; got != want {
			t.Errorf("%s:\ngot  %s\nwant %s", text, got, want)
		}
	}
	var keys []string
	for i := range 10_000 {
		keys = append(keys, fmt.Sprintf(`"nope%d": 1`, i))
	}
	if _, err := connection(t, "postgres", "h", "{"+strings.Join(keys, ",")+"}").Target(); err == nil || strings.Count(err.Error(), "is unknown") != 10 || !strings.HasSuffix(err.Error(), "; and more") {
		t.Errorf("of many: %.2000v", err)
	}
	typo := connection(t, "postgress", "https://h", `{"iam": true, "nope": 1}`)
	if _, err := typo.Target(); err == nil || err.Error() != `connection "c": conn_type "postgress" opens no database session; and host holds a scheme (https://) (write the bare host name; port and database have fields of their own)` {
		t.Errorf("got %v", err)
	}
}

func TestAnIdentifierOfItsOwnEndpointIsNoWarning(t *testing.T) {
	for host, extra := range map[string]string{
		redshiftHost:            `{"iam": true, "cluster_identifier": "My-Cluster"}`,
		serverlessHost:          `{"iam": true, "workgroup_name": "my-workgroup"}`,
		"warehouse.example.com": `{"iam": true, "cluster_identifier": "my-cluster"}`,
		"my-endpoint-endpoint-abcdefgh12.123456789012.us-east-1.redshift-serverless.amazonaws.com": `{"iam": true, "workgroup_name": "my-workgroup"}`,
	} {
		if got, err := connection(t, "redshift", host, extra).Target(); err != nil || len(got.Warnings) != 0 {
			t.Errorf("%s: warnings %q, %v", host, got.Warnings, err)
		}
	}
}

func mustExtra(text string) airhook.Extra {
	e, err := airhook.ParseExtra(text)
	if err != nil {
		panic(err)
	}
	return e
}

func TestExtrasBecomeParametersOrAreListed(t *testing.T) {
	got, err := connection(t, "postgres", redshiftHost, `{"redshift": true, "options": "-c x=y", "application_name": "etl", "query_group": "it's", "cursor": "dictcursor", "numeric_to_float": true, "connect_timeout": "3", "sslmode": "require", "keepalives_idle": 30, "aws_conn_id": null}`).Target()
	if err != nil {
		t.Fatal(err)
	}
	if got.RuntimeParams["options"] != "-c x=y" || got.RuntimeParams["application_name"] != "etl" || got.ConnectTimeout != 3*time.Second || got.TLS.Mode != "require" || got.Keepalive.Idle != 30*time.Second {
		t.Errorf("parameters: %+v", got)
	}
	if want := []string{`SET query_group TO 'it''s'`}; !slices.Equal(got.Session, want) {
		t.Errorf("session: got %q, want %q", got.Session, want)
	}
	var keys []string
	for _, i := range got.Ignored {
		keys = append(keys, i.Key)
	}
	if want := []string{"aws_conn_id", "cursor", "numeric_to_float"}; !slices.Equal(keys, want) {
		t.Errorf("ignored: got %q, want %q", keys, want)
	}
}

func TestWhatEachExtraDoes(t *testing.T) {
	show := func(format string, of func(airhook.Target) []any) func(airhook.Target) string {
		return func(t airhook.Target) string { return fmt.Sprintf(format, of(t)...) }
	}
	mode := show("%s", func(t airhook.Target) []any { return []any{t.TLS.Mode} })
	files := show("%s %s %s", func(t airhook.Target) []any { return []any{t.TLS.RootCert, t.TLS.Cert, t.TLS.Key} })
	alive := show("%t %s %s %d", func(t airhook.Target) []any {
		return []any{t.Keepalive.Off, t.Keepalive.Idle, t.Keepalive.Interval, t.Keepalive.Count}
	})
	where := show("%s %s %d", func(t airhook.Target) []any { return []any{t.Host, t.Address, t.Port} })
	signed := show("%s %d", func(t airhook.Target) []any { return []any{t.SignHost, t.SignPort} })
	groups := show("%q %t %s", func(t airhook.Target) []any { return []any{t.DBGroups, t.AutoCreate, t.Duration} })
	method := show("%s %s", func(t airhook.Target) []any { return []any{t.Engine, t.Method} })
	signs := show("%q %q %q", func(t airhook.Target) []any { return []any{t.AWSConnID, t.Profile, t.RoleARN} })
	ignored := show("%v", func(t airhook.Target) []any {
		var keys []string
		for _, i := range t.Ignored {
			keys = append(keys, i.Key)
		}
		return []any{keys}
	})
	params := show("%v %v", func(t airhook.Target) []any { return []any{t.RuntimeParams, t.Session} })
	timeout := show("%s", func(t airhook.Target) []any { return []any{t.ConnectTimeout} })
	for _, c := range []struct {
		kind, host, extra string
		shown             func(airhook.Target) string
		want              string
	}{
		{"postgres", "h", ``, mode, "prefer"},
		{"postgres", rdsHost, ``, mode, "verify-full"},
		{"postgres", "/var/run/postgresql", ``, mode, "disable"},
		{"postgres", "h", `{"ssl": "false"}`, mode, "disable"},
		{"postgres", "h", `{"ssl": true}`, mode, "require"},
		{"redshift", "h", `{"ssl": true}`, mode, "verify-ca"},
		{"redshift", "h", `{"ssl": "true", "sslmode": "verify-full"}`, mode, "verify-full"},
		{"redshift", redshiftHost, `{"ssl": true}`, mode, "verify-full"},
		{"postgres", "h", `{"ssl": true, "sslmode": "prefer"}`, mode, "require"},
		{"postgres", "h", `{"ssl": false, "sslmode": "prefer"}`, mode, "prefer"},
		{"postgres", "/var/run/postgresql", `{"ssl": true}`, mode, "disable"},
		{"postgres", "h", `{"sslrootcert": "/ca"}`, mode, "verify-full"},
		{"postgres", "h", `{"iam": true}`, mode, "verify-full"},
		{"postgres", "h", `{"iam": true, "sslmode": "prefer"}`, mode, "require"},
		{"postgres", "h", `{"sslmode": "verify-ca", "sslcert": "/c", "sslca": "/ca", "sslkey": "/k"}`, files, "/ca /c /k"},
		{"postgres", "h", ``, alive, "false 0s 0s 0"},
		{"postgres", "h", `{"keepalives": 0}`, alive, "true 0s 0s 0"},
		{"redshift", "h", `{"tcp_keepalive": "true", "tcp_keepalive_idle": "200", "tcp_keepalive_interval": 20, "tcp_keepalive_count": 3}`, alive, "false 3m20s 20s 3"},
		{"postgres", "[::1]", `{"port": "6000"}`, where, "::1  6000"},
		{"postgres", "h", `{"hostaddr": "127.0.0.1"}`, where, "h 127.0.0.1 5432"},
		{"redshift", "", `{"host": "h", "port": 5440}`, where, "h  5440"},
		{"postgres", "localhost", `{"iam": true, "iam_host": "DB.example.com", "iam_port": 5432, "port": 6000}`, signed, "db.example.com 5432"},
		{"redshift", "c.example.com", `{"iam": true, "db_groups": "a, b", "auto_create": "true", "duration_seconds": 900}`, groups, `["a" "b"] true 15m0s`},
		{"redshift", "c.example.com", `{"iam": true, "db_groups": ["a b"]}`, groups, `["a b"] false 0s`},
		{"postgres", "h", `{"redshift": true}`, method, "redshift password"},
		{"postgres", redshiftHost, ``, method, "redshift password"},
		{"postgres", redshiftHost, `{"iam": true, "redshift": false}`, method, "postgresql rds-iam"},
		{"redshift", serverlessHost, `{"iam": true}`, method, "redshift redshift-serverless-iam"},
		{"redshift", "h", `{"iam": true, "is_serverless": "true", "serverless_work_group": "w"}`, method, "redshift redshift-serverless-iam"},
		{"redshift", redshiftHost, `{"role_arn": "r"}`, method, "redshift redshift-iam"},
		{"redshift", redshiftHost, `{"role_arn": "r", "iam": false}`, method, "redshift password"},
		{"redshift", redshiftHost, `{"role_arn": "r", "password": "p"}`, method, "redshift password"},
		{"postgres", "h", `{"iam": true}`, signs, `"aws_default" "" ""`},
		{"postgres", "h", `{"iam": true, "aws_conn_id": null}`, signs, `"" "" ""`},
		{"postgres", "h", `{"iam": true, "aws_conn_id": ""}`, signs, `"" "" ""`},
		{"redshift", redshiftHost, `{"iam": true, "profile": "p", "role_arn": "r"}`, signs, `"aws_default" "p" "r"`},
		{"redshift", "h", `{"redshift": true, "role": "r", "lock_timeout": 5}`, ignored, "[lock_timeout redshift role]"},
		{"postgres", "h", `{"sqlalchemy_scheme": "x", "gssencmode": "disable", "azure_conn_id": null}`, ignored, "[azure_conn_id gssencmode sqlalchemy_scheme]"},
		{"postgres", "h", `{"role": "r", "options": "-c a=b", "TimeZone": "UTC"}`, params, "map[TimeZone:UTC application_name:airhook options:-c a=b role:r] []"},
		{"redshift", "h", `{"application_name": "etl", "Timezone": "UTC", "query_group": "a'b\\c"}`, params, `map[application_name:etl] [SET Timezone TO 'UTC' SET query_group TO 'a''b\\c']`},
		{"redshift", "h", `{"search_path": "Sales, public"}`, params, `map[application_name:airhook] [SET search_path TO 'sales', 'public']`},
		{"postgres", "h", `{"search_path": "Sales, public"}`, params, `map[application_name:airhook search_path:Sales, public] []`},
		{"postgres", "h", `{"connect_timeout": "3"}`, timeout, "3s"},
		{"redshift", "h", `{"timeout": 4}`, timeout, "4s"},
		{"postgres", "h", `{"connect_timeout": 0}`, timeout, "10s"},
	} {
		got, err := connection(t, c.kind, c.host, c.extra).Target()
		if err != nil {
			t.Errorf("%s %s %s: %v", c.kind, c.host, c.extra, err)
		} else if text := c.shown(got); text != c.want {
			t.Errorf("%s %s %s: got %s, want %s", c.kind, c.host, c.extra, text, c.want)
		}
	}
}

func TestATokenIsNeverSentToAnotherIdentity(t *testing.T) {
	got, err := connection(t, "redshift", redshiftHost, `{"iam": true, "access_key_id": "AKIAIOSFODNN7EXAMPLE", "secret_access_key": "x"}`).Target()
	if err != nil || got.Refused == "" || strings.Contains(got.Refused, "AKIA") {
		t.Errorf("refused: %q, %v", got.Refused, err)
	}
}

func TestPasswordBesideIAMIsIgnoredWithAWarning(t *testing.T) {
	c := connection(t, "postgres", rdsHost, `{"iam": true}`)
	c.Password = airhook.NewSecret("pw")
	got, err := c.Target()
	if err != nil || !slices.ContainsFunc(got.Warnings, func(w string) bool { return strings.Contains(w, "password is ignored") }) {
		t.Errorf("warnings %q, %v", got.Warnings, err)
	}
}

func TestEndpointNamesTellEngineRegionAndID(t *testing.T) {
	for host, want := range map[string]string{
		"mydb.abc123.eu-west-1.rds.amazonaws.com":                     "postgresql rds-iam eu-west-1  ",
		"MyDB.cluster-ABC.us-east-1.rds.amazonaws.com.":               "postgresql rds-iam us-east-1  ",
		"g.global-abc.global.rds.amazonaws.com":                       "postgresql rds-iam   ",
		"c1.abc.us-east-1.redshift.amazonaws.com":                     "redshift redshift-iam us-east-1 c1 ",
		"c1.abc.redshift.cn-north-1.amazonaws.com.cn":                 "redshift redshift-iam cn-north-1 c1 ",
		"wg.123456789012.us-east-1.redshift-serverless.amazonaws.com": "redshift redshift-serverless-iam us-east-1  wg",
		"db.example.com": "postgresql rds-iam   ",
	} {
		got, err := connection(t, "postgres", host, `{"iam": true}`).Target()
		if err != nil {
			t.Errorf("%s: %v", host, err)
			continue
		}
		if text := strings.Join([]string{string(got.Engine), got.Method, got.EndpointRegion(), got.Cluster, got.Workgroup}, " "); text != want {
			t.Errorf("%s: got %q, want %q", host, text, want)
		}
		if got.SignHost != strings.TrimSuffix(strings.ToLower(host), ".") {
			t.Errorf("%s: signed for %q", host, got.SignHost)
		}
	}
	_, err := connection(t, "postgres", "e-endpoint-abcdefgh12.123456789012.us-east-1.redshift-serverless.amazonaws.com", `{"iam": true}`).Target()
	if !errors.Is(err, airhook.ErrInvalid) || !strings.Contains(err.Error(), "workgroup") {
		t.Errorf("a VPC endpoint's name was taken for a workgroup: %v", err)
	}
}

// What parses is kept byte for byte, shows no secret and reads the same again; what doesn't, names no part of itself.
func FuzzParseExtra(f *testing.F) {
	for _, text := range []string{
		``, `{}`, `{"iam": true, "n": 1.0, "big": 12345678901234567890, "x": NaN}`, `[]`, `{"a": "s3cr3t"`, `{"password": "s3cr3t-and-long"}`,
		`{"nested": {"token": ["s3cr3t-and-long"]}, "uri": "postgres://u:s3cr3t-and-long@h/d"}`, `{"a": 1, "a": 2}`, `"text"`, `{'iam': True}`,
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		e, err := airhook.ParseExtra(text)
		if err != nil {
			if !errors.Is(err, airhook.ErrInvalid) || strings.Contains(err.Error(), "s3cr3t") {
				t.Fatalf("%v", err)
			}
			return
		}
		if e.Reveal() != text {
			t.Fatalf("%q became %q", text, e.Reveal())
		}
		masked := must(airhook.ParseExtra(e.String()))
		if masked.String() != e.String() {
			t.Fatalf("%q, masked twice %q", e.String(), masked.String())
		}
		for key, value := range e.All() {
			if key == "password" && value != `""` && !slices.Contains([]string{"null", "true", "false"}, value) && value[0] != '{' && value[0] != '[' && masked.Text(key).Reveal() != "***" {
				t.Fatalf("%s shows its password", e.String())
			}
		}
	})
}

func FuzzTarget(f *testing.F) {
	f.Add(rdsHost, `{"iam": true}`, 5432)
	f.Add(redshiftHost, `{"iam": "1", "redshift": true, "db_groups": ["a"]}`, 0)
	f.Add(serverlessHost, `{"iam": true, "is_serverless": true, "role_arn": "x"}`, 70000)
	f.Add("/var/run/postgresql", `{"sslmode": "prefer", "keepalives": 0}`, -1)
	f.Add("db.example.com", `{"password": "s3cr3t-and-long", "user": "x", "cluster-identifer": 1}`, 0)
	f.Fuzz(func(t *testing.T, host, text string, port int) {
		extra, err := airhook.ParseExtra(text)
		if err != nil {
			if !errors.Is(err, airhook.ErrInvalid) {
				t.Fatal(err)
			}
			return
		}
		c := airhook.Connection{ID: "c", Type: "postgres", Host: host, Login: "u", Port: port, Extra: extra, Password: airhook.NewSecret("s3cr3t-and-long")}
		got, err := c.Target()
		if err != nil {
			if !errors.Is(err, airhook.ErrInvalid) || !strings.Contains(host, "s3cr3t") && strings.Count(text, "s3cr3t") < 2 && strings.Contains(err.Error(), "s3cr3t-and-long") {
				t.Fatalf("%v", err)
			}
			return
		}
		if got.Host != "" && (got.Port < 1 || got.Port > 65535) || got.Engine == "" || got.Method == "" || got.TLS.Mode == "" {
			t.Fatalf("incomplete: %+v", got)
		}
		if got.Method != airhook.MethodPassword && (got.TLS.Mode == "disable" || got.TLS.Mode == "prefer" || got.TLS.Mode == "allow") {
			t.Fatalf("a token without TLS: %+v", got)
		}
	})
}

func TestChainAsksInOrderAndNamesTheNearest(t *testing.T) {
	env := registry{"warehouse": {ID: "warehouse", Type: "postgres", Host: "env"}}
	store := registry{"warehouse": {ID: "warehouse", Host: "store"}, "lake": {ID: "lake"}}
	chain := airhook.Chain(env, store)
	if c, err := chain.Get(t.Context(), "warehouse"); err != nil || c.Host != "env" {
		t.Errorf("got %v, %v", c, err)
	}
	c := must(airhook.New(airhook.Config{Registry: chain}))
	defer c.Close()
	_, err := c.Get(t.Context(), "warehuose")
	var e *airhook.Error
	if !errors.Is(err, airhook.ErrNotFound) || !errors.As(err, &e) || !strings.Contains(e.Hint, "warehouse") {
		t.Errorf("got %v", err)
	}
	if err := chain.(airhook.Editor).Put(context.Background(), airhook.Connection{ID: "x"}); !errors.Is(err, airhook.ErrReadOnly) {
		t.Errorf("put without an editor: %v", err)
	}
}

func TestALongKeyOrIDMakesAShortMessage(t *testing.T) {
	long := strings.Repeat("k", 1<<20)
	_, err := connection(t, "postgres", "h", `{"`+long+`": 1}`).Target()
	c := must(airhook.New(airhook.Config{Registry: airhook.Chain(registry{"lake": {ID: "lake"}})}))
	defer c.Close()
	for name, err := range map[string]error{"key": err, "id": ignore(c.Get(t.Context(), long))} {
		var e *airhook.Error
		if !errors.As(err, &e) || len(err.Error()+e.Hint) > 500 || !strings.Contains(err.Error(), "kkk…") {
			t.Errorf("%s: %d bytes: %.200s", name, len(err.Error()), err)
		}
	}
}

func TestACustomDomainIsNoGuessWhenTheClusterIsNamed(t *testing.T) {
	got, err := connection(t, "redshift", "c.example.com", `{"iam": true, "cluster_identifier": "x"}`).Target()
	if err != nil || got.Cluster != "x" || len(got.Warnings) != 0 {
		t.Errorf("cluster %q, warnings %q, %v", got.Cluster, got.Warnings, err)
	}
}
