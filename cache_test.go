package airhook_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/airhook-go/airhook"
)

func TestManyRejectionsOfOneCredentialSignOnce(t *testing.T) {
	var calls atomic.Int64
	s := serve(t, func(p string) bool { return p == "token-2" })
	c := client(t, s, tokens(&calls, time.Hour))
	if _, err := c.Credential(t.Context(), "c"); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for i := range 40 {
		wg.Go(func() {
			if i%2 == 0 {
				conn, err := c.Dial(t.Context(), "c", nil)
				if err != nil {
					t.Error(err)
					return
				}
				_ = conn.Close(t.Context())
				return
			}
			conn, err := c.Acquire(t.Context(), "c")
			if err != nil {
				t.Error(err)
				return
			}
			conn.Release()
		})
	}
	wg.Wait()
	if calls.Load() != 2 {
		t.Errorf("%d logins, want the rejected one and one more", calls.Load())
	}
}

func TestRejectedPasswordIsNotTriedAgain(t *testing.T) {
	s := serve(t, func(string) bool { return false })
	c := must(airhook.New(airhook.Config{Registry: registry{"c": {ID: "c", Type: "postgres", Host: "127.0.0.1", Port: s.port, Login: "u", Password: airhook.NewSecret("pw")}}}))
	defer c.Close()
	if _, err := c.Acquire(t.Context(), "c"); !errors.Is(err, airhook.ErrLogin) {
		t.Errorf("got %v", err)
	}
	if got := s.seen(); len(got) != 1 {
		t.Errorf("the server was asked %d times: two of these lock an account sooner", len(got))
	}
}

// ids that mean the same login share its credential, and each error names its own.
func TestIDsThatMeanTheSameShareACredential(t *testing.T) {
	var calls atomic.Int64
	one := airhook.Connection{Type: "postgres", Host: "127.0.0.1", Login: "u", Schema: "d"}
	other := one
	other.Schema = "another"
	c := must(airhook.New(airhook.Config{
		Registry: registry{"a": named(one, "a"), "b": named(one, "b"), "other": named(other, "other")},
		Logins: map[string]airhook.Login{"test": func(_ context.Context, target airhook.Target) (airhook.Credential, error) {
			calls.Add(1)
			return airhook.Credential{}, &airhook.Error{ID: target.ID, Kind: airhook.ErrAccessDenied, Err: errors.New("access denied")}
		}},
		Resolve: func(_ context.Context, t airhook.Target) (airhook.Target, error) { t.Method = "test"; return t, nil },
	}))
	defer c.Close()
	for _, id := range []string{"a", "b", "other"} {
		_, err := c.Credential(t.Context(), id)
		var e *airhook.Error
		if !errors.As(err, &e) || e.ID != id || e.Stage != airhook.StageCredential || airhook.KindOf(err) != "access_denied" {
			t.Errorf("%s: got %#v", id, e)
		}
	}
	if calls.Load() != 2 {
		t.Errorf("%d logins, want one for a and b and one for the other database", calls.Load())
	}
}

func named(c airhook.Connection, id string) airhook.Connection {
	c.ID = id
	return c
}

