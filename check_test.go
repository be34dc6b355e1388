package airhook_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/airhook-go/airhook"
	"github.com/airhook-go/airhook/airhooktest"
	"github.com/airhook-go/airhook/internal/notice"
)

// stages is a report in words: each stage with ok, -- (skipped) or FAILED.
func stages(r airhook.Report) string {
	var words []string
	for _, s := range r.Steps {
		state := "ok"
		switch {
		case s.Skipped:
			state = "--"
		case !s.OK:
			state = "FAILED"
		}
		words = append(words, string(s.Stage)+" "+state)
	}
	return strings.Join(words, ", ")
}

func anyPassword(string, string) bool { return true }

var answer = airhooktest.Answer(airhooktest.Reply{Columns: []string{"u", "d", "v"}, Rows: [][]string{{"app", "shop", "PostgreSQL 17.0 on x86_64"}}})

func TestStagesOnAScriptedServer(t *testing.T) {
	const before = "target ok, endpoint ok, dns --, tcp ok, tls --, credential ok, "
	for name, c := range map[string]struct {
		script []airhooktest.Step
		change func(*airhook.Connection)
		stages string
		kind   string // "" when it passes
		words  string // of the last step's problem and hint, or detail
	}{
		"passes": {
			script: []airhooktest.Step{airhooktest.AskPassword(anyPassword), airhooktest.Welcome(), answer},
			stages: before + "login ok, query ok", words: "PostgreSQL 17.0",
		},
		"prefer goes on without TLS": {
			script: []airhooktest.Step{airhooktest.AskPassword(anyPassword), airhooktest.Welcome(), answer},
			change: func(c *airhook.Connection) { c.Extra = mustExtra(`{"sslmode": "prefer"}`) },
			stages: before + "login ok, query ok",
		},
		"require does not": {
			change: func(c *airhook.Connection) { c.Extra = mustExtra(`{"sslmode": "require"}`) },
			stages: "target ok, endpoint ok, dns --, tcp ok, tls FAILED", kind: "tls", words: "does not offer TLS sslmode",
		},
		"wrong password": {
			script: []airhooktest.Step{airhooktest.AskPassword(func(string, string) bool { return false })},
			stages: before + "login FAILED", kind: "login_refused", words: `"app" "shop" 28P01 check login and password`,
		},
		"no such database": {
			script: []airhooktest.Step{airhooktest.Refuse("3D000", `database "shop" does not exist`)},
			stages: before + "login FAILED", kind: "login_refused", words: "3D000 accepted schema",
		},
		"nobody comes without TLS": {
			script: []airhooktest.Step{airhooktest.Refuse("28000", `no pg_hba.conf entry for host "10.0.0.7", user "app", database "shop", no encryption`)},
			stages: before + "login FAILED", kind: "login_refused", words: "28000 no TLS sslmode require disable",
		},
		"nor did in older releases": {
			script: []airhooktest.Step{airhooktest.Refuse("28000", `no pg_hba.conf entry for host "10.0.0.7", user "app", database "shop", SSL off`)},
			stages: before + "login FAILED", kind: "login_refused", words: "no TLS sslmode",
		},
		"a stranger": {
			script: []airhooktest.Step{airhooktest.Refuse("28000", `no pg_hba.conf entry for host "10.0.0.7", user "app", database "shop", SSL encryption`)},
			stages: before + "login FAILED", kind: "login_refused", words: "pg_hba.conf login schema",
		},
		"hangs up": {
			script: []airhooktest.Step{airhooktest.Cut()},
			stages: before + "login FAILED", kind: "unreachable", words: "ended the connection",
		},
		"a setting that the server refuses": {
			script: []airhooktest.Step{airhooktest.AskPassword(anyPassword), airhooktest.Welcome(), airhooktest.Answer(airhooktest.Reply{SQLState: "22023", Message: "invalid value"})},
			change: func(c *airhook.Connection) {
				c.Type, c.Extra = "redshift", mustExtra(`{"sslmode": "disable", "query_group": "x"}`)
			},
			stages: before + "login FAILED", kind: "invalid", words: "query_group 22023",
		},
		"refuses to answer": {
			script: []airhooktest.Step{airhooktest.AskPassword(anyPassword), airhooktest.Welcome(), airhooktest.Answer(airhooktest.Reply{SQLState: "42501", Message: "permission denied"})},
			stages: before + "login ok, query FAILED", kind: "sql", words: "permission denied",
		},
		"a connection that makes no sense": {
			change: func(c *airhook.Connection) { c.Extra = mustExtra(`{"iam": "flase"}`) },
			stages: "target FAILED", kind: "invalid", words: `"iam" "flase" true or false`,
		},
		"a login that is refused by name": {
			change: func(c *airhook.Connection) {
				c.Type, c.Extra = "redshift", mustExtra(`{"iam": true, "cluster_identifier": "x", "sslmode": "require", "access_key_id": "AKIA"}`)
			},
			stages: "target ok, endpoint ok, dns --, tcp ok, tls FAILED", kind: "tls",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conn := airhooktest.Script(t, c.script...)
			if c.change != nil {
				c.change(&conn)
			}
			r := airhooktest.Client(t).Test(t.Context(), conn)
			if got := stages(r); got != c.stages {
				t.Errorf("got  %s\nwant %s", got, c.stages)
			}
			last := r.Steps[len(r.Steps)-1]
			said := last.Problem + " " + last.Hint + " " + last.Detail
			for _, word := range strings.Fields(c.words) {
				if !strings.Contains(said, word) {
					t.Errorf("%q is not in %s", word, said)
				}
			}
			if r.OK != (c.kind == "") || c.kind != "" && (airhook.KindOf(r.Err()) != c.kind || last.Hint == "" || r.TookMS <= 0) {
				t.Errorf("got ok %t, kind %s, %+v", r.OK, airhook.KindOf(r.Err()), last)
			}
			if text := string(must(json.Marshal(r))) + fmt.Sprintf("%v %+v %v", r, r, r.Err()); strings.Contains(text, "scripted") {
				t.Errorf("the password shows: %s", text)
			}
		})
	}
}

