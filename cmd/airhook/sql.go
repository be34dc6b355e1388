package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/spf13/cobra"

	"github.com/airhook-go/airhook"
	"github.com/airhook-go/airhook/cmd/airhook/internal/render"
	"github.com/airhook-go/airhook/hook"
	"github.com/airhook-go/airhook/internal/notice"
)

type sqlFlags struct {
	file, to, format string
	params           []string
}

func newSQL(a *app) *cobra.Command {
	var f sqlFlags
	cmd := &cobra.Command{
		Use:   "sql ID [SQL | -f FILE | -]",
		Short: "Run SQL and print the rows",
		Long: `Run statements in one session, in order, each on its own as psql does, and print the rows of the last one. A
failure ends the run; what earlier statements did stays, unless the SQL itself says BEGIN. What the server says beside
the rows goes to standard error. COPY … TO STDOUT comes as the server writes it. Ctrl-C cancels on the server.`,
		Example: `  airhook sql warehouse 'SELECT current_user, current_database()'
  airhook sql warehouse 'SELECT * FROM t WHERE d < $1' -p 2024-01-31 -o jsonl
  airhook sql warehouse -f report.sql --to report.csv`,
		Args: takes(1, 2, "ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.sql(cmd.Context(), args, f)
		},
	}
	flags := cmd.Flags()
	flags.StringVarP(&f.file, "file", "f", "", "read the SQL from `FILE`")
	flags.StringArrayVarP(&f.params, "param", "p", nil, "`VALUE` of $1, $2, … (repeat it); the server finds the type")
	flags.StringVar(&f.to, "to", "", "write the rows to `FILE`, which appears when it is complete; - is standard output")
	flags.StringVar(&f.format, "format", "", "`FORMAT` of --to: csv, json or jsonl (default: by the file's name)")
	return printing(cmd, "csv", "jsonl")
}

func (a *app) sql(ctx context.Context, args []string, f sqlFlags) error {
	text, err := a.statementText(ctx, args[1:], f.file)
	if err != nil {
		return err
	}
	if len(hook.Split(text)) == 0 {
		return errNoSQL
	}
	sink, err := a.sink(f)
	if err != nil {
		return err
	}
	defer sink.discard()
	client, err := a.client(ctx)
	if err != nil {
		return err
	}
	t, err := client.Target(ctx, args[0])
	if err != nil {
		return err
	}
	s := &sqlRun{app: a, id: args[0], redshift: t.Engine == airhook.Redshift}
	statements := s.split(text)
	switch s.total = len(statements); {
	case s.total == 0:
		return errNoSQL
	case s.total > 1 && len(f.params) > 0:
		return usagef("run them one by one", "-p goes with one statement, and these are %d", s.total)
	}
	if err := checkCopy(statements[s.total-1], sink.format); err != nil {
		return err
	}
	if s.conn, err = client.Dial(ctx, s.id, nil); err != nil {
		return err
	}
	defer closeSession(s.conn)
	s.hearNotices()
	if err := s.run(ctx, text, statements, f.params, sink); err != nil {
		return err
	}
	return sink.finish(a)
}

func (s *sqlRun) split(text string) []string {
	if s.redshift {
		return hook.SplitRedshift(text)
	}
	return hook.Split(text)
}

// run runs every statement; the rows of the last one are wanted.
func (s *sqlRun) run(ctx context.Context, text string, statements, params []string, sink *sink) error {
	at := 0
	for i, statement := range statements {
		at += max(0, strings.Index(text[at:], statement))
		s.at, s.before = i+1, text[:at]
		at += len(statement)
		if s.at == s.total {
			break
		}
		if err := s.discard(ctx, statement); err != nil {
			return err
		}
	}
	return s.print(ctx, statements[s.total-1], params, sink)
}

// hearNotices prints what the server says beside the rows, as psql does. --quiet leaves the warnings.
func (s *sqlRun) hearNotices() {
	notice.Hear(s.conn, func(n *pgconn.Notice) {
		if s.app.flags.quiet && n.SeverityUnlocalized != "WARNING" {
			return
		}
		for _, part := range []struct{ name, text string }{{n.Severity, n.Message}, {"DETAIL", n.Detail}, {"HINT", n.Hint}} {
			if part.text != "" {
				s.app.tellLines(part.name + ": " + part.text)
			}
		}
	})
}

var errNoSQL = usagef("give a statement, -f FILE or -", "there is no SQL to run")