// Whatever a login reads is part of the key: another value, another credential.
func TestCacheKeyHoldsWhatALoginReads(t *testing.T) {
	base := airhook.Connection{Type: "redshift", Host: redshiftHost, Login: "u", Schema: "d"}
	extras := []string{
		`{"iam": true}`, `{"iam": true, "db_groups": ["a"]}`, `{"iam": true, "db_groups": ["a b"]}`, `{"iam": true, "db_groups": ["a", "b"]}`, `{"iam": true, "db_groups": [""]}`, `{"iam": true, "auto_create": true}`,
		`{"iam": true, "serverless_token_duration_seconds": 900}`, `{"iam": true, "region": "eu-west-1"}`, `{"iam": true, "cluster_identifier": "x"}`,
		`{"iam": true, "aws_conn_id": "x"}`, `{"iam": true, "aws_conn_id": null}`, `{"iam": true, "profile": "x"}`, `{"iam": true, "role_arn": "x"}`,
		`{"iam": true, "is_serverless": true, "serverless_work_group": "x"}`,
	}
	r := registry{}
	for _, text := range extras {
		conn := named(base, text)
		conn.Extra = mustExtra(text)
		r[text] = conn
	}
	var calls atomic.Int64
	login := tokens(&calls, time.Hour)
	c := must(airhook.New(airhook.Config{Registry: r, Logins: map[string]airhook.Login{airhook.MethodRedshift: login, airhook.MethodRedshiftServerless: login}}))
	defer c.Close()
	for range 2 {
		for _, id := range extras {
			if _, err := c.Credential(t.Context(), id); err != nil {
				t.Errorf("%s: %v", id, err)
			}
		}
	}
	if calls.Load() != int64(len(extras)) {
		t.Errorf("%d logins, want %d", calls.Load(), len(extras))
	}
}

func TestDeleteForgetsWhatWasOpen(t *testing.T) {
	s := serve(t, func(string) bool { return true })
	r := &editable{registry: registry{"c": {ID: "c", Type: "postgres", Host: "127.0.0.1", Port: s.port, Login: "u", Extra: mustExtra(`{"sslmode": "disable"}`)}}}
	c := must(airhook.New(airhook.Config{Registry: r}))
	defer c.Close()
	session, err := c.Acquire(t.Context(), "c")
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Delete(t.Context(), "c"); err != nil {
		t.Fatal(err)
	}
	if err := session.Ping(t.Context()); err != nil {
		t.Errorf("the session in use was ended: %v", err)
	}
	session.Release()
	if _, err := c.Acquire(t.Context(), "c"); !errors.Is(err, airhook.ErrNotFound) {
		t.Errorf("after Delete: %v", err)
	}
}

func TestPutOfAnAWSConnectionIsSeenByThoseThatSignWithIt(t *testing.T) {
	var calls atomic.Int64
	r := &editable{registry: registry{"c": {ID: "c", Type: "postgres", Host: rdsHost, Login: "u", Extra: mustExtra(`{"iam": true, "aws_conn_id": "keys"}`)}}}
	c := must(airhook.New(airhook.Config{
		Registry: r, Logins: map[string]airhook.Login{airhook.MethodRDS: tokens(&calls, time.Hour)},
		Resolve: func(_ context.Context, t airhook.Target) (airhook.Target, error) {
			t.Principal = r.registry["keys"].Login
			return t, nil
		},
	}))
	defer c.Close()
	for i, key := range []string{"one", "one", "two"} {
		if err := c.Put(t.Context(), airhook.Connection{ID: "keys", Type: "aws", Login: key}); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Credential(t.Context(), "c"); err != nil {
			t.Fatal(err)
		}
		if want := []int64{1, 1, 2}[i]; calls.Load() != want {
			t.Errorf("after key %q: %d logins, want %d", key, calls.Load(), want)
		}
	}
}

func TestCloseWaitsForSessionsInUse(t *testing.T) {
	s := serve(t, func(string) bool { return true })
	c := client(t, s, tokens(new(atomic.Int64), time.Hour))
	session, err := c.Acquire(t.Context(), "c")
	if err != nil {
		t.Fatal(err)
	}
	var returned atomic.Bool
	var wg sync.WaitGroup
	wg.Go(func() {
		c.Close()
		if !returned.Load() {
			t.Error("Close did not wait for the session in use")
		}
	})
	for !errors.Is(ignore(c.Target(t.Context(), "c")), airhook.ErrInvalid) { // until Close has begun
	}
	if err := session.Ping(t.Context()); err != nil {
		t.Errorf("the session in use was ended: %v", err)
	}
	returned.Store(true)
	session.Release()
	wg.Wait()
	if _, err := c.Acquire(t.Context(), "c"); err == nil || !strings.Contains(err.Error(), "closed") {
		t.Errorf("after Close: %v", err)
	}
}