func TestReportHasTheContractsShape(t *testing.T) {
	conn := airhooktest.Script(t, airhooktest.AskPassword(anyPassword), airhooktest.Welcome(), answer)
	r := airhooktest.Client(t).Test(t.Context(), conn)
	var got struct {
		Connection, User, Database string
		OK                         bool
		TookMS                     float64 `json:"took_ms"`
		ServerVersion              string  `json:"server_version"`
		Steps                      []struct {
			Stage       string
			OK, Skipped bool
			TookMS      *float64 `json:"took_ms"`
		}
	}
	if err := json.Unmarshal(must(json.Marshal(r)), &got); err != nil {
		t.Fatal(err)
	}
	if !got.OK || got.Connection != conn.ID || got.User != "app" || got.Database != "shop" || !strings.HasPrefix(got.ServerVersion, "PostgreSQL 17.0") || len(got.Steps) != 8 || got.TookMS <= 0 {
		t.Errorf("got %+v", got)
	}
	for i, stage := range strings.Fields("target endpoint dns tcp tls credential login query") {
		if got.Steps[i].Stage != stage || !got.Steps[i].OK || got.Steps[i].TookMS == nil {
			t.Errorf("step %d: got %+v, want %s", i, got.Steps[i], stage)
		}
	}
	var text bytes.Buffer
	if err := r.WriteText(&text); err != nil || !strings.HasSuffix(text.String(), ": connected as app to shop\n") {
		t.Errorf("got %s, %v", text.String(), err)
	}
}

// routed is a client whose endpoints all lead to one server on loopback, trusting only those roots.
func routed(t *testing.T, s *server, route airhook.Route, login airhook.Login) *airhook.Client {
	t.Helper()
	route.Address = fmt.Sprintf("127.0.0.1:%d", s.port)
	c := must(airhook.New(airhook.Config{
		Registry: registry{"c": {ID: "c", Type: "postgres", Host: rdsHost, Login: "u", Schema: "d", Extra: mustExtra(`{"iam": true}`)}},
		Logins:   map[string]airhook.Login{airhook.MethodRDS: login},
		Route:    func(string, int) (airhook.Route, bool) { return route, true },
		Refused: func(_ context.Context, _ airhook.Target, e *airhook.Error) {
			e.Principal, e.Resource = "arn:aws:iam::123456789012:user/etl", "arn:aws:rds-db:us-east-1:123456789012:dbuser:*/u"
		},
	}))
	t.Cleanup(c.Close)
	return c
}

