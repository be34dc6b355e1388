package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/airhook-go/airhook"
	"github.com/airhook-go/airhook/defaults"
	"github.com/airhook-go/airhook/devstack"
	"github.com/airhook-go/airhook/devstack/cloud"
)

// tourIDs are the connections to databases: those of the documentation of Airflow's Postgres provider, and the three ways
// of its Redshift guide: database user, IAM credentials, IAM role.
var tourIDs = []string{"rds_postgres_iam", "redshift_iam", "redshift_serverless_iam", "redshift_default", "redshift_iam_credentials", "redshift_iam_role"}

// tourConnections are tourIDs and the AWS identities that they name, for a stack.
func tourConnections(s devstack.Status) ([]airhook.Connection, error) {
	cluster, _ := s.Instance("my-cluster")
	admin := s.AWS.Principals[0]
	profile := ""
	if at := slices.IndexFunc(s.AWS.Identities, func(i devstack.Identity) bool { return i.Kind == "profile" }); at >= 0 {
		profile = s.AWS.Identities[at].Env["AWS_PROFILE"]
	}
	byProfile := fmt.Sprintf(`{"iam": true, "cluster_identifier": "%s", "port": %d, "region": "%s", "db_user": "%s", "database": "%s", "profile": "%s"}`,
		cluster.ID, cluster.Port, s.AWS.Region, cluster.Users[0], cluster.Database, profile)
	byRole := fmt.Sprintf(`{"role_arn": "%s", "region_name": "%s"}`, s.AWS.Roles[0].ARN, s.AWS.Region)
	return tourMade(s, []tourConnection{
		{"rds_postgres_iam", "postgres", "mydb", "app", "", `{"iam": true, "aws_conn_id": "aws_default"}`},
		{"redshift_iam", "postgres", "my-redshift-cluster", "app", "", `{"iam": true, "redshift": true, "cluster-identifier": "my-redshift-cluster", "aws_conn_id": "my_aws_conn"}`},
		{"redshift_serverless_iam", "postgres", "my-serverless-workgroup", "", "", `{"iam": true, "redshift-serverless": true, "workgroup-name": "my-serverless-workgroup", "aws_conn_id": "my_aws_conn"}`},
		{"redshift_default", "redshift", cluster.ID, cluster.PasswordLogin.User, cluster.PasswordLogin.Password, ""},
		{"redshift_iam_credentials", "redshift", "", "", "", byProfile},
		{"redshift_iam_role", "redshift", cluster.ID, "", "", byRole},
		tourIdentity(s, "aws_default", admin),
		tourIdentity(s, "my_aws_conn", admin),
	})
}

type tourConnection struct{ id, typ, instance, login, password, extra string }

// tourIdentity is an aws connection with somebody's keys.
func tourIdentity(s devstack.Status, id string, who cloud.Principal) tourConnection {
	extra := fmt.Sprintf(`{"region_name": "%s", "endpoint_url": "%s"}`, s.AWS.Region, s.AWS.EndpointURL)
	return tourConnection{id: id, typ: "aws", login: who.AccessKeyID, password: who.SecretAccessKey, extra: extra}
}

// tourMade are connections to the instances that they name.
func tourMade(s devstack.Status, all []tourConnection) (conns []airhook.Connection, err error) {
	for _, c := range all {
		conn := airhook.Connection{ID: c.id, Type: c.typ, Login: c.login, Password: airhook.NewSecret(c.password)}
		if in, found := s.Instance(c.instance); found {
			conn.Host, conn.Port, conn.Schema = in.Endpoint, in.Port, in.Database
		}
		if c.extra != "" {
			if conn.Extra, err = airhook.ParseExtra(c.extra); err != nil {
				return nil, err
			}
		}
		conns = append(conns, conn)
	}
	return conns, nil
}

// store writes the connections to the tour's own store.
func (t *tour) store(ctx context.Context, s devstack.Status) error {
	conns, err := tourConnections(s)
	if err != nil {
		return err
	}
	return t.put(ctx, conns)
}