func ignore[T any](_ T, err error) error { return err }

func TestCloseDoesNotWaitForASlowLoginOrRegistry(t *testing.T) {
	s := serve(t, func(string) bool { return true })
	asked := make(chan struct{})
	hang := func(ctx context.Context) error {
		close(asked)
		<-ctx.Done()
		return ctx.Err()
	}
	for name, c := range map[string]*airhook.Client{
		"login": client(t, s, func(ctx context.Context, _ airhook.Target) (airhook.Credential, error) {
			return airhook.Credential{}, hang(ctx)
		}),
		"registry": must(airhook.New(airhook.Config{Registry: slow(hang)})),
	} {
		asked = make(chan struct{})
		got := make(chan error)
		go func() { got <- ignore(c.Acquire(t.Context(), "c")) }()
		<-asked
		c.Close()
		if err := <-got; err == nil {
			t.Errorf("%s: a session came out of a closed client", name)
		}
	}
}

type slow func(context.Context) error

func (s slow) Get(ctx context.Context, _ string) (airhook.Connection, error) {
	return airhook.Connection{}, s(ctx)
}

func TestCancelledWaitSaysSo(t *testing.T) {
	s := serve(t, func(string) bool { return true })
	c := client(t, s, func(ctx context.Context, _ airhook.Target) (airhook.Credential, error) {
		<-ctx.Done()
		return airhook.Credential{}, ctx.Err()
	})
	if _, err := c.Target(t.Context(), "c"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for name, err := range map[string]error{
		"credential": ignore(c.Credential(ctx, "c")), "acquire": ignore(c.Acquire(ctx, "c")), "dial": ignore(c.Dial(ctx, "c", nil)),
	} {
		if airhook.KindOf(err) != "cancelled" || !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v (%s)", name, err, airhook.KindOf(err))
		}
	}
}

// A session of Redshift gets its settings before anybody uses it, from the pool as by Dial.
func TestSettingsAreMadeInEverySession(t *testing.T) {
	s := serve(t, func(string) bool { return true })
	c := must(airhook.New(airhook.Config{Registry: registry{"c": {
		ID: "c", Type: "redshift", Host: "127.0.0.1", Port: s.port, Login: "u",
		Extra: mustExtra(`{"sslmode": "disable", "query_group": "it's \\ here", "statement_timeout": 1000, "timezone": null, "lock_timeout": 5}`),
	}}}))
	defer c.Close()
	session, err := c.Acquire(t.Context(), "c")
	if err != nil {
		t.Fatal(err)
	}
	session.Release()
	dialled, err := c.Dial(t.Context(), "c", nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = dialled.Close(t.Context())
	want := []string{`SET query_group TO 'it''s \\ here'`, `SET statement_timeout TO '1000'`}
	if want = append(want, want...); !slices.Equal(s.queries, want) {
		t.Errorf("got %q, want %q", s.queries, want)
	}
	for _, start := range s.startups {
		if len(start) != 3 || start["application_name"] != "airhook" {
			t.Errorf("startup parameters: %v", start)
		}
	}
}

func TestACachedCredentialCostsNoAllocation(t *testing.T) {
	c := must(airhook.New(airhook.Config{
		Registry: registry{"c": {ID: "c", Type: "postgres", Host: "127.0.0.1", Login: "u"}},
		Logins:   map[string]airhook.Login{"test": tokens(new(atomic.Int64), time.Hour)},
		Resolve:  func(_ context.Context, t airhook.Target) (airhook.Target, error) { t.Method = "test"; return t, nil },
	}))
	defer c.Close()
	ctx := t.Context()
	if n := testing.AllocsPerRun(100, func() {
		if _, err := c.Credential(ctx, "c"); err != nil {
			t.Error(err)
		}
	}); n != 0 {
		t.Errorf("a cached credential costs %v allocations", n)
	}
}
