package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/spf13/cobra"

	"github.com/airhook-go/airhook"
	"github.com/airhook-go/airhook/airflow"
	"github.com/airhook-go/airhook/aws/session"
	"github.com/airhook-go/airhook/internal/pyjson"
	"github.com/airhook-go/airhook/internal/suggest"
)

// addFlags are Airflow's flags of `connections add`, and ours.
type addFlags struct {
	uri, json, typ, host, port, login, password, schema, extra, description string

	passwordStdin, overwrite bool
	changed                  func(string) bool
}

func newAdd(a *app) *cobra.Command {
	var f addFlags
	cmd := &cobra.Command{
		Use:   "add ID",
		Short: "Add a connection to the store",
		Long: `Add a connection with Airflow's flags. What is secret is best kept off the command line, where other users of
the machine can read it: --conn-password-stdin reads a line (and asks without echo on a terminal); --conn-uri,
--conn-json and --conn-extra take - for standard input and @FILE for a file.`,
		Example: `  airhook connections add warehouse --conn-type redshift --conn-host my-cluster.xyz.us-east-1.redshift.amazonaws.com \
    --conn-login app --conn-schema dev --conn-extra '{"iam": true}'
  airhook connections add pg --conn-type postgres --conn-host db.example.com --conn-login app --conn-password-stdin
  airhook connections add pg2 --conn-uri @pg2.uri`,
		Args: takes(1, 1, "ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			f.changed = cmd.Flags().Changed
			return a.add(cmd.Context(), args[0], f)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.uri, "conn-uri", "", "the connection as Airflow's `URI`, - or @FILE")
	flags.StringVar(&f.json, "conn-json", "", "the connection as Airflow's `JSON`, - or @FILE")
	flags.StringVar(&f.typ, "conn-type", "", "`TYPE` of the connection: postgres, redshift, aws, …")
	flags.StringVar(&f.host, "conn-host", "", "`HOST` name, of AWS the endpoint")
	flags.StringVar(&f.port, "conn-port", "", "`PORT` (unset: 5432, of Redshift 5439)")
	flags.StringVar(&f.login, "conn-login", "", "database `USER`")
	flags.StringVar(&f.password, "conn-password", "", "`PASSWORD`, visible to others here; see --conn-password-stdin")
	flags.BoolVar(&f.passwordStdin, "conn-password-stdin", false, "read the password from standard input, one line")
	flags.StringVar(&f.schema, "conn-schema", "", "`DATABASE` name")
	flags.StringVar(&f.extra, "conn-extra", "", "extra, a `JSON` object, - or @FILE")
	flags.StringVar(&f.description, "conn-description", "", "`TEXT` for people")
	flags.BoolVar(&f.overwrite, "overwrite", false, "replace the connection if the id exists")
	return cmd
}

func (a *app) add(ctx context.Context, id string, f addFlags) error {
	if err := checkID(id); err != nil {
		return err
	}
	if err := f.check(); err != nil {
		return err
	}
	conn, err := a.build(ctx, id, &f)
	if err != nil {
		return err
	}
	s, err := a.open(ctx)
	if err != nil {
		return err
	}
	verb := "added"
	err = s.Store.Create(ctx, conn)
	if errors.Is(err, airhook.ErrExists) && f.overwrite {
		verb, err = "replaced", s.Store.Put(ctx, conn)
	}
	if err != nil {
		return hinted(hinted(err, airhook.ErrExists, "replace it with --overwrite"), fs.ErrNotExist, "choose another folder with --home or AIRHOOK_HOME")
	}
	a.warnAbout(conn)
	if a.flags.output == "json" {
		return a.printValue(conn)
	}
	return a.printLine("%s %s (%s) %s the store", verb, id, conn.Type, map[string]string{"added": "to", "replaced": "in"}[verb])
}

// hinted gives an error of a kind a hint when it has none.
func hinted(err, kind error, hint string) error {
	var e *airhook.Error
	if !errors.Is(err, kind) || !errors.As(err, &e) || e.Hint != "" {
		return err
	}
	clone := *e
	clone.Hint = hint
	return &clone
}

const maxID = 200 // Airflow's CLI (airflow/utils/helpers.py, validate_key)

// checkID is Airflow's rule for ids on the command line.
func checkID(id string) error {
	odd := strings.IndexFunc(id, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("-._", r)
	})
	if id == "" || odd >= 0 || len([]rune(id)) > maxID {
		return &airhook.Error{
			Kind: airhook.ErrInvalid, Err: fmt.Errorf("%q can't be the id of a connection", id),
			Hint: fmt.Sprintf("ids are letters, digits, dashes, dots and underscores, at most %d", maxID),
		}
	}
	return nil
}

