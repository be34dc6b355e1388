package airhook

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/airhook-go/airhook/internal/handshake"
	"github.com/airhook-go/airhook/internal/mask"
	"github.com/airhook-go/airhook/internal/reach"
)

// Test walks the stages from the connection to a query, each timed, and stops at the first that fails. The connection
// need not be stored; nothing is answered from a cache, and nothing stays open.
func (c *Client) Test(ctx context.Context, conn Connection) Report {
	run := &testRun{client: c, conn: conn, report: Report{Connection: conn.ID}}
	started := time.Now()
	for _, step := range []struct {
		stage Stage
		do    func(context.Context) (detail string, err error)
	}{
		{StageTarget, run.target},
		{StageEndpoint, run.endpoint},
		{StageDNS, run.dns},
		{StageTCP, run.tcp},
		{StageTLS, run.tls},
		{StageCredential, run.credential},
		{StageLogin, run.login},
		{StageQuery, run.query},
	} {
		if !run.step(ctx, step.stage, step.do) {
			break
		}
	}
	run.close()
	run.report.OK, run.report.Warnings = run.report.err == nil, run.t.Warnings
	run.report.TookMS = Millis(time.Since(started))
	return run.report
}

// errSkip says that a stage does not apply, and why.
type errSkip string

func (e errSkip) Error() string { return string(e) }

type testRun struct {
	client *Client
	conn   Connection
	report Report

	t       Target
	route   *Route
	address string
	budget  time.Duration // what is left of ConnectTimeout for DNS, TCP, TLS and login together
	socket  net.Conn
	cred    Credential
	session *pgx.Conn
}

func (r *testRun) step(ctx context.Context, stage Stage, do func(context.Context) (string, error)) bool {
	started := time.Now()
	detail, err := do(ctx)
	step := Step{Stage: stage, OK: err == nil, Detail: detail, TookMS: Millis(time.Since(started))}
	var skip errSkip
	switch {
	case errors.As(err, &skip):
		step.OK, step.Skipped, step.Detail, err = true, true, string(skip), nil
	case err != nil:
		e := r.failed(ctx, stage, err)
		step.Detail, step.Problem, step.Hint = "", cmp.Or(message(e), e.Error()), e.Hint
		r.report.err = e
	}
	r.report.Steps = append(r.report.Steps, step)
	return err == nil
}

// message is an error's text without the connection's id, which the report has already.
func message(e *Error) string {
	if e.Err == nil {
		return ""
	}
	return e.Err.Error()
}

func (r *testRun) failed(ctx context.Context, stage Stage, err error) *Error {
	var e *Error
	if !errors.As(r.client.explainFailure(ctx, r.t, err), &e) {
		e = &Error{Err: err}
	}
	e.ID, e.Stage = r.conn.ID, stage
	if stage == StageTLS && reach.IsTimeout(err) {
		e.Hint = "it took the connection and then said nothing: is PostgreSQL what listens there?"
	}
	return e
}

func (r *testRun) target(context.Context) (string, error) {
	t, err := r.conn.Target()
	r.t = t
	return string(t.Engine) + ", " + t.Method, err
}

func (r *testRun) endpoint(ctx context.Context) (string, error) {
	t, err := r.client.resolve(ctx, r.conn)
	if err != nil {
		return "", err
	}
	r.t, r.budget = t, t.ConnectTimeout
	r.route = r.client.route(t)
	detail := fmt.Sprintf("%s:%d", t.Host, t.Port)
	if t.Region != "" && t.Method != MethodPassword {
		detail += fmt.Sprintf(", %s (%s)", mask.Field(t.Region), t.RegionFrom)
	}
	return detail, nil
}

// timed bounds a network stage by what is left of the time for all of them.
func (r *testRun) timed(ctx context.Context) (context.Context, context.CancelFunc) {
	started := time.Now()
	ctx, cancel := context.WithTimeout(ctx, r.budget)
	return ctx, func() {
		cancel()
		r.budget = max(r.budget-time.Since(started), time.Millisecond)
	}
}

func (r *testRun) dns(ctx context.Context) (string, error) {
	_, named := pgconn.NetworkAddress(r.t.Host, uint16(r.t.Port))
	r.address = r.t.address(r.route, named)
	switch {
	case r.route != nil:
		return "", errSkip("the dev stack's dial map has it")
	case r.client.cfg.DialFunc != nil:
		return "", errSkip("DialFunc finds the address")
	case r.t.Address != "":
		return "", errSkip("hostaddr gives the address")
	case strings.HasPrefix(r.t.Host, "/"):
		return "", errSkip("a Unix socket")
	case net.ParseIP(r.t.Host) != nil:
		return "", errSkip("the host is an address")
	}
	ctx, cancel := r.timed(ctx)
	defer cancel()
	found, err := net.DefaultResolver.LookupHost(ctx, r.t.Host)
	return strings.Join(found, ", "), err
}

