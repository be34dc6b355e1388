package gateway_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"go.uber.org/goleak"

	"github.com/airhook-go/airhook/devstack/gateway"
	"github.com/airhook-go/airhook/devstack/postgres"
)

const endpoint = "mydb.cluster-xyz.us-east-1.rds.amazonaws.com"

// server is what stands behind all gateways of this package's tests, started for the first that asks.
type server struct {
	*postgres.Server
	pool  *pgxpool.Pool
	roles *gateway.Roles
	ca    *gateway.Authority
	err   error
}

var upstream = sync.OnceValue(func() *server {
	started = true
	s := &server{}
	s.err = s.start(context.Background())
	return s
})

// started is for TestMain, which runs alone.
var started bool

func TestMain(m *testing.M) {
	code := m.Run()
	var err error
	if started {
		err = upstream().stop()
	}
	if err == nil && code == 0 {
		err = goleak.Find()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = max(code, 1)
	}
	os.Exit(code)
}

func (s *server) start(ctx context.Context) error {
	programs, err := postgres.Find(ctx, postgres.FindOptions{})
	if err != nil {
		return err
	}
	if s.Server, err = postgres.Start(ctx, postgres.Options{Programs: programs}); err != nil {
		return err
	}
	config, err := pgxpool.ParseConfig("host=" + s.Dir() + " port=5432 user=postgres dbname=postgres sslmode=disable")
	if err != nil {
		return err
	}
	if s.pool, err = pgxpool.NewWithConfig(ctx, config); err != nil {
		return err
	}
	s.roles = gateway.NewRoles(s.pool)
	if s.ca, err = gateway.NewAuthority(); err != nil {
		return err
	}
	_, err = s.pool.Exec(ctx, `CREATE ROLE rds_iam; CREATE ROLE team; GRANT rds_iam TO team;
		CREATE ROLE signer LOGIN; GRANT rds_iam TO signer; CREATE ROLE nested LOGIN; GRANT team TO nested;
		CREATE ROLE plain LOGIN PASSWORD 'pässword'; CREATE ROLE empty LOGIN; CREATE ROLE frozen PASSWORD 'frozen';
		CREATE ROLE etl LOGIN PASSWORD 'etl-password'; CREATE ROLE boss LOGIN SUPERUSER PASSWORD 'boss-password';
		CREATE ROLE maker LOGIN CREATEROLE CREATEDB PASSWORD 'maker-password'`, pgx.QueryExecModeSimpleProtocol)
	return err
}

func (s *server) stop() error {
	if s.pool != nil {
		s.pool.Close()
	}
	if s.Server != nil {
		return s.Close()
	}
	return nil
}