// single are the flags of one field each, in the order of Airflow's message.
var single = []string{"conn-type", "conn-host", "conn-login", "conn-password", "conn-password-stdin", "conn-schema", "conn-port"}

// check refuses flags that contradict each other.
func (f addFlags) check() error {
	for _, x := range [][2]string{{"conn-uri", f.uri}, {"conn-json", f.json}} {
		if name, value := x[0], x[1]; value == "" && f.changed(name) {
			return usagef("give the text itself, - for standard input or @FILE", "--%s is empty", name)
		}
	}
	if f.uri != "" && f.json != "" {
		return usagef("give one of them", "--conn-uri and --conn-json exclude each other")
	}
	if f.uri == "" && f.json == "" {
		if f.typ == "" {
			return usagef("for example --conn-type postgres", "give --conn-type, or a whole connection by --conn-uri or --conn-json")
		}
		if f.changed("conn-password") && f.passwordStdin {
			return usagef("give one of them", "--conn-password and --conn-password-stdin exclude each other")
		}
		return f.checkStdin()
	}
	whole, excluded := "--conn-uri", single
	if f.json != "" {
		whole, excluded = "--conn-json", append([]string{"conn-extra"}, single...)
	}
	for _, name := range excluded {
		if f.changed(name) {
			return usagef("leave one out", "--%s and %s exclude each other", name, whole)
		}
	}
	return f.checkStdin()
}

func (f addFlags) checkStdin() error {
	var readers []string
	for _, x := range []struct {
		flag  string
		reads bool
	}{{"--conn-uri -", f.uri == "-"}, {"--conn-json -", f.json == "-"}, {"--conn-extra -", f.extra == "-"}, {"--conn-password-stdin", f.passwordStdin}} {
		if x.reads {
			readers = append(readers, x.flag)
		}
	}
	if len(readers) > 1 {
		return usagef("give one of them by @FILE", "%s both read standard input", strings.Join(readers, " and "))
	}
	return nil
}

// build reads what the flags point to and makes the connection of it. Everything but the extra's target is checked
// here: what cannot be parsed is not stored.
func (a *app) build(ctx context.Context, id string, f *addFlags) (airhook.Connection, error) {
	fail := func(err error) (airhook.Connection, error) { return airhook.Connection{}, err }
	for _, x := range []struct {
		flag  string
		value *string
	}{{"--conn-uri", &f.uri}, {"--conn-json", &f.json}, {"--conn-extra", &f.extra}} {
		literal := *x.value != "" && *x.value != "-" && !strings.HasPrefix(*x.value, "@")
		text, err := a.valueOf(ctx, x.flag, *x.value)
		if err != nil {
			return fail(err)
		}
		*x.value = text
		if x.flag != "--conn-uri" {
			a.warnRepeated(x.flag, text)
		}
		if literal && holdsSecret(id, x.flag, text) {
			a.warnVisible(x.flag, "- reads standard input, @FILE a file")
		}
	}
	if f.changed("conn-password") {
		a.warnVisible("--conn-password", "--conn-password-stdin reads it from standard input")
	}
	if f.passwordStdin {
		password, err := a.readPassword(ctx)
		if err != nil {
			return fail(err)
		}
		f.password = password
	}
	return f.connection(id)
}

// warnRepeated names the keys of which only the last is kept. What is no JSON is refused later, with the reason.
func (a *app) warnRepeated(flag, text string) {
	v, err := pyjson.Parse(text)
	if err != nil {
		return
	}
	for _, key := range repeated(v) {
		a.warn("%s has the key %q more than once, and the last one counts", flag, key)
	}
}

// repeated are the keys that stand more than once in one object, however deep it lies.
func repeated(v pyjson.Value) (keys []string) {
	times := map[string]int{}
	for _, m := range v.Members {
		if times[m.Key]++; times[m.Key] == 2 {
			keys = append(keys, m.Key)
		}
		keys = append(keys, repeated(m.Value)...)
	}
	for _, item := range v.Items {
		keys = append(keys, repeated(item)...)
	}
	return keys
}

func (a *app) warnVisible(flag, instead string) {
	a.warn("a secret stands in %s, where other users of this machine can see it; %s", flag, instead)
}

