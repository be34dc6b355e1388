package airhooktest

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/airhook-go/airhook"
)

// Step is one act of a scripted PostgreSQL in one session. An error ends the session; it fails the test unless it is of
// the network: clients of a failing server hang up.
type Step func(ctx context.Context, s *Session) error

// Session is the server's side of one session of a script, for steps of your own.
type Session struct {
	*pgproto3.Backend
	// Conn is what Backend reads and writes.
	Conn net.Conn
	// Startup is what the client started with.
	Startup *pgproto3.StartupMessage
	// Cancelled is closed when the client asks to cancel.
	Cancelled <-chan struct{}

	pid uint32
}

// Receive returns the client's next message, after answering whatever resets the session. The Backend's own Receive
// returns that too.
func (s *Session) Receive() (pgproto3.FrontendMessage, error) {
	for {
		msg, err := s.Backend.Receive()
		parse, ok := msg.(*pgproto3.Parse)
		if err != nil || !ok || parse.Query != "DISCARD ALL" && parse.Query != "RESET ROLE" {
			return msg, err
		}
		if err := s.reset(parse.Query); err != nil {
			return nil, err
		}
	}
}

// reset answers the rest of a statement of the extended protocol.
func (s *Session) reset(tag string) error {
	s.Send(&pgproto3.ParseComplete{})
	for {
		msg, err := s.Backend.Receive()
		if err != nil {
			return err
		}
		switch msg.(type) {
		case *pgproto3.Bind:
			s.Send(&pgproto3.BindComplete{})
		case *pgproto3.Describe:
			s.Send(&pgproto3.NoData{})
		case *pgproto3.Execute:
			s.Send(&pgproto3.CommandComplete{CommandTag: []byte(tag)})
		case *pgproto3.Sync:
			s.Send(&pgproto3.ReadyForQuery{TxStatus: 'I'})
			return s.Flush()
		}
	}
}

// Script returns a connection to a PostgreSQL on loopback that plays the steps in every session that is opened, from
// the first step, and then waits for the client to leave. It ends with the test. Of a network it has all that a client
// may meet: what it says, how slowly, and where it breaks off are the steps'. The statements by which hooks reset a session
// after each call are answered without a step.
func Script(t testing.TB, steps ...Step) airhook.Connection {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context())) // the test's own ends before its cleanups
	s := &script{t: t, steps: steps, cancels: map[uint32]func(){}}
	s.running.Go(func() { s.serve(ctx, listener) })
	t.Cleanup(func() {
		cancel()
		_ = listener.Close()
		s.running.Wait()
	})
	extra, err := airhook.ParseExtra(`{"sslmode": "disable"}`)
	if err != nil {
		t.Fatal(err)
	}
	return airhook.Connection{
		ID: ID, Type: "postgres", Host: "127.0.0.1", Port: listener.Addr().(*net.TCPAddr).Port,
		Login: "app", Password: airhook.NewSecret("scripted"), Schema: "shop", Extra: extra,
	}
}

type script struct {
	t       testing.TB
	steps   []Step
	running sync.WaitGroup

	mu      sync.Mutex
	last    uint32
	cancels map[uint32]func() // by process id
}

func (s *script) serve(ctx context.Context, listener net.Listener) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		s.running.Go(func() {
			unblock := context.AfterFunc(ctx, func() { _ = conn.Close() })
			defer unblock()
			defer func() { _ = conn.Close() }()
			if err := s.play(ctx, conn); err != nil && ctx.Err() == nil && !ofNetwork(err) {
				s.t.Errorf("scripted PostgreSQL: %v", err)
			}
		})
	}
}

func (s *script) play(ctx context.Context, conn net.Conn) error {
	session := &Session{Backend: pgproto3.NewBackend(conn, conn), Conn: conn}
	if err := s.start(session); err != nil || session.Startup == nil {
		return err
	}
	defer s.forget(session.pid)
	for _, step := range s.steps {
		if err := step(ctx, session); err != nil {
			return err
		}
	}
	for err := error(nil); err == nil; {
		_, err = session.Receive()
	}
	_, err := io.Copy(io.Discard, conn)
	return err
}

