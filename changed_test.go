package airhook_test

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/airhook-go/airhook"
	"github.com/airhook-go/airhook/internal/refresh"
)

// stored is a registry that another process may change.
type stored struct {
	mu    sync.Mutex
	conns registry
	err   error
}

func (s *stored) Get(ctx context.Context, id string) (airhook.Connection, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return airhook.Connection{}, s.err
	}
	return s.conns.Get(ctx, id)
}

func (s *stored) change(conns registry, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.conns, s.err = conns, err
}

func TestAPasswordThatAnotherProcessChangedIsReadAgain(t *testing.T) {
	s := serve(t, func(p string) bool { return p == "new" })
	with := func(password string) registry {
		return registry{"c": {ID: "c", Type: "postgres", Host: "127.0.0.1", Port: s.port, Login: "u", Password: airhook.NewSecret(password)}}
	}
	for name, open := range map[string]func(*airhook.Client) error{
		"acquire": func(c *airhook.Client) error {
			conn, err := c.Acquire(t.Context(), "c")
			if err == nil {
				conn.Release()
			}
			return err
		},
		"dial": func(c *airhook.Client) error {
			conn, err := c.Dial(t.Context(), "c", nil)
			if err == nil {
				err = conn.Close(t.Context())
			}
			return err
		},
	} {
		r := &stored{conns: with("old")}
		c := must(airhook.New(airhook.Config{Registry: r}))
		if err := open(c); !errors.Is(err, airhook.ErrLogin) {
			t.Errorf("%s with the old password: %v", name, err)
		}
		r.change(with("new"), nil)
		if err := open(c); err != nil {
			t.Errorf("%s after the change: %v", name, err)
		}
		c.Close()
	}
}

func TestWhatAnotherProcessChangedIsSeenWithinSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		iam := mustExtra(`{"iam": true, "aws_conn_id": "keys"}`)
		conn := airhook.Connection{ID: "c", Type: "postgres", Host: rdsHost, Login: "one", Extra: iam}
		r := &stored{conns: registry{"c": conn}}
		principal, route := "alice", airhook.Route{Address: "127.0.0.1:1"}
		var failing error
		c := must(airhook.New(airhook.Config{
			Registry: r, Route: func(string, int) (airhook.Route, bool) { return route, true },
			Resolve: func(_ context.Context, t airhook.Target) (airhook.Target, error) {
				t.Principal = principal
				return t, failing
			},
		}))
		defer c.Close()
		opened, last := 0, (*pgxpool.Pool)(nil)
		look := func(user string, times int) {
			t.Helper()
			<-time.After(11 * time.Second)
			for range 3 {
				got, err := c.Target(t.Context(), "c")
				if pool := must(c.Pool(t.Context(), "c")); pool != last {
					opened, last = opened+1, pool
				}
				if err != nil || got.User != user || got.Principal != principal && failing == nil || opened != times {
					t.Errorf("got user %q of %s, opened %d times, %v; want %q of %s, %d times", got.User, got.Principal, opened, err, user, principal, times)
				}
			}
		}
		look("one", 1)
		look("one", 1)
		conn.Login = "two"
		r.change(registry{"c": conn}, nil)
		look("two", 2)
		r.change(nil, errors.New("the store is locked"))
		look("two", 2)
		r.change(registry{"c": conn, "keys": {ID: "keys", Type: "aws", Login: "a"}}, nil)
		look("two", 3)
		r.change(registry{"c": conn, "keys": {ID: "keys", Type: "aws", Login: "b"}}, nil)
		look("two", 4)
		principal = "bob" // by other AWS files, say
		look("two", 5)
		principal, failing = "carol", errors.New("the AWS files are just being written")
		look("two", 5)
		failing = nil
		look("two", 6)
		route.Address = "127.0.0.1:2" // the dev stack was started again
		look("two", 7)
		route.Roots = x509.NewCertPool()
		look("two", 8)
		look("two", 8)
		r.change(registry{}, nil)
		<-time.After(11 * time.Second)
		if _, err := c.Target(t.Context(), "c"); !errors.Is(err, airhook.ErrNotFound) {
			t.Errorf("after it was deleted: %v", err)
		}
	})
}

// An endpoint that was looked up is looked up again when nobody answers there, and not otherwise. Who looks for it is
// nothing to a password.
func TestAnEndpointThatMovedIsFound(t *testing.T) {
	for name, conn := range map[string]airhook.Connection{
		"iam":      {ID: "c", Type: "redshift", Login: "u", Extra: mustExtra(`{"iam": true, "cluster_identifier": "c", "region": "us-east-1"}`)},
		"password": {ID: "c", Type: "redshift", Login: "u", Password: airhook.NewSecret("p"), Extra: mustExtra(`{"cluster_identifier": "c", "region": "us-east-1"}`)},
	} {
		t.Run(name, func(t *testing.T) { endpointMoves(t, conn) })
	}
}