// connection parses as Airflow does. Single fields go through its JSON form, which knows how a type is normalised and
// what text is a port.
func (f addFlags) connection(id string) (airhook.Connection, error) {
	fail := func(err error) (airhook.Connection, error) { return airhook.Connection{}, ofConnection(id, err) }
	extra, err := airhook.ParseExtra(f.extra)
	if err != nil {
		return fail(err)
	}
	if _, err := strconv.Atoi(strings.TrimSpace(f.port)); f.port != "" && err != nil {
		return fail(usagef("a whole number, for example 5432", "--conn-port can't be %q", f.port))
	}
	var conn airhook.Connection
	switch {
	case f.uri != "":
		if conn, err = airflow.ParseURI(id, f.uri); err == nil && f.extra != "" {
			conn.Extra = extra
		}
	case f.json != "":
		conn, err = airflow.ParseJSON(id, f.json)
	default:
		conn, err = airflow.ParseJSON(id, f.asJSON())
	}
	if err != nil {
		return fail(err)
	}
	if f.changed("conn-description") {
		conn.Description = f.description
	}
	if conn.Type == "" && f.uri != "" { // Airflow takes any text for the rest of a URI
		return fail(&airhook.Error{Kind: airhook.ErrInvalid, Err: errors.New("--conn-uri is no URI: type:// is missing at its beginning"), Hint: "write it as type://login@host:port/database?key=value, for example postgres://app@db.example.com/sales; @FILE reads a file"})
	}
	if conn.Type == "" {
		return fail(&airhook.Error{Kind: airhook.ErrInvalid, Err: errors.New("the connection has no conn_type"), Hint: "for example postgres or redshift"})
	}
	return conn, nil
}

// ofConnection gives an error that names no connection its id.
func ofConnection(id string, err error) error {
	var e *airhook.Error
	if !errors.As(err, &e) || e.ID != "" {
		return err
	}
	clone := *e
	clone.ID = id
	return &clone
}

// asJSON has the fields that were given, an empty one too.
func (f addFlags) asJSON() string {
	fields := map[string]string{"conn_type": f.typ}
	for name, value := range map[string]string{
		"host": f.host, "port": f.port, "login": f.login, "password": f.password, "schema": f.schema, "extra": f.extra,
	} {
		if value != "" || f.changed("conn-"+name) {
			fields[name] = value
		}
	}
	b, _ := json.Marshal(fields)
	return string(b)
}

// holdsSecret reports whether a literal on the command line has a password or a sensitive extra. What cannot be parsed
// is refused later, with the reason.
func holdsSecret(id, flag, text string) bool {
	conn := airhook.Connection{}
	var err error
	switch flag {
	case "--conn-uri":
		conn, err = airflow.ParseURI(id, text)
	case "--conn-json":
		conn, err = airflow.ParseJSON(id, text)
	default:
		conn.Extra, err = airhook.ParseExtra(text)
	}
	return err == nil && (!conn.Password.IsZero() || strings.Count(conn.Extra.String(), "***") > strings.Count(conn.Extra.Reveal(), "***"))
}

// databases are the types that a session can be opened to.
var databases = []string{"postgres", "postgresql", "redshift"}

func opensSession(connType string) bool { return slices.Contains(databases, connType) }

// meantType is the type that a misspelt one is near to, or "".
func meantType(connType string) string {
	known := []string{"postgres", "redshift", "aws"}
	if near := suggest.Nearest(connType, known); len(near) > 0 && !slices.Contains(known, connType) {
		return near[0]
	}
	return ""
}

// meaning is what a connection was refused for; a type that is nearly one of ours is the hint then.
func meaning(conn airhook.Connection, err error) error {
	misspelt := meantType(conn.Type)
	var e *airhook.Error
	if misspelt == "" || !errors.As(err, &e) {
		return err
	}
	clone := *e
	clone.Hint = "did you mean " + misspelt + "?"
	return &clone
}

// meant is meaning of the connection that an error names, whichever command met it.
func (a *app) meant(ctx context.Context, err error) error {
	var e *airhook.Error
	var shown *shownError
	if a.opened == nil || !errors.Is(err, airhook.ErrInvalid) || errors.As(err, &shown) || !errors.As(err, &e) {
		return err
	}
	conn, unread := a.opened.Client.Get(ctx, e.ID)
	if unread != nil {
		return err
	}
	return meaning(conn, err)
}

// warnAbout says what a stored connection will be refused for, what a person should look at, and what hides it.
func (a *app) warnAbout(conn airhook.Connection) {
	warnings, err := understood(conn)
	if err != nil {
		a.warn("it is stored, but can't be used yet: %s", withHint(err))
	}
	for _, w := range warnings {
		a.warn("%s", w)
	}
	if a.inEnvironment(conn.ID) {
		a.warn("%s is set and wins over the store", airflow.EnvName(conn.ID))
	}
}

// understood reads a connection as a login will, without asking anybody.
func understood(conn airhook.Connection) (warnings []string, err error) {
	switch {
	case opensSession(conn.Type) || meantType(conn.Type) != "":
		t, err := conn.Target()
		return t.Warnings, meaning(conn, ofConnection(conn.ID, err))
	case conn.Type == "aws":
		return session.Check(conn)
	}
	return nil, nil
}

func withHint(err error) string {
	if hint := describe(err).Hint; hint != "" {
		return err.Error() + " – " + hint
	}
	return err.Error()
}
