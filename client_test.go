package airhook_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"
	"go.uber.org/goleak"

	"github.com/airhook-go/airhook"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// server speaks just enough of PostgreSQL to let a password in or not, and counts what it was offered.
type server struct {
	port     int
	accept   func(password string) bool
	tls      *tls.Config // nil: no TLS is offered
	mu       sync.Mutex
	offered  []string
	queries  []string
	startups []map[string]string
}

func serve(t *testing.T, accept func(string) bool) *server { return serveTLS(t, nil, accept) }

func serveTLS(t *testing.T, secure *tls.Config, accept func(string) bool) *server {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &server{port: l.Addr().(*net.TCPAddr).Port, accept: accept, tls: secure}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { s.session(conn) })
		}
	})
	t.Cleanup(func() { _ = l.Close(); wg.Wait() })
	return s
}

func (s *server) session(conn net.Conn) {
	defer conn.Close()
	b := pgproto3.NewBackend(conn, conn)
	start, err := b.ReceiveStartupMessage()
	if _, ok := start.(*pgproto3.SSLRequest); ok {
		if s.tls == nil {
			_, _ = conn.Write([]byte{'N'})
		} else {
			_, _ = conn.Write([]byte{'S'})
			conn = tls.Server(conn, s.tls)
			b = pgproto3.NewBackend(conn, conn)
		}
		start, err = b.ReceiveStartupMessage()
	}
	if m, ok := start.(*pgproto3.StartupMessage); err != nil || !ok {
		return
	} else {
		s.mu.Lock()
		s.startups = append(s.startups, m.Parameters)
		s.mu.Unlock()
	}
	b.Send(&pgproto3.AuthenticationCleartextPassword{})
	_ = b.Flush()
	_ = b.SetAuthType(pgproto3.AuthTypeCleartextPassword)
	msg, err := b.Receive()
	password, ok := msg.(*pgproto3.PasswordMessage)
	if err != nil || !ok {
		return
	}
	s.mu.Lock()
	s.offered = append(s.offered, password.Password)
	s.mu.Unlock()
	if !s.accept(password.Password) {
		b.Send(&pgproto3.ErrorResponse{Severity: "FATAL", Code: "28P01", Message: "password authentication failed"})
		_ = b.Flush()
		return
	}
	b.Send(&pgproto3.AuthenticationOk{})
	b.Send(&pgproto3.BackendKeyData{ProcessID: 1, SecretKey: []byte{0, 0, 0, 2}})
	b.Send(&pgproto3.ReadyForQuery{TxStatus: 'I'})
	_ = b.Flush()
	for { // until it leaves; every simple statement has the tag of a SET and no rows
		msg, err := b.Receive()
		q, ok := msg.(*pgproto3.Query)
		if err != nil || !ok {
			return
		}
		s.mu.Lock()
		s.queries = append(s.queries, q.String)
		s.mu.Unlock()
		b.Send(&pgproto3.CommandComplete{CommandTag: []byte("SET")})
		b.Send(&pgproto3.ReadyForQuery{TxStatus: 'I'})
		_ = b.Flush()
	}
}

// seen is what the server was offered so far.
func (s *server) seen() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.offered)
}

