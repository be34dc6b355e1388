package refresh_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/airhook-go/airhook"
)

// fire is a client whose AWS and whose database have bad days, all in a bubble's time. Its fields are changed between
// logins only.
type fire struct {
	client *airhook.Client
	t      *testing.T

	life   time.Duration                                // of a token, as the database sees it
	told   func(now time.Time) time.Time                // what AWS says of a token's end; nil is the truth
	down   error                                        // AWS's answer instead of a token
	takes  time.Duration                                // AWS takes that long
	accept func(token string, made, now time.Time) bool // the database's further opinion; nil is yes

	mu     sync.Mutex
	made   map[string]time.Time // tokens
	calls  int                  // to AWS
	logins int                  // to the database
}

func (f *fire) login(ctx context.Context, _ airhook.Target) (airhook.Credential, error) {
	f.mu.Lock()
	f.calls++
	token, now := fmt.Sprintf("token-%d", f.calls), time.Now()
	f.mu.Unlock()
	if f.takes > 0 {
		select {
		case <-time.After(f.takes):
		case <-ctx.Done():
			return airhook.Credential{}, ctx.Err()
		}
	}
	if f.down != nil {
		return airhook.Credential{}, f.down
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.made[token] = now
	expires := now.Add(f.life)
	if f.told != nil {
		expires = f.told(now)
	}
	return airhook.Credential{User: "u", Password: airhook.NewSecret(token), Expires: expires}, nil
}

// lets is the database's decision.
func (f *fire) lets(token string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.logins++
	made, known := f.made[token]
	now := time.Now()
	return known && now.Before(made.Add(f.life)) && (f.accept == nil || f.accept(token, made, now))
}

// dial opens a session of a database that only logs in.
func (f *fire) dial(context.Context, string, string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	go func() {
		defer theirs.Close()
		b := pgproto3.NewBackend(theirs, theirs)
		if _, err := b.ReceiveStartupMessage(); err != nil {
			return
		}
		b.Send(&pgproto3.AuthenticationCleartextPassword{})
		_ = errors.Join(b.Flush(), b.SetAuthType(pgproto3.AuthTypeCleartextPassword))
		msg, _ := b.Receive()
		if p, ok := msg.(*pgproto3.PasswordMessage); !ok || !f.lets(p.Password) {
			b.Send(&pgproto3.ErrorResponse{Severity: "FATAL", Code: "28000", Message: "PAM authentication failed"})
			_ = b.Flush()
			return
		}
		b.Send(&pgproto3.AuthenticationOk{})
		b.Send(&pgproto3.ReadyForQuery{TxStatus: 'I'})
		for err := b.Flush(); err == nil; _, err = b.Receive() { // until it leaves
		}
	}()
	return ours, nil
}

// burn runs a story in a bubble, with a client of the ids that it asks for.
func burn(t *testing.T, story func(f *fire)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		f := &fire{t: t, life: life, made: map[string]time.Time{}}
		f.client = newClient(t, f.login, f.dial)
		defer f.client.Close()
		story(f)
	})
}