func TestATokenNeedsTheEndpointsOwnCertificate(t *testing.T) {
	tomorrow := time.Now().Add(24 * time.Hour)
	for name, c := range map[string]struct {
		host  string
		until time.Time
		trust bool
		extra string
		words string // "" when it passes
	}{
		"right":                       {rdsHost, tomorrow, true, `{"iam": true}`, ""},
		"nobody's root":               {rdsHost, tomorrow, false, `{"iam": true}`, "no trusted root sslrootcert"},
		"another name":                {"other.example.com", tomorrow, true, `{"iam": true}`, "other.example.com hostaddr"},
		"expired":                     {rdsHost, time.Now().Add(-time.Hour), true, `{"iam": true}`, "expired clock"},
		"another name with verify-ca": {"other.example.com", tomorrow, true, `{"iam": true, "sslmode": "verify-ca"}`, ""},
		"no root with verify-ca":      {rdsHost, tomorrow, false, `{"iam": true, "sslmode": "verify-ca"}`, "no trusted root"},
		"no root with require":        {rdsHost, tomorrow, false, `{"iam": true, "sslmode": "require"}`, ""},
		"no root with prefer":         {rdsHost, tomorrow, false, `{"iam": true, "sslmode": "prefer"}`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			secure, pool := certificate(t, c.until, c.host)
			_, strangers := certificate(t, tomorrow, "strangers.example.com")
			s := serveTLS(t, secure, func(string) bool { return true })
			route := airhook.Route{Roots: strangers}
			if c.trust {
				route.Roots = pool
			}
			client := routed(t, s, route, tokens(new(atomic.Int64), time.Hour))
			conn := must(client.Get(t.Context(), "c"))
			conn.Extra = mustExtra(c.extra)
			report := client.Test(t.Context(), conn)
			if c.words == "" {
				// This server has no answer to the query: how far the test comes is the point.
				if got := stages(report); !strings.Contains(got, "tls ok, credential ok, login ok") {
					t.Errorf("got %s: %v", got, report.Err())
				}
				return
			}
			last := report.Steps[len(report.Steps)-1]
			if last.Stage != airhook.StageTLS || !errors.Is(report.Err(), airhook.ErrTLS) || len(s.seen()) != 0 {
				t.Errorf("got %+v, offered %q", last, s.seen())
			}
			for _, word := range strings.Fields(c.words) {
				if !strings.Contains(last.Problem+" "+last.Hint, word) {
					t.Errorf("%q is not in %s – %s", word, last.Problem, last.Hint)
				}
			}
		})
	}
}

// Whatever a program's own Resolve makes of a target that AWS signs for.
func TestATokenStaysHereWhenTheTargetIsMovedToClear(t *testing.T) {
	s := serve(t, func(string) bool { return true })
	for name, move := range map[string]func(*airhook.Target){
		"a Unix socket": func(t *airhook.Target) { t.Host = "/run/postgresql" },
		"disable":       func(t *airhook.Target) { t.TLS.Mode = "disable" },
		"allow":         func(t *airhook.Target) { t.TLS.Mode = "allow" },
		"prefer":        func(t *airhook.Target) { t.TLS.Mode = "prefer" },
	} {
		c := must(airhook.New(airhook.Config{
			Registry: registry{"c": {ID: "c", Type: "postgres", Host: rdsHost, Login: "u", Schema: "d", Extra: mustExtra(`{"iam": true}`)}},
			Logins:   map[string]airhook.Login{airhook.MethodRDS: tokens(new(atomic.Int64), time.Hour)},
			Resolve:  func(_ context.Context, t airhook.Target) (airhook.Target, error) { move(&t); return t, nil },
			DialFunc: func(ctx context.Context, _, _ string) (net.Conn, error) {
				return new(net.Dialer).DialContext(ctx, "tcp", fmt.Sprintf("127.0.0.1:%d", s.port))
			},
		}))
		conn, acquired := c.Acquire(t.Context(), "c")
		if acquired == nil {
			conn.Release()
		}
		session, dialled := c.Dial(t.Context(), "c", nil)
		if dialled == nil {
			_ = session.Close(t.Context())
		}
		for how, err := range map[string]error{
			"acquire": acquired, "dial": dialled, "test": c.Test(t.Context(), must(c.Get(t.Context(), "c"))).Err(),
		} {
			if !errors.Is(err, airhook.ErrInvalid) || !strings.Contains(err.Error(), "without TLS") {
				t.Errorf("%s, %s: %v", name, how, err)
			}
		}
		c.Close()
	}
	if len(s.seen()) != 0 {
		t.Errorf("offered in clear: %q", s.seen())
	}
}