// start reads what comes before a session: TLS is refused, a cancel request is told to its session.
func (s *script) start(session *Session) error {
	for session.Startup == nil {
		msg, err := session.ReceiveStartupMessage()
		if err != nil {
			return err
		}
		switch msg := msg.(type) {
		case *pgproto3.SSLRequest, *pgproto3.GSSEncRequest:
			if _, err := session.Conn.Write([]byte{'N'}); err != nil {
				return err
			}
		case *pgproto3.CancelRequest:
			s.cancel(msg.ProcessID)
			return nil
		case *pgproto3.StartupMessage:
			session.Startup = msg
			session.pid, session.Cancelled = s.register()
		}
	}
	return nil
}

func (s *script) register() (uint32, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last++
	done := make(chan struct{})
	s.cancels[s.last] = sync.OnceFunc(func() { close(done) })
	return s.last, done
}

func (s *script) cancel(pid uint32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if cancel := s.cancels[pid]; cancel != nil {
		cancel()
	}
}

func (s *script) forget(pid uint32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.cancels, pid)
}

func ofNetwork(err error) bool {
	var n net.Error
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) || errors.As(err, &n)
}

// Send sends messages of your own.
func Send(messages ...pgproto3.BackendMessage) Step {
	return func(_ context.Context, s *Session) error {
		for _, m := range messages {
			s.Send(m)
		}
		return s.Flush()
	}
}

// AskPassword asks for the password in clear and refuses the login (28P01) unless accept says yes.
func AskPassword(accept func(user, password string) bool) Step {
	return func(ctx context.Context, s *Session) error {
		if err := s.SetAuthType(pgproto3.AuthTypeCleartextPassword); err != nil {
			return err
		}
		if err := Send(&pgproto3.AuthenticationCleartextPassword{})(ctx, s); err != nil {
			return err
		}
		msg, err := s.Receive()
		if err != nil {
			return err
		}
		given, ok := msg.(*pgproto3.PasswordMessage)
		if !ok {
			return fmt.Errorf("got %T, want a password", msg)
		}
		user := s.Startup.Parameters["user"]
		if !accept(user, given.Password) {
			return refuse(ctx, s, "28P01", fmt.Sprintf("password authentication failed for user %q", user))
		}
		return nil
	}
}

// Welcome ends the login: the session is open.
func Welcome() Step {
	return func(ctx context.Context, s *Session) error {
		return Send(&pgproto3.AuthenticationOk{},
			&pgproto3.ParameterStatus{Name: "server_version", Value: "17.0"},
			&pgproto3.ParameterStatus{Name: "client_encoding", Value: "UTF8"},
			&pgproto3.ParameterStatus{Name: "standard_conforming_strings", Value: "on"},
			&pgproto3.BackendKeyData{ProcessID: s.pid, SecretKey: binary.BigEndian.AppendUint32(nil, s.pid)},
			&pgproto3.ReadyForQuery{TxStatus: 'I'})(ctx, s)
	}
}

// Refuse ends the session with a fatal error, as a server does that lets nobody in.
func Refuse(sqlstate, message string) Step {
	return func(ctx context.Context, s *Session) error { return refuse(ctx, s, sqlstate, message) }
}

func refuse(ctx context.Context, s *Session, sqlstate, message string) error {
	if err := Send(failure("FATAL", sqlstate, message))(ctx, s); err != nil {
		return err
	}
	return io.EOF
}

func failure(severity, sqlstate, message string) *pgproto3.ErrorResponse {
	return &pgproto3.ErrorResponse{Severity: severity, SeverityUnlocalized: severity, Code: sqlstate, Message: message}
}

// Wait holds the session until the channel closes; with nil, until the client leaves or the test ends.
func Wait(until <-chan struct{}) Step {
	return func(ctx context.Context, s *Session) error {
		if until == nil {
			_, err := io.Copy(io.Discard, s.Conn)
			return err
		}
		select {
		case <-until:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// WaitForCancel holds the session until the client asks to cancel.
func WaitForCancel() Step {
	return func(ctx context.Context, s *Session) error { return Wait(s.Cancelled)(ctx, s) }
}

// Cut ends the session without a word.
func Cut() Step {
	return func(_ context.Context, s *Session) error {
		_ = s.Conn.Close()
		return io.EOF
	}
}
