package airhooktest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/airhook-go/airhook"
)

// recorder is a test that only takes down what failed.
type recorder struct {
	testing.TB
	mu     sync.Mutex
	failed []string
}

func (r *recorder) Helper() {}

func (r *recorder) Error(args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failed = append(r.failed, fmt.Sprint(args...))
}

func (r *recorder) Errorf(format string, args ...any) { r.Error(fmt.Sprintf(format, args...)) }

func TestContractsNoticeWhatIsWrong(t *testing.T) {
	want := sample(t, "contract_known")
	lost, secret := want, want
	lost.Extra, secret.Password = airhook.Extra{}, airhook.NewSecret("another")
	for name, check := range map[string]func(testing.TB){
		"a lost extra":          func(t testing.TB) { same(t, lost, nil, want) },
		"another secret":        func(t testing.TB) { same(t, secret, nil, want) },
		"an error":              func(t testing.TB) { same(t, airhook.Connection{}, errors.New("broken"), want) },
		"an error of no kind":   func(t testing.TB) { isKind(t, "Get", errors.New("nothing there"), airhook.ErrNotFound) },
		"no error":              func(t testing.TB) { isKind(t, "Get", nil, airhook.ErrNotFound) },
		"a secret in an error":  func(t testing.TB) { noSecret(t, fmt.Errorf("log in with %s", canary)) },
		"a secret further down": func(t testing.TB) { noSecret(t, &airhook.Error{Err: errors.New(canary)}) },
	} {
		r := &recorder{TB: t}
		if check(r); len(r.failed) == 0 {
			t.Errorf("%s goes unnoticed", name)
		}
		if strings.Contains(strings.Join(r.failed, " "), canary) {
			t.Errorf("%s: the message shows the secret: %q", name, r.failed)
		}
	}
	r := &recorder{TB: t}
	same(r, want, nil, want)
	isKind(r, "Get", unknown("x"), airhook.ErrNotFound)
	noSecret(r, nil)
	if len(r.failed) > 0 {
		t.Errorf("what is right fails: %q", r.failed)
	}
}

func TestLoginContractNoticesWhatIsWrong(t *testing.T) {
	good := airhook.Credential{User: "app", Password: airhook.NewSecret(canary), Expires: time.Now().Add(time.Hour)}
	var calls atomic.Int64
	for name, login := range map[string]airhook.Login{
		"no credential": func(context.Context, airhook.Target) (airhook.Credential, error) {
			return airhook.Credential{}, errors.New("no")
		},
		"no user": func(context.Context, airhook.Target) (airhook.Credential, error) {
			return airhook.Credential{Password: good.Password}, nil
		},
		"no password": func(context.Context, airhook.Target) (airhook.Credential, error) {
			return airhook.Credential{User: "app"}, nil
		},
		"an old one": func(context.Context, airhook.Target) (airhook.Credential, error) {
			return airhook.Credential{User: "app", Password: good.Password, Expires: time.Now().Add(-time.Second)}, nil
		},
		"a user that is the password": func(context.Context, airhook.Target) (airhook.Credential, error) {
			return airhook.Credential{User: canary, Password: good.Password}, nil
		},
		"another reason than the cancel": func(ctx context.Context, _ airhook.Target) (airhook.Credential, error) {
			if ctx.Err() != nil {
				return airhook.Credential{}, errors.New("access denied")
			}
			return good, nil
		},
		"a secret in an error": func(ctx context.Context, _ airhook.Target) (airhook.Credential, error) {
			if ctx.Err() != nil {
				return airhook.Credential{}, fmt.Errorf("log in with %s: %w", canary, ctx.Err())
			}
			return good, nil
		},
		"a password beside an error": func(ctx context.Context, _ airhook.Target) (airhook.Credential, error) { return good, ctx.Err() },
		"only the first is good": func(context.Context, airhook.Target) (airhook.Credential, error) {
			if calls.Add(1) > 1 {
				return airhook.Credential{}, errors.New("there was one already")
			}
			return good, nil
		},
	} {
		r := &recorder{TB: t}
		givesCredentials(r, login, airhook.Target{})
		obeysCancel(r, login, airhook.Target{})
		if len(r.failed) == 0 {
			t.Errorf("%s goes unnoticed", name)
		}
		if name != "a user that is the password" && strings.Contains(strings.Join(r.failed, " "), canary) {
			t.Errorf("%s: the message shows the secret: %q", name, r.failed)
		}
	}
}

func TestMemoryRefusesWhatCannotBe(t *testing.T) {
	m := Registry()
	if err := m.Put(t.Context(), airhook.Connection{Type: "postgres"}); !errors.Is(err, airhook.ErrInvalid) {
		t.Errorf("without an id: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for name, err := range map[string]error{"Put": m.Put(ctx, airhook.Connection{ID: "x"}), "Delete": m.Delete(ctx, "x")} {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s with a cancelled context: %v", name, err)
		}
	}
	for _, err := range m.List(ctx) {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("List with a cancelled context: %v", err)
		}
	}
}

func TestScriptWaitsForASignalAndForACancel(t *testing.T) {
	t.Parallel()
	running, release := make(chan struct{}), make(chan struct{})
	conn := Script(t, Welcome(),
		Answer(Reply{Tag: "SELECT 0", Before: Wait(release), Notices: []string{"soon"}}),
		Answer(Reply{SQLState: "57014", Message: "cancelled", Before: func(ctx context.Context, s *Session) error {
			close(running)
			return WaitForCancel()(ctx, s)
		}}),
	)
	session, err := Client(t, conn).Dial(t.Context(), conn.ID, map[string]string{"application_name": "tests"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = session.Close(context.WithoutCancel(t.Context())) }()
	done := make(chan error, 1)
	go func() { done <- session.Exec(t.Context(), "SELECT").Close() }()
	select {
	case err := <-done:
		t.Fatalf("answered before the signal: %v", err)
	default:
		close(release)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	go func() { done <- session.Exec(t.Context(), "SELECT pg_sleep(100)").Close() }()
	<-running
	if err := session.CancelRequest(t.Context()); err != nil {
		t.Error(err)
	}
	var pg *pgconn.PgError
	if err := <-done; !errors.As(err, &pg) || pg.Code != "57014" {
		t.Errorf("got %v, want that it was cancelled", err)
	}
}

func TestScriptAsksForThePassword(t *testing.T) {
	t.Parallel()
	var user, password string
	conn := Script(t, AskPassword(func(u, p string) bool { user, password = u, p; return false }))
	_, err := Client(t, conn).Acquire(t.Context(), conn.ID)
	var e *airhook.Error
	if !errors.Is(err, airhook.ErrLogin) || !errors.As(err, &e) || e.SQLState != "28P01" || user != "app" || password != "scripted" {
		t.Errorf("got %v of %q and %q, want login refused", err, user, password)
	}
}

func TestTheEnvironmentNamesAServer(t *testing.T) { // not parallel: it changes the environment
	t.Setenv("AIRHOOK_TEST_PG", "postgresql://me:hidden@db.example.com/shop")
	admin, stop, err := find()
	if err != nil || stop() != nil || admin.Host != "db.example.com" || admin.ID != ID {
		t.Errorf("got %v, %v", admin, err)
	}
	t.Setenv("AIRHOOK_TEST_PG", "db.example.com")
	if _, _, err = find(); err == nil || !strings.Contains(err.Error(), "AIRHOOK_TEST_PG") {
		t.Errorf("of no URL: %v", err)
	}
}