func (r *testRun) tcp(ctx context.Context) (string, error) {
	ctx, cancel := r.timed(ctx)
	defer cancel()
	network, named := pgconn.NetworkAddress(r.t.Host, uint16(r.t.Port))
	socket, err := r.client.dialer(r.t, r.route)(ctx, network, named)
	if err != nil {
		return "", err
	}
	r.socket = socket
	return r.address, nil
}

func (r *testRun) tls(ctx context.Context) (string, error) {
	if strings.HasPrefix(r.t.Host, "/") {
		return "", errSkip("a Unix socket")
	}
	if r.t.TLS.Mode == "disable" {
		return "", errSkip("sslmode is disable")
	}
	wants := r.t.wants(r.route)
	config, err := wants.Config()
	if err != nil {
		return "", r.t.badTLS(err)
	}
	ctx, cancel := r.timed(ctx)
	defer cancel()
	state, err := wants.Start(ctx, r.socket, config)
	switch {
	case errors.Is(err, handshake.ErrNotOffered) && (r.t.TLS.Mode == "allow" || r.t.TLS.Mode == "prefer"):
		return "", errSkip("the server offers none, and sslmode is " + string(r.t.TLS.Mode))
	case err != nil:
		return "", err
	}
	return fmt.Sprintf("%s, %s, until %s", tls.VersionName(state.Version), r.t.TLS.Mode, state.PeerCertificates[0].NotAfter.UTC().Format(time.DateOnly)), nil
}

func (r *testRun) credential(ctx context.Context) (string, error) {
	if r.socket != nil { // it has shown what it could; the login opens its own
		_ = r.socket.Close()
		r.socket = nil
	}
	login, err := r.client.creds.login(r.t)
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, loginTimeout)
	defer cancel()
	if r.cred, err = login(ctx, r.t); err != nil {
		return "", err
	}
	switch {
	case r.t.Method != MethodPassword:
	case r.cred.Password.IsZero():
		return "no password", nil
	default:
		return "a password", nil
	}
	return fmt.Sprintf("for %s, until %s", mask.Field(r.cred.User), r.cred.Expires.UTC().Format(time.TimeOnly+"Z")), nil
}

func (r *testRun) login(ctx context.Context) (string, error) {
	config, err := r.client.pgConfig(r.t, r.route)
	if err != nil {
		return "", err
	}
	setCredential(&config.ConnConfig.Config, r.cred)
	config.ConnConfig.ConnectTimeout = r.budget
	r.session, err = pgx.ConnectConfig(ctx, config.ConnConfig)
	if err != nil {
		return "", err
	}
	return "as " + mask.Field(r.cred.User), r.t.set(ctx, r.session.PgConn())
}

// queryTimeout is for a server that lets us in and then is silent; the statements of others have no limit of ours.
const queryTimeout = 30 * time.Second

func (r *testRun) query(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, queryTimeout, &Error{
		Kind: ErrUnreachable, Err: fmt.Errorf("no answer to a query within %s", queryTimeout), Hint: "the login was accepted: look at the server's load and its queues",
	})
	defer cancel()
	row := r.session.QueryRow(ctx, "SELECT current_user::text, current_database()::text, version()", pgx.QueryExecModeExec)
	if err := row.Scan(&r.report.User, &r.report.Database, &r.report.ServerVersion); err != nil {
		var pg *pgconn.PgError
		if errors.As(err, &pg) {
			return "", &Error{Kind: ErrSQL, SQLState: pg.Code, Err: err, Hint: "the login was accepted; the server's message says what the user lacks"}
		}
		if errors.Is(err, context.DeadlineExceeded) {
			return "", context.Cause(ctx)
		}
		return "", err
	}
	r.report.User, r.report.Database = mask.Field(r.report.User), mask.Field(r.report.Database)
	if _, release, ok := strings.Cut(r.report.ServerVersion, "Redshift "); ok {
		return "Redshift " + release, nil
	}
	version, _, _ := strings.Cut(r.report.ServerVersion, " on ")
	return version, nil
}

func (r *testRun) close() {
	if r.socket != nil {
		_ = r.socket.Close()
	}
	if r.session != nil {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_ = r.session.Close(ctx)
	}
}