// open opens a gateway of that kind that ends with the test.
func open(t *testing.T, kind gateway.Kind, change ...func(*gateway.Options)) *gateway.Gateway {
	t.Helper()
	s := upstream()
	if s.err != nil {
		t.Fatalf("start PostgreSQL: %v", s.err)
	}
	o := gateway.Options{
		Kind: kind, Name: endpoint, Authority: s.ca, Roles: s.roles, Socket: s.Socket(),
		Token:    func(user, token string) error { return same(token, "token for "+user) },
		Password: temporary,
	}
	for _, c := range change {
		c(&o)
	}
	g, err := gateway.Listen(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := g.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return g
}

func TestAGatewayTakesItsPortUnlessItIsTaken(t *testing.T) {
	t.Parallel()
	free, err := gateway.Loopback(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	port := free.Addr().(*net.TCPAddr).Port
	at := func(o *gateway.Options) { o.Port = port }
	if g := open(t, gateway.RDS, at); g.Port() == port {
		t.Errorf("it has port %d, which is taken", port)
	}
	if err := free.Close(); err != nil {
		t.Fatal(err)
	}
	if g := open(t, gateway.RDS, at); g.Port() != port {
		t.Errorf("it has port %d, not %d, which is free", g.Port(), port)
	}
}

// temporary knows temporary passwords as Redshift's API gives them out: IAM:name, IAMA:name with AutoCreate.
func temporary(_, user, password string) (string, bool, error) {
	prefix, name, _ := strings.Cut(user, ":")
	return name, prefix == "IAMA", same(password, "temporary for "+user)
}

func same(got, want string) error {
	if got != want {
		return errors.New("it is another one")
	}
	return nil
}

type login struct {
	user, password string
	plain, direct  bool
	params         map[string]string
	protocol       string
	database       string
}

func trust() *tls.Config {
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(upstream().ca.PEM())
	return &tls.Config{RootCAs: pool, ServerName: endpoint, MinVersion: tls.VersionTLS12}
}

// dial logs in through the gateway and nothing else: the configuration owes nothing to the environment that matters.
func dial(t *testing.T, g *gateway.Gateway, l login) (*pgx.Conn, error) {
	t.Helper()
	mode := "sslmode=require sslnegotiation=postgres"
	switch {
	case l.plain:
		mode = "sslmode=disable"
	case l.direct:
		mode = "sslmode=require sslnegotiation=direct"
	}
	if l.protocol == "" {
		l.protocol = "3.0"
	}
	config, err := pgx.ParseConfig(fmt.Sprintf("host=127.0.0.1 port=%d user=x dbname=postgres passfile='' %s min_protocol_version=3.0 max_protocol_version=%s", g.Port(), mode, l.protocol))
	if err != nil {
		t.Fatal(err)
	}
	if !l.plain {
		next := config.TLSConfig.NextProtos
		config.TLSConfig = trust()
		config.TLSConfig.NextProtos = next
	}
	config.User, config.Password, config.Fallbacks = l.user, l.password, nil
	if l.database != "" {
		config.Database = l.database
	}
	for name, value := range l.params {
		config.RuntimeParams[name] = value
	}
	conn, err := pgx.ConnectConfig(t.Context(), config)
	if err == nil {
		t.Cleanup(func() { _ = conn.Close(context.WithoutCancel(t.Context())) })
	}
	return conn, err
}

func mustDial(t *testing.T, g *gateway.Gateway, l login) *pgx.Conn {
	t.Helper()
	conn, err := dial(t, g, l)
	if err != nil {
		t.Fatalf("log in as %q: %v", l.user, err)
	}
	return conn
}

func text(t *testing.T, conn *pgx.Conn, sql string, args ...any) string {
	t.Helper()
	var s string
	if err := conn.QueryRow(t.Context(), sql, append([]any{pgx.QueryExecModeExec}, args...)...).Scan(&s); err != nil {
		t.Errorf("%s: %v", sql, err)
	}
	return s
}

func refused(t *testing.T, err error, code, message string) {
	t.Helper()
	var pg *pgconn.PgError
	if !errors.As(err, &pg) || pg.Code != code || !strings.Contains(pg.Message, message) || pg.Severity != "FATAL" {
		t.Errorf("got %v, want a fatal %s with %q", err, code, message)
	}
}

func TestWhoGetsInto(t *testing.T) {
	t.Parallel()
	const pam, wrong, hba = "PAM authentication failed for user", "password authentication failed for user", "pg_hba.conf"
	for _, test := range []struct {
		name          string
		kind          gateway.Kind
		login         login
		role          string // who the session is; or
		code, message string // why there is none
	}{
		{"rds: a token", gateway.RDS, login{user: "signer", password: "token for signer"}, "signer", "", ""},
		{"rds: a token, member by another role", gateway.RDS, login{user: "nested", password: "token for nested"}, "nested", "", ""},
		{"rds: a token over direct TLS", gateway.RDS, login{user: "signer", password: "token for signer", direct: true}, "signer", "", ""},
		{"rds: another user's token", gateway.RDS, login{user: "signer", password: "token for nested"}, "", "28000", pam + ` "signer"`},
		{"rds: a token for who is no member", gateway.RDS, login{user: "plain", password: "token for plain"}, "", "28P01", wrong},
		{"rds: a password", gateway.RDS, login{user: "plain", password: "pässword"}, "plain", "", ""},
		{"rds: a wrong password", gateway.RDS, login{user: "plain", password: "password"}, "", "28P01", wrong + ` "plain"`},
		{"rds: an empty one", gateway.RDS, login{user: "plain"}, "", "28P01", wrong},
		{"rds: nobody", gateway.RDS, login{user: "nobody", password: "x"}, "", "28P01", wrong + ` "nobody"`},
		{"rds: no password set", gateway.RDS, login{user: "empty", password: "x"}, "", "28P01", wrong},
		{"rds: may not log in", gateway.RDS, login{user: "frozen", password: "frozen"}, "", "28P01", wrong},
		{"rds: the stack's own superuser", gateway.RDS, login{user: "boss", password: "boss-password"}, "", "28000", hba},
		{"rds: no user", gateway.RDS, login{}, "", "28000", "no PostgreSQL user name"},
		{"rds: a token without TLS", gateway.RDS, login{user: "signer", password: "token for signer", plain: true}, "", "28000", "no encryption"},
		{"rds: a password without TLS", gateway.RDS, login{user: "plain", password: "pässword", plain: true}, "", "28000", "no encryption"},
		{"postgres: a password without TLS", gateway.Postgres, login{user: "plain", password: "pässword", plain: true}, "plain", "", ""},
		{"postgres: a password", gateway.Postgres, login{user: "plain", password: "pässword"}, "plain", "", ""},
		{"redshift: a temporary password", gateway.Redshift, login{user: "IAM:etl", password: "temporary for IAM:etl"}, "etl", "", ""},
		{"serverless: a temporary password", gateway.RedshiftServerless, login{user: "IAM:etl", password: "temporary for IAM:etl"}, "etl", "", ""},
		{"redshift: another's temporary password", gateway.Redshift, login{user: "IAM:etl", password: "temporary for IAM:plain"}, "", "28000", wrong + ` "IAM:etl"`},
		{"redshift: a user's password", gateway.Redshift, login{user: "etl", password: "etl-password"}, "etl", "", ""},
		{"redshift: a wrong password", gateway.Redshift, login{user: "etl", password: "temporary"}, "", "28000", wrong},
		{"redshift: nobody", gateway.Redshift, login{user: "nobody", password: "x"}, "", "28000", wrong},
		{"redshift: may not log in", gateway.Redshift, login{user: "frozen", password: "frozen"}, "", "28000", wrong},
		{"redshift: a superuser", gateway.Redshift, login{user: "boss", password: "boss-password"}, "", "28000", wrong},
		{"redshift: a superuser by API", gateway.Redshift, login{user: "IAM:boss", password: "temporary for IAM:boss"}, "", "28000", wrong},
		{"redshift: no AutoCreate", gateway.Redshift, login{user: "IAM:fresh", password: "temporary for IAM:fresh"}, "", "28000", wrong},
		{"redshift: AutoCreate", gateway.Redshift, login{user: `IAMA:new "one"`, password: `temporary for IAMA:new "one"`}, `new "one"`, "", ""},
		{"redshift: without TLS", gateway.Redshift, login{user: "etl", password: "etl-password", plain: true}, "", "28000", "no encryption"},
		{"serverless: without TLS", gateway.RedshiftServerless, login{user: "etl", password: "etl-password", plain: true}, "", "28000", "no encryption"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			g := open(t, test.kind)
			conn, err := dial(t, g, test.login)
			if test.code != "" {
				refused(t, err, test.code, test.message)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := text(t, conn, "SELECT session_user::text"); got != test.role {
				t.Errorf("the session is %q's, want %q's", got, test.role)
			}
		})
	}
}

func TestAnInstanceWithoutChecksLetsNobodyIn(t *testing.T) {
	t.Parallel()
	none := func(o *gateway.Options) { o.Token, o.Password = nil, nil }
	_, err := dial(t, open(t, gateway.RDS, none), login{user: "signer", password: ""})
	refused(t, err, "28000", "PAM")
	_, err = dial(t, open(t, gateway.Redshift, none), login{user: "IAM:etl", password: ""})
	refused(t, err, "28000", "password authentication failed")
}

func TestALongTokenArrivesWhole(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("0123456789abcdef", 2500)
	g := open(t, gateway.RDS, func(o *gateway.Options) { o.Token = func(_, token string) error { return same(token, long) } })
	mustDial(t, g, login{user: "signer", password: long})
	_, err := dial(t, g, login{user: "signer", password: strings.Repeat("x", 70_000)})
	refused(t, err, "08P01", "expected password response")
}

func TestWhyALoginIsRefusedIsForTheLogOnly(t *testing.T) {
	t.Parallel()
	var log lines
	g := open(t, gateway.RDS, func(o *gateway.Options) {
		o.Logger = slog.New(slog.NewTextHandler(&log, nil))
		o.Token = func(string, string) error { return errors.New("expired since 10:00") }
	})
	_, err := dial(t, g, login{user: "signer", password: "hush-hush"})
	if refused(t, err, "28000", "PAM"); strings.Contains(err.Error(), "expired") {
		t.Errorf("the client is told %q", err)
	}
	if err := g.Close(); err != nil { // waits for the log
		t.Error(err)
	}
	if got := log.String(); !strings.Contains(got, "expired since 10:00") || strings.Contains(got, "hush-hush") {
		t.Errorf("the log is %q", got)
	}
}

type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func TestCertificates(t *testing.T) {
	t.Parallel()
	g := open(t, gateway.RDS)
	for _, name := range []string{endpoint, "localhost", "127.0.0.1"} {
		if err := handshake(t, g, name); err != nil {
			t.Errorf("as %s: %v", name, err)
		}
	}
	var wrong x509.HostnameError
	if err := handshake(t, g, "other.example.com"); !errors.As(err, &wrong) {
		t.Errorf("as another host: %v", err)
	}
	g.WrongCertificate(true)
	if err := handshake(t, g, endpoint); !errors.As(err, &wrong) {
		t.Errorf("with the wrong certificate: %v", err)
	}
	if _, err := dial(t, g, login{user: "signer", password: "token for signer"}); !errors.As(err, &wrong) {
		t.Errorf("log in with the wrong certificate: %v", err)
	}
	g.WrongCertificate(false)
	if err := handshake(t, g, endpoint); err != nil {
		t.Errorf("with the right one again: %v", err)
	}
	other, err := gateway.NewAuthority()
	if err != nil {
		t.Fatal(err)
	}
	stranger := open(t, gateway.RDS, func(o *gateway.Options) { o.Authority = other })
	var unknown x509.UnknownAuthorityError
	if err := handshake(t, stranger, endpoint); !errors.As(err, &unknown) {
		t.Errorf("of another authority: %v", err)
	}
}

// handshake does direct TLS and checks the name.
func handshake(t *testing.T, g *gateway.Gateway, name string) error {
	t.Helper()
	config := trust()
	config.ServerName, config.NextProtos = name, []string{"postgresql"}
	conn, err := (&tls.Dialer{Config: config}).DialContext(t.Context(), "tcp", address(g))
	if err == nil {
		_ = conn.Close()
	}
	return err
}

func address(g *gateway.Gateway) string { return fmt.Sprintf("127.0.0.1:%d", g.Port()) }

func TestCloseEndsSessionsAndComesTwice(t *testing.T) {
	t.Parallel()
	g := open(t, gateway.RDS)
	conn := mustDial(t, g, login{user: "plain", password: "pässword"})
	half, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", address(g)) // one that has not said a word
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = half.Close() }()
	failed := make(chan error, 1)
	go func() {
		_, err := conn.Exec(context.WithoutCancel(t.Context()), "SELECT pg_sleep(100)")
		failed <- err
	}()
	waitFor(t, "SELECT count(*) = 1 FROM pg_stat_activity WHERE usename = 'plain' AND query = 'SELECT pg_sleep(100)'")
	closed := make(chan error, 1)
	go func() { closed <- errors.Join(g.Close(), g.Close()) }()
	select {
	case err := <-closed:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("Close waits for a statement")
	}
	if err := <-failed; err == nil {
		t.Error("the statement came to an end")
	}
	if _, err := dial(t, g, login{user: "plain", password: "pässword"}); err == nil {
		t.Error("a closed gateway lets somebody in")
	}
}

// waitFor asks the server again and again until the answer is yes; the test's own time limit ends it.
func waitFor(t *testing.T, sql string) {
	t.Helper()
	for yes := false; !yes; {
		if err := upstream().pool.QueryRow(t.Context(), sql).Scan(&yes); err != nil {
			t.Fatal(err)
		}
		if _, err := upstream().pool.Exec(t.Context(), "SELECT pg_sleep(0.02)"); err != nil {
			t.Fatal(err)
		}
	}
}