// Without TLS on the server's side no session is opened, whichever way is tried, and the token stays here.
func TestATokenIsNeverSentInClear(t *testing.T) {
	s := serve(t, func(string) bool { return true })
	c := routed(t, s, airhook.Route{}, tokens(new(atomic.Int64), time.Hour))
	for name, err := range map[string]error{
		"acquire": ignore(c.Acquire(t.Context(), "c")), "dial": ignore(c.Dial(t.Context(), "c", nil)), "test": c.Test(t.Context(), must(c.Get(t.Context(), "c"))).Err(),
	} {
		if !errors.Is(err, airhook.ErrTLS) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if len(s.seen()) != 0 {
		t.Errorf("offered in clear: %q", s.seen())
	}
}

func TestARefusedTokenSaysWhoAskedAndForWhat(t *testing.T) {
	secure, pool := certificate(t, time.Now().Add(time.Hour), rdsHost)
	c := routed(t, serveTLS(t, secure, func(string) bool { return false }), airhook.Route{Roots: pool}, tokens(new(atomic.Int64), time.Hour))
	_, err := c.Acquire(t.Context(), "c")
	var e *airhook.Error
	if !errors.As(err, &e) || e.Kind != airhook.ErrLogin || e.Principal != "arn:aws:iam::123456789012:user/etl" || !strings.HasSuffix(e.Resource, "/u") || !strings.Contains(e.Hint, "rds_iam") || !strings.Contains(e.Hint, rdsHost) {
		t.Errorf("got %#v", err)
	}
}

func TestRootCertificateFile(t *testing.T) {
	secure, _ := certificate(t, time.Now().Add(time.Hour), "db.example.com")
	s := serveTLS(t, secure, func(string) bool { return true })
	base := airhook.Connection{Type: "postgres", Host: "db.example.com", Port: s.port, Login: "u"}
	with := func(id, extra string) airhook.Connection {
		conn := named(base, id)
		conn.Extra = mustExtra(extra)
		return conn
	}
	r := registry{
		"named":   with("named", fmt.Sprintf(`{"hostaddr": "127.0.0.1", "sslrootcert": %q}`, rootFile(t, secure))),
		"system":  with("system", `{"hostaddr": "127.0.0.1", "sslmode": "verify-full", "sslrootcert": "system"}`),
		"missing": with("missing", `{"hostaddr": "127.0.0.1", "sslrootcert": "/no/such/file"}`),
		"old":     with("old", `{"hostaddr": "127.0.0.1", "sslmode": "require", "ssl_min_protocol_version": "TLSv1.3"}`),
	}
	secure.MaxVersion = tls.VersionTLS12
	c := must(airhook.New(airhook.Config{Registry: r}))
	defer c.Close()
	for id, want := range map[string]error{"named": nil, "system": airhook.ErrTLS, "missing": airhook.ErrInvalid, "old": airhook.ErrTLS} {
		session, err := c.Dial(t.Context(), id, nil)
		if !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", id, err, want)
		}
		if err == nil {
			_ = session.Close(t.Context())
		}
	}
}

// Behind a tunnel of the caller's own only DialFunc knows the name.
func TestNamesThatOnlyDialFuncKnowsAreNotLookedUp(t *testing.T) {
	conn := airhooktest.Script(t, airhooktest.AskPassword(anyPassword), airhooktest.Welcome(), answer)
	real := net.JoinHostPort(conn.Host, strconv.Itoa(conn.Port))
	conn.Host = "db.behind-a-tunnel.invalid"
	c := must(airhook.New(airhook.Config{Registry: registry{}, DialFunc: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, real)
	}}))
	defer c.Close()
	if report := c.Test(t.Context(), conn); !report.OK || report.Steps[2].Stage != airhook.StageDNS || !report.Steps[2].Skipped {
		t.Errorf("got %s: %v", stages(report), report.Err())
	}
}

func TestNoticesReachWhoeverUsesTheSession(t *testing.T) {
	reply := airhooktest.Answer(airhooktest.Reply{Tag: "DO", Notices: []string{"hello"}})
	conn := airhooktest.Script(t, airhooktest.AskPassword(anyPassword), airhooktest.Welcome(), reply, reply)
	session, err := airhooktest.Client(t, conn).Acquire(t.Context(), conn.ID)
	if err != nil {
		t.Fatal(err)
	}
	defer session.Release()
	var heard []string
	notice.Hear(session.Conn().PgConn(), func(n *pgconn.Notice) { heard = append(heard, n.Message) })
	for range 2 {
		if err := session.Conn().PgConn().Exec(t.Context(), "DO").Close(); err != nil {
			t.Fatal(err)
		}
		notice.Hear(session.Conn().PgConn(), nil) // the next user hears nothing
	}
	if len(heard) != 1 || heard[0] != "hello" {
		t.Errorf("heard %q", heard)
	}
}