func newClient(t *testing.T, login airhook.Login, dial func(context.Context, string, string) (net.Conn, error)) *airhook.Client {
	t.Helper()
	extra, err := airhook.ParseExtra(`{"sslmode": "disable"}`)
	if err != nil {
		t.Fatal(err)
	}
	c, err := airhook.New(airhook.Config{
		Registry: anything{extra}, Logins: map[string]airhook.Login{"test": login}, DialFunc: dial,
		Resolve: func(_ context.Context, target airhook.Target) (airhook.Target, error) {
			target.Method = "test"
			return target, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// anything defines every id, each with a user of its own.
type anything struct{ extra airhook.Extra }

func (a anything) Get(_ context.Context, id string) (airhook.Connection, error) {
	return airhook.Connection{ID: id, Type: "postgres", Host: "127.0.0.1", Login: id, Schema: "d", Extra: a.extra}, nil
}

// try opens a session and closes it.
func (f *fire) try(ctx context.Context) error {
	conn, err := f.client.Dial(ctx, "c", nil)
	if err == nil {
		err = conn.Close(f.t.Context())
	}
	return err
}

// batches opens that many sessions, one each interval, and counts the failures, of which it returns the last.
func (f *fire) batches(n int, interval time.Duration) (failed int, last error) {
	for range n {
		if err := f.try(f.t.Context()); err != nil {
			failed, last = failed+1, err
		}
		pass(interval)
	}
	return failed, last
}

// good wants batches without a failure, and returns how often AWS was asked.
func (f *fire) good(n int, interval time.Duration) int {
	f.t.Helper()
	before := f.asked()
	if failed, err := f.batches(n, interval); failed > 0 {
		f.t.Errorf("%d of %d batches failed: %v", failed, n, err)
	}
	return f.asked() - before
}

// bad wants batches that all fail, of a kind, and returns how often AWS was asked.
func (f *fire) bad(n int, interval time.Duration, kind error) int {
	f.t.Helper()
	before := f.asked()
	if failed, err := f.batches(n, interval); failed < n || !errors.Is(err, kind) {
		f.t.Errorf("%d of %d batches failed: %v", failed, n, err)
	}
	return f.asked() - before
}

// ripens makes a token whose successor is due.
func (f *fire) ripens() {
	f.t.Helper()
	f.good(1, 11*time.Minute)
}

func (f *fire) asked() int {
	synctest.Wait()
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.calls
}

// heals wants that a login works before long has passed.
func (f *fire) heals(long time.Duration) {
	f.t.Helper()
	for passed := time.Duration(0); passed < long; passed += time.Second / 4 {
		if f.try(f.t.Context()) == nil {
			return
		}
		pass(time.Second / 4)
	}
	f.t.Errorf("%s after it was mended nobody gets in", long)
}

func (f *fire) between(what string, got, low, high int) {
	f.t.Helper()
	if got < low || got > high {
		f.t.Errorf("%s: AWS was asked %d times, want %d to %d", what, got, low, high)
	}
}

var (
	errRate      = errors.New("throttled: rate exceeded")
	errThrottled = &airhook.Error{Stage: airhook.StageCredential, Err: errRate}
	errDenied    = &airhook.Error{Stage: airhook.StageCredential, Kind: airhook.ErrAccessDenied, Err: errors.New("access denied")}
)

func TestTheCacheUnderFire(t *testing.T) {
	for name, story := range map[string]func(f *fire){
		"an ordinary day": func(f *fire) {
			f.between("in 24 hours", f.good(24*60, time.Minute), 24*60/11, 24*60/7)
		},
		"signing credentials end before the token": func(f *fire) {
			keys := time.Now().Add(5 * time.Minute) // then there are others, for an hour
			f.told = func(now time.Time) time.Time {
				if now.Before(keys) {
					return keys
				}
				return now.Add(life)
			}
			f.accept = func(_ string, made, now time.Time) bool { return !made.Before(keys) || now.Before(keys) }
			f.between("until the keys ended", f.good(5*60-1, time.Second), 3, 12) // half of what is left, again and again
			f.between("then", f.good(6*60, time.Second), 1, 3)
		},
		"throttled for a minute with a valid token": func(f *fire) {
			f.ripens()
			f.down = errThrottled
			f.between("while throttled", f.good(600, time.Second/10), 5, 10)
			f.down = nil
			f.between("afterwards", f.good(12*60, time.Second), 1, 3)
		},
		"throttled from the first moment of the refresh to the last of the token": func(f *fire) {
			f.good(7*60, time.Second)
			f.down = errThrottled
			f.between("while throttled", f.good(8*60-1, time.Second), 5, 25)
			pass(time.Second)
			f.bad(60, time.Second, errRate)
			f.down = nil
			f.heals(5 * time.Second)
		},
		"throttled until just before the token ends": func(f *fire) {
			f.good(1, life-3*time.Second)
			f.down = errThrottled
			f.good(29, time.Second/10)
			f.down = nil
			f.between("afterwards", f.good(60, time.Second/10), 1, 1) // nobody is told what was a moment ago
		},
		"AWS hangs while the token is valid": func(f *fire) {
			f.ripens()
			f.takes = time.Hour
			f.between("while it hangs", f.good(3*60, time.Second), 3, 7)
		},
		"credentials rotated": func(f *fire) {
			f.good(60, time.Second)
			rotated := time.Now()
			f.accept = func(_ string, made, _ time.Time) bool { return !made.Before(rotated) }
			f.between("since the old ones ended", f.good(60, time.Second), 1, 1)
		},
		"credentials rotated ten times a minute": func(f *fire) {
			f.accept = func(_ string, made, now time.Time) bool { return now.Sub(made) < 6*time.Second }
			f.between("in a minute", f.good(240, time.Second/4), 9, 11)
		},
		"this machine's clock is ten minutes ahead": func(f *fire) {
			f.told = func(now time.Time) time.Time { return now.Add(life - 10*time.Minute) }
			f.between("in an hour", f.good(3600, time.Second), 3600/210, 3600/145)
		},
		"this machine's clock is twenty minutes ahead": func(f *fire) {
			f.told = func(now time.Time) time.Time { return now.Add(life - 20*time.Minute) }
			f.between("in a minute", f.good(600, time.Second/10), 10, 13) // it comes expired, and serves for a moment
		},
		"this machine's clock is ten minutes behind": func(f *fire) {
			f.told = func(now time.Time) time.Time { return now.Add(life + 10*time.Minute) }
			f.between("in an hour", f.good(3600, time.Second), 3, 5) // refused after a quarter of an hour, and made anew
		},
		"asleep for eight hours": func(f *fire) {
			f.good(1, time.Second)
			pass(8 * time.Hour)
			f.between("asleep", f.asked(), 1, 1)
			f.between("awake", f.good(60, time.Second), 1, 1)
		},
		"a caller gives up while others wait": func(f *fire) {
			f.takes = 10 * time.Second
			impatient, cancel := context.WithTimeout(f.t.Context(), time.Second)
			defer cancel()
			failed, got := make(chan error), make(chan error)
			go func() { failed <- f.try(impatient) }()
			synctest.Wait()
			for range 100 {
				go func() { got <- f.try(f.t.Context()) }()
			}
			if err := <-failed; !errors.Is(err, airhook.ErrCancelled) {
				f.t.Errorf("who gave up got %v", err)
			}
			for range 100 {
				if err := <-got; err != nil {
					f.t.Errorf("who waited got %v", err)
				}
			}
			f.between("by all", f.asked(), 1, 1)
		},
		"rejected once": func(f *fire) {
			f.accept = func(token string, _, _ time.Time) bool { return token != "token-1" }
			f.between("by all", f.good(60, time.Second), 2, 2)
		},
		"rejected for ever": func(f *fire) {
			f.accept = func(string, time.Time, time.Time) bool { return false }
			f.between("by 1,000 callers in a minute", f.bad(1000, 60*time.Millisecond, airhook.ErrLogin), 2, 15)
			f.between("by 1,000 more", f.bad(1000, 60*time.Millisecond, airhook.ErrLogin), 2, 10)
			if f.logins > 2000+f.calls {
				f.t.Errorf("the database saw %d logins of 2,000 callers with %d credentials", f.logins, f.calls)
			}
			f.accept = nil // the user was made: what AWS gave out is good now
			f.between("once let in", f.good(60, time.Second), 0, 1)
		},
		"rejected until signed anew": func(f *fire) {
			mended := time.Now().Add(time.Minute)
			f.accept = func(_ string, made, _ time.Time) bool { return !made.Before(mended) }
			f.bad(600, time.Second/10, airhook.ErrLogin)
			f.heals(16 * time.Second)
			f.accept = func(token string, made, now time.Time) bool {
				return now.After(mended.Add(time.Minute)) && made.After(mended.Add(time.Minute))
			}
			pass(time.Minute)
			f.between("refused after it was let in", f.good(60, time.Second), 1, 1)
		},
		"rejected for ever, by a thousand at once": func(f *fire) {
			f.accept = func(string, time.Time, time.Time) bool { return false }
			var all sync.WaitGroup
			for range 1000 {
				all.Go(func() {
					if err := f.try(f.t.Context()); !errors.Is(err, airhook.ErrLogin) {
						f.t.Errorf("got %v", err)
					}
				})
			}
			all.Wait()
			f.between("by all", f.asked(), 2, 2)
		},
		"a principal that may not, until the policy is attached": func(f *fire) {
			f.down = errDenied
			f.between("by one", f.bad(1, 0, airhook.ErrAccessDenied), 1, 1)
			f.down = nil
			pass(time.Second)
			f.good(1, time.Second)
		},
		"a principal that may not, for a minute": func(f *fire) {
			f.down = errDenied
			f.between("by 1,000 callers in a minute", f.bad(1000, 60*time.Millisecond, airhook.ErrAccessDenied), 10, 25)
			f.down = nil
			f.heals(5 * time.Second)
		},
		"a principal that may no longer, with a valid token": func(f *fire) {
			f.ripens()
			f.down = errDenied
			f.between("while the token is valid", f.good(4*60-1, time.Second), 4, 9)
			f.down = nil
			pass(time.Minute)
			f.good(1, time.Second)
		},
	} {
		t.Run(strings.ReplaceAll(name, " ", "_"), func(t *testing.T) {
			t.Parallel()
			burn(t, story)
		})
	}
}

func TestTenThousandIDsAreLittle(t *testing.T) {
	const ids = 10_000
	c := newClient(t, func(context.Context, airhook.Target) (airhook.Credential, error) {
		return airhook.Credential{User: "u", Password: airhook.NewSecret("p"), Expires: time.Now().Add(life)}, nil
	}, nil)
	goroutines, before := runtime.NumGoroutine(), heap()
	var all sync.WaitGroup
	for worker := range 4 {
		all.Go(func() {
			for id := worker; id < ids; id += 4 {
				if _, err := c.Credential(t.Context(), fmt.Sprint(id)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	if each := (heap() - before) / ids; each > 12_000 {
		t.Errorf("an id that only signs takes %d bytes", each)
	}
	if n := runtime.NumGoroutine() - goroutines; n > 10 {
		t.Errorf("%d goroutines idle", n)
	}
	began := time.Now()
	c.Close()
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("Close took %s", took)
	}
	if n := runtime.NumGoroutine() - goroutines; n > 0 {
		t.Errorf("%d goroutines are left", n)
	}
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