// client returns a client with one connection "c" whose tokens are made by login. Tests have no TLS here, so the
// target's token check is stepped around by a method of the test's own.
func client(t *testing.T, s *server, login airhook.Login) *airhook.Client {
	t.Helper()
	c, err := airhook.New(airhook.Config{
		Registry: registry{"c": {ID: "c", Type: "postgres", Host: "127.0.0.1", Port: s.port, Login: "u", Schema: "d", Extra: mustExtra(`{"sslmode": "disable"}`)}},
		Logins:   map[string]airhook.Login{"test": login},
		Resolve: func(_ context.Context, target airhook.Target) (airhook.Target, error) {
			target.Method = "test"
			return target, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// tokens makes a new token at each call.
func tokens(calls *atomic.Int64, life time.Duration) airhook.Login {
	return func(context.Context, airhook.Target) (airhook.Credential, error) {
		n := calls.Add(1)
		return airhook.Credential{User: "u", Password: airhook.NewSecret(fmt.Sprintf("token-%d", n)), Expires: time.Now().Add(life)}, nil
	}
}

func TestRejectedCredentialIsSignedAnewOnce(t *testing.T) {
	var calls atomic.Int64
	s := serve(t, func(p string) bool { return p == "token-2" })
	c := client(t, s, tokens(&calls, time.Hour))
	conn, err := c.Acquire(t.Context(), "c")
	if err != nil {
		t.Fatal(err)
	}
	conn.Release()
	if calls.Load() != 2 || strings.Join(s.offered, " ") != "token-1 token-2" {
		t.Errorf("%d logins, offered %q", calls.Load(), s.offered)
	}
}

func TestRejectedForEverIsNoStorm(t *testing.T) {
	var calls atomic.Int64
	s := serve(t, func(string) bool { return false })
	c := client(t, s, tokens(&calls, time.Hour))
	_, err := c.Acquire(t.Context(), "c")
	var e *airhook.Error
	if !errors.Is(err, airhook.ErrLogin) || !errors.As(err, &e) || e.SQLState != "28P01" || e.Stage != airhook.StageLogin || e.ID != "c" || e.Hint == "" {
		t.Errorf("got %#v", err)
	}
	if strings.Contains(err.Error(), "token-") {
		t.Errorf("a token shows: %v", err)
	}
	if _, err = c.Dial(t.Context(), "c", nil); !errors.Is(err, airhook.ErrLogin) {
		t.Errorf("dial: %v", err)
	}
	if n := len(s.offered); n != 3 || calls.Load() != 2 {
		t.Errorf("the server saw %d logins of two calls with %d credentials, want 3 with 2: nothing new is signed at once for who is never let in", n, calls.Load())
	}
}

func TestManySessionsShareOneCredential(t *testing.T) {
	var calls atomic.Int64
	s := serve(t, func(string) bool { return true })
	c := client(t, s, tokens(&calls, time.Hour))
	var wg sync.WaitGroup
	for range 1000 {
		wg.Go(func() {
			conn, err := c.Acquire(t.Context(), "c")
			if err != nil {
				t.Error(err)
				return
			}
			conn.Conn().PgConn().Conn() // in use while others ask
			conn.Release()
		})
	}
	wg.Wait()
	if calls.Load() != 1 {
		t.Errorf("%d logins", calls.Load())
	}
}

func TestCallerCancelledWhileOthersWait(t *testing.T) {
	release := make(chan struct{})
	s := serve(t, func(string) bool { return true })
	c := client(t, s, func(ctx context.Context, _ airhook.Target) (airhook.Credential, error) {
		select {
		case <-release:
		case <-ctx.Done():
			return airhook.Credential{}, ctx.Err()
		}
		return airhook.Credential{User: "u", Password: airhook.NewSecret("p")}, nil
	})
	ctx, cancel := context.WithCancel(t.Context())
	failed, patient := make(chan error), make(chan error)
	go func() { _, err := c.Credential(ctx, "c"); failed <- err }()
	go func() { _, err := c.Credential(t.Context(), "c"); patient <- err }()
	cancel()
	if err := <-failed; !errors.Is(err, context.Canceled) && !errors.Is(err, airhook.ErrCancelled) {
		t.Errorf("cancelled caller: %v", err)
	}
	close(release)
	if err := <-patient; err != nil {
		t.Errorf("patient caller: %v", err)
	}
}

// The values are nonsense on purpose: any that came through would break or show.
func TestSessionsAreHermeticAgainstPGVariables(t *testing.T) {
	for _, name := range []string{
		"HOST", "HOSTADDR", "PORT", "DATABASE", "USER", "PASSWORD", "PASSFILE", "APPNAME", "CONNECT_TIMEOUT", "SSLMODE", "SSLKEY", "SSLCERT",
		"SSLCERTMODE", "SSLSNI", "SSLROOTCERT", "SSLPASSWORD", "SSLNEGOTIATION", "TARGETSESSIONATTRS", "SERVICE", "SERVICEFILE", "TZ", "OPTIONS",
		"MINPROTOCOLVERSION", "MAXPROTOCOLVERSION", "CHANNELBINDING", "REQUIREAUTH",
	} {
		t.Setenv("PG"+name, "/nope")
	}
	var calls atomic.Int64
	s := serve(t, func(string) bool { return true })
	c := client(t, s, tokens(&calls, time.Hour))
	conn, err := c.Dial(t.Context(), "c", map[string]string{"application_name": "mine"})
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.Close(t.Context())
	got := s.startups[0]
	if len(got) != 3 || got["user"] != "u" || got["database"] != "d" || got["application_name"] != "mine" {
		t.Errorf("startup parameters: %v", got)
	}
}

func TestNobodyListens(t *testing.T) {
	s := serve(t, func(string) bool { return true })
	port := s.port
	c := client(t, &server{port: port}, nil)
	report := c.Test(t.Context(), airhook.Connection{ID: "x", Type: "postgres", Host: "127.0.0.1", Port: 1, Login: "u"})
	last := report.Steps[len(report.Steps)-1]
	if report.OK || last.Stage != airhook.StageTCP || last.Problem == "" || last.Hint == "" || !errors.Is(report.Err(), airhook.ErrUnreachable) {
		t.Errorf("got %+v", report)
	}
	report = c.Test(t.Context(), airhook.Connection{ID: "x", Type: "postgres", Host: "no-such-host.invalid", Login: "u"})
	if last = report.Steps[len(report.Steps)-1]; last.Stage != airhook.StageDNS || !errors.Is(report.Err(), airhook.ErrUnreachable) {
		t.Errorf("got %+v", report)
	}
}

func TestSilentServerIsCutByConnectTimeout(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c := client(t, &server{port: l.Addr().(*net.TCPAddr).Port}, tokens(new(atomic.Int64), time.Hour))
	started := time.Now()
	report := c.Test(t.Context(), airhook.Connection{ID: "x", Type: "postgres", Host: "127.0.0.1", Port: l.Addr().(*net.TCPAddr).Port, Login: "u", Extra: mustExtra(`{"connect_timeout": 1}`)})
	if !errors.Is(report.Err(), airhook.ErrUnreachable) || time.Since(started) > 5*time.Second {
		t.Errorf("after %s: %+v", time.Since(started), report)
	}
	pooled := must(airhook.New(airhook.Config{Registry: registry{"x": {ID: "x", Type: "postgres", Host: "127.0.0.1", Port: l.Addr().(*net.TCPAddr).Port, Login: "u", Extra: mustExtra(`{"connect_timeout": 1}`)}}}))
	defer pooled.Close()
	for name, open := range map[string]func() error{
		"acquire": func() error { return ignore(pooled.Acquire(t.Context(), "x")) }, "dial": func() error { return ignore(pooled.Dial(t.Context(), "x", nil)) },
	} {
		started = time.Now()
		err := open()
		if airhook.KindOf(err) != "unreachable" || !strings.Contains(err.Error(), "within 1s") || time.Since(started) > 5*time.Second {
			t.Errorf("%s after %s: %v", name, time.Since(started), err)
		}
	}
}

func TestPutIsSeenByTheNextSession(t *testing.T) {
	s := serve(t, func(string) bool { return true })
	r := &editable{registry: registry{"c": {ID: "c", Type: "postgres", Host: "127.0.0.1", Port: s.port, Login: "one", Extra: mustExtra(`{"sslmode": "disable"}`)}}}
	c := must(airhook.New(airhook.Config{Registry: r}))
	defer c.Close()
	for _, user := range []string{"one", "two"} {
		conn := r.registry["c"]
		conn.Login = user
		if err := c.Put(t.Context(), conn); err != nil {
			t.Fatal(err)
		}
		session, err := c.Acquire(t.Context(), "c")
		if err != nil {
			t.Fatal(err)
		}
		session.Release()
	}
	if s.startups[0]["user"] != "one" || s.startups[1]["user"] != "two" {
		t.Errorf("got %v", s.startups)
	}
}

type editable struct{ registry }

func (e *editable) Put(_ context.Context, c airhook.Connection) error {
	e.registry[c.ID] = c
	return nil
}
func (e *editable) Delete(_ context.Context, id string) error { delete(e.registry, id); return nil }

func BenchmarkCredential(b *testing.B) {
	cold := func(b *testing.B) *airhook.Client {
		b.Helper()
		return must(airhook.New(airhook.Config{
			Registry: registry{"c": {ID: "c", Type: "postgres", Host: "127.0.0.1", Login: "u"}},
			Logins:   map[string]airhook.Login{"test": tokens(new(atomic.Int64), time.Hour)},
			Resolve:  func(_ context.Context, t airhook.Target) (airhook.Target, error) { t.Method = "test"; return t, nil },
		}))
	}
	ctx := b.Context()
	b.Run("cold", func(b *testing.B) { // registry, target, login and pool of a new client
		b.ReportAllocs()
		for b.Loop() {
			c := cold(b)
			if _, err := c.Credential(ctx, "c"); err != nil {
				b.Fatal(err)
			}
			c.Close()
		}
	})
	b.Run("cached", func(b *testing.B) {
		c := cold(b)
		defer c.Close()
		b.ReportAllocs()
		for b.Loop() {
			if _, err := c.Credential(ctx, "c"); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("cached-parallel", func(b *testing.B) {
		c := cold(b)
		defer c.Close()
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if _, err := c.Credential(ctx, "c"); err != nil {
					b.Error(err)
				}
			}
		})
	})
}