func endpointMoves(t *testing.T, conn airhook.Connection) {
	s := serve(t, func(p string) bool { return p == "p" })
	port, looks := closedPort(t), 0
	c := must(airhook.New(airhook.Config{
		Registry: registry{"c": conn},
		Resolve: func(_ context.Context, t airhook.Target) (airhook.Target, error) {
			if t.Host == "" {
				looks++
				t.Host, t.Port = "127.0.0.1", port
			}
			t.TLS.Mode, t.Principal = "disable", "alice"
			if t.Method == airhook.MethodPassword {
				t.Principal = fmt.Sprint(looks)
			} else {
				t.Method = "test"
			}
			return t, nil
		},
		Logins: map[string]airhook.Login{"test": func(context.Context, airhook.Target) (airhook.Credential, error) {
			return airhook.Credential{User: "u", Password: airhook.NewSecret("p")}, nil
		}},
	}))
	t.Cleanup(c.Close)
	dial := func() error {
		conn, err := c.Dial(t.Context(), "c", nil)
		if err == nil {
			err = conn.Close(t.Context())
		}
		return err
	}
	if err := dial(); !errors.Is(err, airhook.ErrUnreachable) || looks != 2 {
		t.Errorf("%v after %d look-ups, want 2", err, looks)
	}
	port = s.port
	for range 3 {
		if err := dial(); err != nil || looks != 4 {
			t.Errorf("after it moved: %v after %d look-ups, want 4", err, looks)
		}
	}
	if conn, err := c.Acquire(t.Context(), "c"); err != nil || must(c.Target(t.Context(), "c")).Port != s.port {
		t.Errorf("Acquire: %v", err)
	} else {
		conn.Release()
	}
}

// AWS is not asked for more when it is AWS that can't be reached.
func TestAnEndpointIsNotLookedUpWhenAWSIsUnreachable(t *testing.T) {
	for _, stage := range []airhook.Stage{"", airhook.StageCredential, airhook.StageEndpoint} {
		looks, logins := 0, 0
		c := must(airhook.New(airhook.Config{
			Registry: registry{"c": {ID: "c", Type: "redshift", Login: "u", Extra: mustExtra(`{"iam": true, "cluster_identifier": "c", "region": "us-east-1"}`)}},
			Resolve: func(_ context.Context, t airhook.Target) (airhook.Target, error) {
				if t.Host == "" {
					looks++
					t.Host, t.Port = rdsHost, 5439
				}
				return t, nil
			},
			Logins: map[string]airhook.Login{airhook.MethodRedshift: func(context.Context, airhook.Target) (airhook.Credential, error) {
				logins++
				return airhook.Credential{}, &airhook.Error{Stage: stage, Kind: airhook.ErrUnreachable, Err: errors.New("AWS can't be reached")}
			}},
		}))
		for name, open := range map[string]func() error{
			"credential": func() error { return ignore(c.Credential(t.Context(), "c")) },
			"dial":       func() error { return ignore(c.Dial(t.Context(), "c", nil)) },
			"acquire":    func() error { return ignore(c.Acquire(t.Context(), "c")) },
		} {
			if err := open(); !errors.Is(err, airhook.ErrUnreachable) || looks != 1 || logins == 0 {
				t.Errorf("%s at stage %q: %v after %d look-ups, want 1, and %d logins", name, stage, err, looks, logins)
			}
		}
		c.Close()
	}
}

// closedPort is one where nobody answers.
func closedPort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return l.Addr().(*net.TCPAddr).Port
}

// A registry that never says the same twice must not make a refused login go on for ever.
func TestARegistryThatAlwaysChangesIsNoStorm(t *testing.T) {
	s := serve(t, func(string) bool { return false })
	var n atomic.Int64
	c := must(airhook.New(airhook.Config{Registry: fickle(func() airhook.Connection {
		return airhook.Connection{ID: "c", Type: "postgres", Host: "127.0.0.1", Port: s.port, Login: "u", Description: fmt.Sprint(n.Add(1))}
	})}))
	defer c.Close()
	if _, err := c.Acquire(t.Context(), "c"); !errors.Is(err, airhook.ErrLogin) || len(s.seen()) != 2 {
		t.Errorf("%v after %d logins", err, len(s.seen()))
	}
}

type fickle func() airhook.Connection

func (f fickle) Get(context.Context, string) (airhook.Connection, error) { return f(), nil }

// same takes edits that change nothing.
type same struct{ registry }

func (same) Put(context.Context, airhook.Connection) error { return nil }
func (same) Delete(context.Context, string) error          { return nil }

