package gateway_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/airhook-go/airhook/devstack/gateway"
)

// tcp opens a connection that says nothing yet. Whatever waits on it fails after a while.
func tcp(t *testing.T, g *gateway.Gateway) net.Conn {
	t.Helper()
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", address(g))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return conn
}

func send(t *testing.T, conn net.Conn, messages ...pgproto3.FrontendMessage) {
	t.Helper()
	var b []byte
	for _, m := range messages {
		var err error
		if b, err = m.Encode(b); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := conn.Write(b); err != nil {
		t.Fatal(err)
	}
}

// answer sends a request that has one byte for an answer.
func answer(t *testing.T, conn net.Conn, request pgproto3.FrontendMessage) string {
	t.Helper()
	send(t, conn, request)
	b := make([]byte, 1)
	if _, err := io.ReadFull(conn, b); err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// session is a client of our own making, for what drivers send and pgx does not.
type session struct {
	t    *testing.T
	conn net.Conn
	*pgproto3.Frontend
}

func secure(t *testing.T, g *gateway.Gateway) *session {
	t.Helper()
	conn := tcp(t, g)
	if got := answer(t, conn, &pgproto3.SSLRequest{}); got != "S" {
		t.Fatalf("TLS: %q", got)
	}
	over := tls.Client(conn, trust())
	if err := over.HandshakeContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	return &session{t, over, pgproto3.NewFrontend(over, over)}
}

// start logs in with a password in clear and returns what the server reported.
func (s *session) start(user, password string, params map[string]string) map[string]string {
	s.t.Helper()
	all := map[string]string{"user": user, "database": "postgres"}
	for name, value := range params {
		all[name] = value
	}
	send(s.t, s.conn, &pgproto3.StartupMessage{ProtocolVersion: pgproto3.ProtocolVersion30, Parameters: all})
	status := map[string]string{}
	for {
		switch m := s.next().(type) {
		case *pgproto3.AuthenticationCleartextPassword:
			send(s.t, s.conn, &pgproto3.PasswordMessage{Password: password})
		case *pgproto3.AuthenticationOk, *pgproto3.BackendKeyData:
		case *pgproto3.ParameterStatus:
			status[m.Name] = m.Value
		case *pgproto3.ReadyForQuery:
			return status
		default:
			s.t.Fatalf("got %#v", m)
		}
	}
}

func (s *session) next() pgproto3.BackendMessage {
	s.t.Helper()
	m, err := s.Receive()
	if err != nil {
		s.t.Fatal(err)
	}
	return m
}

// expect sends messages and wants answers of these types, in this order, without sending anything more.
func (s *session) expect(want string, messages ...pgproto3.FrontendMessage) (last pgproto3.BackendMessage) {
	s.t.Helper()
	send(s.t, s.conn, messages...)
	for _, name := range strings.Fields(want) {
		if last = s.next(); fmt.Sprintf("%T", last) != "*pgproto3."+name {
			s.t.Fatalf("got %#v, want %s", last, name)
		}
	}
	return last
}

func TestRequestsBeforeTheStartup(t *testing.T) {
	t.Parallel()
	g := open(t, gateway.RDS)
	conn := tcp(t, g)
	if got := answer(t, conn, &pgproto3.GSSEncRequest{}); got != "N" {
		t.Errorf("GSS: %q, want N", got)
	}
	if got := answer(t, conn, &pgproto3.SSLRequest{}); got != "S" {
		t.Errorf("TLS after GSS: %q, want S", got)
	}
	over := tls.Client(conn, trust())
	if err := over.HandshakeContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := answer(t, over, &pgproto3.SSLRequest{}); got != "N" {
		t.Errorf("TLS in TLS: %q, want N", got)
	}
}

func TestNothingInClearIsTakenForAPartOfTLS(t *testing.T) {
	t.Parallel()
	conn := tcp(t, open(t, gateway.RDS))
	send(t, conn, &pgproto3.SSLRequest{}, &pgproto3.StartupMessage{ProtocolVersion: pgproto3.ProtocolVersion30, Parameters: map[string]string{"user": "plain"}})
	got, _ := io.ReadAll(conn) // ends by EOF or a reset
	if len(got) == 0 || got[0] != 'S' || bytes.Contains(got, []byte("SCRAM")) {
		t.Errorf("got %q", got)
	}
}

func TestDirectTLSWantsItsProtocolNamed(t *testing.T) {
	t.Parallel()
	g := open(t, gateway.RDS)
	over := tls.Client(tcp(t, g), trust())
	if err := over.HandshakeContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := over.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("got %v, want the end", err)
	}
}

func TestPacketsOfNoUseEndTheConnection(t *testing.T) {
	t.Parallel()
	g := open(t, gateway.Postgres)
	version := binary.BigEndian.AppendUint32(nil, pgproto3.ProtocolVersion30)
	packet := func(body ...byte) []byte {
		return append(binary.BigEndian.AppendUint32(nil, uint32(len(body)+4)), body...)
	}
	for _, test := range []struct {
		name   string
		packet []byte
		code   string // "" is not a word
	}{
		{"short", []byte{0, 0, 0, 7, 0, 3, 0}, ""},
		{"long", binary.BigEndian.AppendUint32(nil, 10_001), ""},
		{"huge", []byte{0xff, 0xff, 0xff, 0xff}, ""},
		{"HTTP", []byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n"), ""},
		{"no end", packet(append(version, "user\x00plain\x00"...)...), "08P01"},
		{"parameter cut short", packet(append(version, "user\x00plain"...)...), "08P01"},
		{"garbage after an end", packet(append(version, "user\x00plain\x00\x00x"...)...), "08P01"},
		{"a key of no size", packet(append(binary.BigEndian.AppendUint32(nil, 80877102), 1, 2, 3)...), ""},
		{"protocol 2.0", packet(0, 2, 0, 0), "0A000"},
	} {
		conn := tcp(t, g)
		_, _ = conn.Write(test.packet)
		got, err := io.ReadAll(conn)
		if test.code == "" && len(got) != 0 || !bytes.Contains(got, []byte(test.code)) {
			t.Errorf("%s: %q, %v, want %q and the end", test.name, got, err, test.code)
		}
	}
	conn := tcp(t, g) // as many packets that need no session as anybody likes
	_, _ = conn.Write(bytes.Repeat([]byte{0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x30}, 50))
	if got, _ := io.ReadAll(conn); len(got) > 10 {
		t.Errorf("%d answers to requests", len(got))
	}
}

func TestANewerProtocolIsNegotiated(t *testing.T) {
	t.Parallel()
	g := open(t, gateway.RDS)
	conn := mustDial(t, g, login{user: "signer", password: "token for signer", protocol: "3.2"})
	if got := text(t, conn, "SELECT 'x'"); got != "x" {
		t.Errorf("got %q", got)
	}
	s := secure(t, g)
	m := s.expect("NegotiateProtocolVersion", &pgproto3.StartupMessage{ProtocolVersion: pgproto3.ProtocolVersion32, Parameters: map[string]string{"user": "signer", "_pq_.magic": "on"}})
	n, _ := m.(*pgproto3.NegotiateProtocolVersion)
	if n.NewestMinorProtocol&0xffff != 0 || !slices.Equal(n.UnrecognizedOptions, []string{"_pq_.magic"}) {
		t.Errorf("got %+v, want 3.0 without extensions", n)
	}
}

func TestErrorsOfTheServerPassBothWaysOfALogin(t *testing.T) {
	t.Parallel()
	g := open(t, gateway.RDS)
	s := secure(t, g)
	m := s.expect("AuthenticationCleartextPassword AuthenticationOk ErrorResponse", &pgproto3.StartupMessage{
		ProtocolVersion: pgproto3.ProtocolVersion30, Parameters: map[string]string{"user": "signer", "database": "missing"},
	},
		&pgproto3.PasswordMessage{Password: "token for signer"})
	if e, _ := m.(*pgproto3.ErrorResponse); e.Code != "3D000" {
		t.Errorf("got %+v, want that the database is missing", e)
	}
	if _, err := dial(t, g, login{user: "signer", password: "token for signer", params: map[string]string{"no_such_thing": "x"}}); err == nil {
		t.Error("RDS takes a parameter that PostgreSQL does not know")
	}
	conn := mustDial(t, g, login{user: "signer", password: "token for signer"})
	var pg *pgconn.PgError
	if _, err := conn.Exec(t.Context(), "SELECT 1/0"); !errors.As(err, &pg) || pg.Code != "22012" {
		t.Errorf("got %v", err)
	}
	if got := conn.PgConn().ParameterStatus("standard_conforming_strings"); got != "on" {
		t.Errorf("RDS reports standard_conforming_strings %q", got)
	}
}

func TestNobodyLearnsWhoExists(t *testing.T) {
	t.Parallel()
	g := open(t, gateway.RDS)
	challenge := func(user string) (salt, iterations string) {
		s := secure(t, g)
		s.expect("AuthenticationSASL", &pgproto3.StartupMessage{ProtocolVersion: pgproto3.ProtocolVersion30, Parameters: map[string]string{"user": user}})
		m := s.expect("AuthenticationSASLContinue", &pgproto3.SASLInitialResponse{AuthMechanism: "SCRAM-SHA-256", Data: []byte("n,,n=,r=nonce")})
		fields := strings.Split(string(m.(*pgproto3.AuthenticationSASLContinue).Data), ",")
		return fields[1], fields[2]
	}
	seen := map[string]string{}
	for _, user := range []string{"plain", "nobody", "somebody", "empty"} {
		salt, iterations := challenge(user)
		if again, _ := challenge(user); again != salt {
			t.Errorf("%s has the salts %q and %q", user, salt, again)
		}
		if other, taken := seen[salt]; taken || len(salt) != len("s=")+24 || iterations != "i=4096" {
			t.Errorf("%s has the salt %q of %q and %s", user, salt, other, iterations)
		}
		seen[salt] = user
	}
}

func TestFlushIsAnsweredAtOnce(t *testing.T) {
	t.Parallel()
	for _, kind := range []gateway.Kind{gateway.RDS, gateway.Redshift} {
		s := secure(t, open(t, kind))
		if kind == gateway.RDS {
			s.start("signer", "token for signer", nil)
		} else {
			s.start("etl", "etl-password", nil)
		}
		const name = "redshift_connector_statement_1"
		s.expect("ParseComplete", &pgproto3.Parse{Name: name, Query: "SELECT $1::text AS a, 2 AS b", ParameterOIDs: []uint32{25}}, &pgproto3.Flush{})
		s.expect("ParameterDescription RowDescription", &pgproto3.Describe{ObjectType: 'S', Name: name}, &pgproto3.Flush{})
		s.expect("ReadyForQuery", &pgproto3.Sync{})
		for _, want := range []string{"one", "two"} {
			s.expect("BindComplete", &pgproto3.Bind{PreparedStatement: name, Parameters: [][]byte{[]byte(want)}, ResultFormatCodes: []int16{0, 1}}, &pgproto3.Flush{})
			m := s.expect("DataRow", &pgproto3.Execute{}, &pgproto3.Flush{})
			if row, _ := m.(*pgproto3.DataRow); string(row.Values[0]) != want || !bytes.Equal(row.Values[1], []byte{0, 0, 0, 2}) {
				t.Errorf("%s: got %q", kind, row.Values)
			}
			s.expect("CommandComplete")
			s.expect("ReadyForQuery", &pgproto3.Sync{})
		}
		s.expect("CloseComplete", &pgproto3.Close{ObjectType: 'S', Name: name}, &pgproto3.Flush{})
		s.expect("ReadyForQuery", &pgproto3.Sync{})
		send(t, s.conn, &pgproto3.Terminate{})
		if _, err := s.Receive(); err == nil {
			t.Errorf("%s: the session goes on after Terminate", kind)
		}
	}
}

func TestCancelHitsTheRunningStatement(t *testing.T) {
	t.Parallel()
	g := open(t, gateway.RDS)
	conn := mustDial(t, g, login{user: "signer", password: "token for signer"})
	failed := make(chan error, 1)
	go func() {
		_, err := conn.Exec(context.WithoutCancel(t.Context()), "SELECT /* victim */ pg_sleep(100)")
		failed <- err
	}()
	waitFor(t, "SELECT count(*) = 1 FROM pg_stat_activity WHERE query LIKE 'SELECT /* victim */%' AND state = 'active'")
	key := cancelKey(conn)
	wrong := slices.Clone(key)
	wrong[len(wrong)-1] ^= 1
	cancel(t, g, wrong)
	select {
	case err := <-failed:
		t.Fatalf("a wrong key ended it: %v", err)
	default:
	}
	cancel(t, g, key)
	var pg *pgconn.PgError
	if err := <-failed; !errors.As(err, &pg) || pg.Code != "57014" {
		t.Errorf("got %v, want that it was cancelled", err)
	}
	cancel(t, g, key) // between two statements
	if got := text(t, conn, "SELECT pg_sleep(0.1)::text || 'x'"); got != "x" {
		t.Errorf("got %q", got)
	}
}

func TestALateCancelHitsNothing(t *testing.T) {
	t.Parallel()
	g := open(t, gateway.RDS)
	gone := mustDial(t, g, login{user: "signer", password: "token for signer"})
	key := cancelKey(gone)
	if err := gone.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	others := make(chan error, 4)
	for range cap(others) {
		conn := mustDial(t, g, login{user: "signer", password: "token for signer"})
		if bytes.Equal(cancelKey(conn), key) {
			t.Error("a key is used again")
		}
		go func() {
			_, err := conn.Exec(context.WithoutCancel(t.Context()), "SELECT pg_sleep(0.3)")
			others <- err
		}()
	}
	cancel(t, g, key)
	for range cap(others) {
		if err := <-others; err != nil {
			t.Errorf("a stranger was hit: %v", err)
		}
	}
}

func cancelKey(conn *pgx.Conn) []byte {
	return append(binary.BigEndian.AppendUint32(nil, conn.PgConn().PID()), conn.PgConn().SecretKey()...)
}

// cancel asks as libpq does, and waits until it was acted on.
func cancel(t *testing.T, g *gateway.Gateway, key []byte) {
	t.Helper()
	conn := tcp(t, g)
	send(t, conn, &pgproto3.CancelRequest{ProcessID: binary.BigEndian.Uint32(key), SecretKey: key[4:]})
	if got, err := io.ReadAll(conn); err != nil || len(got) != 0 {
		t.Errorf("cancel: %q, %v, want the end", got, err)
	}
}

func TestManyRowsAndLargeFramesPass(t *testing.T) {
	t.Parallel()
	for _, kind := range []gateway.Kind{gateway.RDS, gateway.Redshift} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			l := login{user: "signer", password: "token for signer"}
			if kind == gateway.Redshift {
				l = login{user: "etl", password: "etl-password"}
			}
			conn := mustDial(t, open(t, kind), l)
			rows, err := conn.Query(t.Context(), "SELECT i, 'row ' || i FROM generate_series(1, 100000) i", pgx.QueryExecModeExec)
			if err != nil {
				t.Fatal(err)
			}
			n, sum, i, s := 0, 0, 0, ""
			if _, err := pgx.ForEachRow(rows, []any{&i, &s}, func() error { n++; sum += i; return nil }); err != nil || n != 100_000 || sum != 5000050000 || s != "row 100000" {
				t.Errorf("%d rows, sum %d, last %q, %v", n, sum, s, err)
			}
			huge := strings.Repeat("x", 5<<20)
			var back string
			if err := conn.QueryRow(t.Context(), "SELECT $1::text", pgx.QueryExecModeExec, huge).Scan(&back); err != nil || back != huge {
				t.Errorf("5 MB there and back: %d bytes, %v", len(back), err)
			}
			if got := text(t, conn, "SELECT '"+huge+"'"); got != huge {
				t.Errorf("5 MB of SQL: %d bytes", len(got))
			}
		})
	}
}