func (t *tour) put(ctx context.Context, conns []airhook.Connection) error {
	setup, err := defaults.Open(ctx, defaults.Options{Home: t.home})
	if err != nil {
		return err
	}
	for _, conn := range conns {
		if err == nil {
			err = setup.Store.Put(ctx, conn)
		}
	}
	return joined(err, setup.Close())
}

// isolate makes this process forget the user's connections, AWS identity and PostgreSQL settings, and find the stack's AWS
// files in the place of the user's. The quickstart is all that it still does.
func isolate(home string, s devstack.Status) {
	for _, pair := range os.Environ() {
		name, _, _ := strings.Cut(pair, "=")
		for _, prefix := range []string{"AIRFLOW", "AIRHOOK_", "AWS_", "PG", "XDG_"} {
			if strings.HasPrefix(name, prefix) {
				_ = os.Unsetenv(name)
			}
		}
	}
	for name, value := range map[string]string{"HOME": home, "AIRHOOK_HOME": home} {
		_ = os.Setenv(name, value)
	}
	for _, pair := range s.Env() {
		switch name, value, _ := strings.Cut(pair, "="); name {
		case "AIRHOOK_DEV_DIR", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "AWS_EC2_METADATA_DISABLED":
			_ = os.Setenv(name, value)
		}
	}
}

// command runs one of airhook's commands as a shell would, and shows it. want is the exit code that it must have.
func (t *tour) command(ctx context.Context, want int, args ...string) error {
	t.say("   $ airhook %s", shellLine(args))
	var said bytes.Buffer
	code := run(ctx, args, t.clean, strings.NewReader(""), &said, &said)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if code != want {
		return fmt.Errorf("airhook %s: exit %d, not %d: %s", strings.Join(args, " "), code, want, strings.TrimSpace(said.String()))
	}
	_, err := indented(t.out).Write(said.Bytes())
	return err
}

func shellLine(args []string) string {
	words := make([]string, len(args))
	for i, arg := range args {
		words[i] = shellQuote(arg)
	}
	return strings.Join(words, " ")
}

// stay starts the stack again, in a process of its own, and tells the connections where it is now.
func (t *tour) stay(ctx context.Context) error {
	t.note("starting the stack again, in the background")
	status, err := t.detach(ctx, t.dev, t.pgBin, func(string) {}) // the story has told how that goes
	if err != nil {
		return t.advise(err)
	}
	if err := t.store(ctx, status); err != nil {
		_, closing := devstack.Down(context.WithoutCancel(ctx), t.dev) // cleanUp is about to remove the folder
		return joined(err, closing)
	}
	t.say(`
It stays: the stack runs in the background (process %d), the connections are in %s.
Try next:
  export AIRHOOK_HOME=%[3]s
  eval "$(%[6]s%[4]s dev env)"
  %[4]s connections list
  %[4]s sql redshift_iam 'SELECT version()'
End it, and remove everything:
  %[5]s && rm -r %[3]s`, status.PIDs[0], t.base, shellQuote(t.base), program(), t.downLine(), devDirIs(t.dev))
	if t.cache != "" {
		t.say("The PostgreSQL that was fetched is kept for the next time: %s", t.cache)
	}
	return nil
}

// say writes a line of the story.
func (t *tour) say(format string, args ...any) { _, _ = fmt.Fprintf(t.out, format+"\n", args...) }

func (t *tour) title(text string) { t.say("\n%s", text) }

// grid prints rows in columns.
func (t *tour) grid(header []string, rows [][]string) error {
	inner := &app{stdout: &output{w: indented(t.out)}}
	return inner.printGrid(header, rows)
}

func clock() string { return time.Now().Format(time.TimeOnly) }

// pause waits, unless Ctrl-C ends it.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// indented sets every line in by three columns.
func indented(w io.Writer) io.Writer { return &indenter{w: w, fresh: true} }

type indenter struct {
	w     io.Writer
	fresh bool
}

func (i *indenter) Write(p []byte) (int, error) {
	var b bytes.Buffer
	for line := range bytes.Lines(p) {
		if i.fresh && len(bytes.TrimSpace(line)) > 0 {
			b.WriteString("   ")
		}
		b.Write(line)
		i.fresh = line[len(line)-1] == '\n'
	}
	_, err := i.w.Write(b.Bytes())
	return len(p), err
}