// statementText is the argument, the file or standard input.
func (a *app) statementText(ctx context.Context, args []string, file string) (string, error) {
	switch {
	case file != "" && len(args) > 0:
		return "", usagef("give one of them", "-f and SQL exclude each other")
	case file == "-" || len(args) == 1 && args[0] == "-":
		return a.readStdin(ctx)
	case file != "":
		b, err := readFile(file)
		return strings.TrimPrefix(string(b), "\ufeff"), err
	case len(args) == 0:
		return "", usagef("give a statement, -f FILE or - for standard input", "SQL is missing")
	}
	return args[0], nil
}

// closeSession says goodbye; a session that Ctrl-C broke is closed already.
func closeSession(conn *pgconn.PgConn) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = conn.Close(ctx)
}

// sqlRun is one session that runs statements in order.
type sqlRun struct {
	app       *app
	id        string
	conn      *pgconn.PgConn
	redshift  bool
	at, total int
	before    string // the text before the statement that runs now
}

// discard runs a statement whose rows nobody asked for.
func (s *sqlRun) discard(ctx context.Context, statement string) error {
	if copies(statement) {
		rows, err := s.copyOut(ctx, statement, io.Discard)
		if err == nil {
			s.said(pgconn.NewCommandTag("COPY " + strconv.FormatInt(rows, 10)))
		}
		return err
	}
	result := s.conn.ExecParams(ctx, statement, nil, nil, nil, nil)
	for result.NextRow() { // the rows have to be read
	}
	tag, err := result.Close()
	if err != nil {
		return s.failed(statement, err)
	}
	s.said(tag)
	return nil
}

// said tells people what a statement without rows did.
func (s *sqlRun) said(tag pgconn.CommandTag) {
	if s.app.flags.output == "table" && tag.String() != "" {
		s.app.note("%s", tag)
	}
}

// copies recognises COPY from or to us, which speaks a protocol of its own.
func copies(statement string) bool {
	in, out := hook.CopyStream(statement)
	return in || out
}

// checkCopy refuses rows of COPY … TO STDOUT as JSON: the server writes them, and knows none.
func checkCopy(statement string, format render.Format) error {
	if _, out := hook.CopyStream(statement); out && (format == render.JSON || format == render.JSONL) {
		return usagef("SELECT the rows instead, or leave the format to COPY", "COPY … TO STDOUT writes no %s", format)
	}
	return nil
}

// copyOut runs COPY … TO STDOUT and returns the number of rows. COPY … FROM STDIN has nobody to read from.
func (s *sqlRun) copyOut(ctx context.Context, statement string, w io.Writer) (rows int64, err error) {
	if in, _ := hook.CopyStream(statement); in {
		return 0, &airhook.Error{ID: s.id, Kind: airhook.ErrInvalid, Err: errors.New("COPY … FROM STDIN has no rows to read here"), Hint: "use INSERT, or psql's \\copy with airhook token"}
	}
	tag, err := s.conn.CopyTo(ctx, w, statement)
	if err != nil {
		return 0, s.failed(statement, err)
	}
	return tag.RowsAffected(), nil
}

// failed turns what the server or the network said into an *airhook.Error.
func (s *sqlRun) failed(statement string, err error) error {
	if ctxErr := context.Canceled; errors.Is(err, ctxErr) {
		return &airhook.Error{ID: s.id, Kind: airhook.ErrCancelled, Err: err}
	}
	e := &airhook.Error{ID: s.id, Stage: airhook.StageQuery}
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		e.Kind, e.Err = airhook.ErrUnreachable, fmt.Errorf("the session broke: %w", err)
		e.Hint = "look whether the server restarted or ended the session; the statement may or may not have taken effect"
		return e
	}
	e.Kind, e.SQLState, e.Hint = airhook.ErrSQL, pg.Code, pg.Hint
	text := pg.Message
	if line, column := position(s.before+statement, utf8.RuneCountInString(s.before)+int(pg.Position)); pg.Position > 0 {
		text += fmt.Sprintf(" (line %d, column %d)", line, column)
	}
	if pg.Detail != "" {
		text += ": " + pg.Detail
	}
	if s.total > 1 {
		text = fmt.Sprintf("statement %d of %d: %s", s.at, s.total, text)
	}
	e.Err = &sqlError{text: text + " (SQLSTATE " + pg.Code + ")", cause: pg}
	return e
}

// sqlError says what the server said, in our words.
type sqlError struct {
	text  string
	cause error
}

func (e *sqlError) Error() string { return e.text }
func (e *sqlError) Unwrap() error { return e.cause }

// position is the line and column of a character, all counted from 1.
func position(text string, at int) (line, column int) {
	line, column = 1, 1
	for _, r := range text {
		if at--; at == 0 {
			return line, column
		}
		column++
		if r == '\n' {
			line, column = line+1, 1
		}
	}
	return line, column
}