// editedWhileOpening returns a client whose connection is edited in each of its first logins, which then hang. asked
// tells that one has begun, ended that it was ended.
func editedWhileOpening(t *testing.T, edits int, port int) (c *airhook.Client, conn airhook.Connection, asked, ended chan struct{}) {
	t.Helper()
	conn = airhook.Connection{ID: "c", Type: "postgres", Host: "127.0.0.1", Port: port, Login: "u", Extra: mustExtra(`{"sslmode": "disable"}`)}
	var opened atomic.Int64
	asked, ended = make(chan struct{}, edits), make(chan struct{}, edits)
	c = must(airhook.New(airhook.Config{
		Registry: same{registry{"c": conn}},
		Resolve: func(_ context.Context, t airhook.Target) (airhook.Target, error) {
			t.Method, t.Principal = "test", fmt.Sprintf("%03d", opened.Add(1))
			return t, nil
		},
		Logins: map[string]airhook.Login{"test": func(ctx context.Context, target airhook.Target) (airhook.Credential, error) {
			if target.Principal > fmt.Sprintf("%03d", edits) {
				return airhook.Credential{User: "u", Password: airhook.NewSecret("new")}, nil
			}
			if err := c.Put(ctx, conn); err != nil {
				t.Error(err)
			}
			asked <- struct{}{}
			<-ctx.Done()
			ended <- struct{}{}
			return airhook.Credential{}, ctx.Err()
		}},
	}))
	t.Cleanup(c.Close)
	return c, conn, asked, ended
}

func TestEditsWhileASessionIsOpenedDoNotShow(t *testing.T) {
	s := serve(t, func(p string) bool { return p == "new" })
	c, _, _, ended := editedWhileOpening(t, 3, s.port)
	session, err := c.Acquire(t.Context(), "c")
	if err != nil {
		t.Fatalf("nobody cancelled it: %v (%s)", err, airhook.KindOf(err))
	}
	session.Release()
	c.Close()
	for range 3 {
		<-ended
	}
}

func TestAnEditEndsTheLoginThatNobodyNeedsAnyMore(t *testing.T) {
	c, conn, asked, ended := editedWhileOpening(t, 1, 1)
	got := make(chan error, 1)
	go func() { got <- ignore(c.Credential(t.Context(), "c")) }()
	<-asked
	late := time.After(5 * time.Second) // long before the login's own time is up
	for {
		select {
		case <-ended:
			if err := <-got; err != nil {
				t.Errorf("who waited for it: %v", err)
			}
			return
		case <-late:
			t.Fatal("the login goes on, and nobody needs it any more")
		case <-time.After(5 * time.Millisecond): // each edit makes another login, and that closes what the one before left
			if err := c.Put(t.Context(), conn); err != nil {
				t.Fatal(err)
			}
			if _, err := c.Target(t.Context(), "c"); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// signer is a client whose login signs as who is there now, as with AWS files that others write.
func signer(t *testing.T, now func(resolving bool) string) (c *airhook.Client, logins *atomic.Int64) {
	t.Helper()
	logins = new(atomic.Int64)
	c = must(airhook.New(airhook.Config{
		Registry: registry{"c": {ID: "c", Type: "postgres", Host: rdsHost, Login: "u", Extra: mustExtra(`{"iam": true}`)}},
		Resolve: func(_ context.Context, t airhook.Target) (airhook.Target, error) {
			t.Principal = now(true)
			return t, nil
		},
		Logins: map[string]airhook.Login{airhook.MethodRDS: func(_ context.Context, target airhook.Target) (airhook.Credential, error) {
			logins.Add(1)
			if target.Principal != now(false) {
				return airhook.Credential{}, &airhook.Error{ID: target.ID, Err: refresh.ErrStale, Hint: "try again"}
			}
			return airhook.Credential{User: "u", Password: airhook.NewSecret(target.Principal), Expires: time.Now().Add(2 * time.Second), Principal: target.Principal}, nil
		}},
	}))
	return c, logins
}

// The first of these looks comes before anybody looks whether something has changed.
func TestACredentialIsNeverKeptAsAnothers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		who := "alice"
		c, logins := signer(t, func(bool) string { return who })
		defer c.Close()
		for i, next := range []string{"alice", "bob", "alice", "alice", "bob", "alice"} {
			who = next
			if cred, err := c.Credential(t.Context(), "c"); err != nil || cred.Principal != who {
				t.Errorf("look %d: signed by %q, want %q: %v", i, cred.Principal, who, err)
			}
			<-time.After(3 * time.Second)
		}
		if n := logins.Load(); n > 10 {
			t.Errorf("%d logins for six credentials, of which four were changes", n)
		}
	})
}

func TestALoginThatNeverAgreesIsNoStorm(t *testing.T) {
	c, logins := signer(t, func(resolving bool) string { return fmt.Sprint(resolving) })
	defer c.Close()
	_, err := c.Credential(t.Context(), "c")
	var e *airhook.Error
	if !errors.Is(err, refresh.ErrStale) || !errors.As(err, &e) || e.ID != "c" || e.Stage != airhook.StageCredential || e.Hint == "" || logins.Load() != 2 {
		t.Errorf("%#v after %d logins", err, logins.Load())
	}
}
