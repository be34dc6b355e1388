package airhook_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/airhook-go/airhook"
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
		opened := 0
		c := must(airhook.New(airhook.Config{Registry: r, Resolve: func(_ context.Context, t airhook.Target) (airhook.Target, error) {
			opened++
			return t, nil
		}}))
		defer c.Close()
		look := func(user string, times int) {
			t.Helper()
			<-time.After(11 * time.Second)
			for range 3 {
				if got, err := c.Target(t.Context(), "c"); err != nil || got.User != user || opened != times {
					t.Errorf("got user %q, opened %d times, %v; want %q, %d times", got.User, opened, err, user, times)
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
		r.change(registry{}, nil)
		<-time.After(11 * time.Second)
		if _, err := c.Target(t.Context(), "c"); !errors.Is(err, airhook.ErrNotFound) {
			t.Errorf("after it was deleted: %v", err)
		}
	})
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
	got := make(chan error)
	go func() { got <- ignore(c.Credential(t.Context(), "c")) }()
	<-asked
	for {
		select {
		case <-ended:
			if err := <-got; err != nil {
				t.Errorf("who waited for it: %v", err)
			}
			return
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