func TestCopyPassesBothWays(t *testing.T) {
	t.Parallel()
	conn := mustDial(t, open(t, gateway.RDS), login{user: "signer", password: "token for signer"})
	if _, err := conn.Exec(t.Context(), "CREATE TEMP TABLE big (i int, s text)"); err != nil {
		t.Fatal(err)
	}
	var in bytes.Buffer
	for i := range 20 {
		fmt.Fprintf(&in, "%d\t%s\n", i, strings.Repeat(string(rune('a'+i)), 1<<20))
	}
	want := bytes.Clone(in.Bytes())
	if _, err := conn.PgConn().CopyFrom(t.Context(), &in, "COPY big FROM STDIN"); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if _, err := conn.PgConn().CopyTo(t.Context(), &out, "COPY (SELECT * FROM big ORDER BY i) TO STDOUT"); err != nil || !bytes.Equal(out.Bytes(), want) {
		t.Errorf("%d bytes came back of %d, %v", out.Len(), len(want), err)
	}
	pid := conn.PgConn().PID()
	send(t, conn.PgConn().Conn(), &pgproto3.Query{String: "COPY big FROM STDIN"}, &pgproto3.CopyData{Data: bytes.Repeat([]byte("1\tx\n"), 1<<20)},
		&pgproto3.CopyDone{}, &pgproto3.Query{String: fmt.Sprintf("SELECT %d", pid)}) // one frame of 4 MB
	front := conn.PgConn().Frontend()
	for _, want := range strings.Fields("CopyInResponse CommandComplete ReadyForQuery RowDescription DataRow CommandComplete ReadyForQuery") {
		m, err := front.Receive()
		if err != nil || fmt.Sprintf("%T", m) != "*pgproto3."+want {
			t.Fatalf("got %#v, %v, want %s", m, err, want)
		}
	}
}
