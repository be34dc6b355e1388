package refresh_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/airhook-go/airhook/internal/refresh"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const life = 15 * time.Minute

var errDown = errors.New("down")

// source makes the values 1, 2, 3, …, each good for life, slowly or not at all.
type source struct {
	calls atomic.Int64
	takes time.Duration
	down  atomic.Bool
}

func (s *source) fetch(ctx context.Context) (int64, time.Time, error) {
	n, asked := s.calls.Add(1), time.Now()
	if s.takes > 0 {
		select {
		case <-time.After(s.takes):
		case <-ctx.Done():
			return 0, time.Time{}, ctx.Err()
		}
	}
	if s.down.Load() {
		return 0, time.Time{}, errDown
	}
	return n, asked.Add(life), nil
}

// bubble runs a test in its own time with a value of that source, closed at the end.
func bubble(t *testing.T, s *source, o refresh.Options, test func(t *testing.T, v *refresh.Value[int64])) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		v := refresh.New(s.fetch, o)
		defer v.Close()
		test(t, v)
	})
}

// pass lets the bubble's time pass.
func pass(d time.Duration) { <-time.After(d) }

func want(t *testing.T, v *refresh.Value[int64], n int64) {
	t.Helper()
	if got, err := v.Get(t.Context()); got != n || err != nil {
		t.Errorf("got %d, %v; want %d", got, err, n)
	}
	synctest.Wait() // until what Get started in the background has come as far as it can
}

func wantErr(t *testing.T, v *refresh.Value[int64], target error) {
	t.Helper()
	if got, err := v.Get(t.Context()); !errors.Is(err, target) {
		t.Errorf("got %d, %v; want error %v", got, err, target)
	}
}

func wantCalls(t *testing.T, s *source, n int64) {
	t.Helper()
	synctest.Wait()
	if got := s.calls.Load(); got != n {
		t.Errorf("%d fetches, want %d", got, n)
	}
}

func TestThousandCallersShareOneFetch(t *testing.T) {
	s := &source{takes: time.Second}
	bubble(t, s, refresh.Options{}, func(t *testing.T, v *refresh.Value[int64]) {
		var wg sync.WaitGroup
		for range 1000 {
			wg.Go(func() {
				if got, err := v.Get(t.Context()); got != 1 || err != nil {
					t.Errorf("got %d, %v", got, err)
				}
			})
		}
		wg.Wait()
		wantCalls(t, s, 1)
	})
}

func TestRefreshesAheadWhileTheOldValueServes(t *testing.T) {
	s := &source{}
	bubble(t, s, refresh.Options{}, func(t *testing.T, v *refresh.Value[int64]) {
		want(t, v, 1)
		pass(life/2 - time.Second)
		want(t, v, 1)
		wantCalls(t, s, 1)
		pass(life/5 + 2*time.Second) // past the latest moment
		s.takes = 20 * time.Second
		want(t, v, 1) // at once, though the refresh takes its time
		want(t, v, 1)
		wantCalls(t, s, 2)
		pass(21 * time.Second)
		want(t, v, 2)
		wantCalls(t, s, 2)
	})
}

func TestNothingRunsWhileNobodyAsks(t *testing.T) {
	s := &source{}
	bubble(t, s, refresh.Options{}, func(t *testing.T, v *refresh.Value[int64]) {
		wantCalls(t, s, 0)
		want(t, v, 1)
		pass(24 * time.Hour)
		wantCalls(t, s, 1)
		if got, ok := v.Peek(); ok {
			t.Errorf("%d is expired and was peeked at", got)
		}
		want(t, v, 2)
	})
}

func TestFailingRefreshKeepsTheOldValueUntilItExpires(t *testing.T) {
	s := &source{}
	var log bytes.Buffer
	bubble(t, s, refresh.Options{Name: "warehouse", Logger: slog.New(slog.NewTextHandler(&log, nil))}, func(t *testing.T, v *refresh.Value[int64]) {
		want(t, v, 1)
		s.down.Store(true)
		for elapsed := time.Duration(0); elapsed < life-time.Second; elapsed += time.Second { // a caller every second
			want(t, v, 1)
			pass(time.Second)
		}
		if calls := s.calls.Load(); calls < 6 || calls > 25 { // 0.5 s, 1 s, 2 s, … then at most once in 30 s
			t.Errorf("%d fetches in the failing half of life", calls)
		}
		pass(time.Second)
		wantErr(t, v, errDown)
		s.down.Store(false)
		pass(6 * time.Second) // however long it had failed, an error is not repeated for longer
		if got, err := v.Get(t.Context()); err != nil || got < 2 {
			t.Errorf("got %d, %v", got, err)
		}
		if text := log.String(); strings.Count(text, "\n") != 1 || !strings.Contains(text, "conn=warehouse") || !strings.Contains(text, "level=WARN") {
			t.Errorf("log: %s", text)
		}
	})
}

func TestAfterAFailureCallersAreSparedButNotPutOffForLong(t *testing.T) {
	s := &source{}
	s.down.Store(true)
	bubble(t, s, refresh.Options{}, func(t *testing.T, v *refresh.Value[int64]) {
		for range 100 {
			wantErr(t, v, errDown)
		}
		wantCalls(t, s, 1)
		s.down.Store(false)
		pass(500 * time.Millisecond) // the fix of a second later is seen
		want(t, v, 2)
	})
}

func TestPermanentFailureIsRetriedRarelyButNotHidden(t *testing.T) {
	s := &source{}
	permanent := func(err error) bool { return errors.Is(err, errDown) }
	bubble(t, s, refresh.Options{Permanent: permanent}, func(t *testing.T, v *refresh.Value[int64]) {
		want(t, v, 1)
		s.down.Store(true)
		pass(life * 3 / 4)
		for range 29 { // the old value serves: no retry within half a minute
			want(t, v, 1)
			pass(time.Second)
		}
		wantCalls(t, s, 2)
		s.down.Store(false)
		v.Drop(1)
		want(t, v, 3)
	})
	s = &source{}
	s.down.Store(true)
	bubble(t, s, refresh.Options{Permanent: permanent}, func(t *testing.T, v *refresh.Value[int64]) {
		wantErr(t, v, errDown)
		s.down.Store(false)
		pass(time.Second)
		want(t, v, 2)
	})
}

func TestCancelEndsOnlyTheCallersWait(t *testing.T) {
	s := &source{takes: time.Second}
	bubble(t, s, refresh.Options{}, func(t *testing.T, v *refresh.Value[int64]) {
		ctx, cancel := context.WithCancelCause(t.Context())
		gone := errors.New("gone home")
		left := make(chan error)
		go func() { _, err := v.Get(ctx); left <- err }() // this one starts the fetch
		synctest.Wait()
		patient := make(chan int64)
		go func() { n, _ := v.Get(t.Context()); patient <- n }()
		synctest.Wait()
		cancel(gone)
		if err := <-left; !errors.Is(err, gone) {
			t.Errorf("cancelled caller: %v", err)
		}
		if n := <-patient; n != 1 {
			t.Errorf("patient caller: %d", n)
		}
		wantCalls(t, s, 1)
	})
}

func TestFetchIsBoundedByTheTimeout(t *testing.T) {
	s := &source{takes: time.Hour}
	bubble(t, s, refresh.Options{Timeout: 3 * time.Second}, func(t *testing.T, v *refresh.Value[int64]) {
		started := time.Now()
		wantErr(t, v, context.DeadlineExceeded)
		if took := time.Since(started); took != 3*time.Second {
			t.Errorf("took %s", took)
		}
	})
}

func TestDropForgetsExactlyTheRefusedValue(t *testing.T) {
	s := &source{}
	bubble(t, s, refresh.Options{}, func(t *testing.T, v *refresh.Value[int64]) {
		want(t, v, 1)
		v.Drop(1)
		v.Drop(1)
		want(t, v, 2)
		v.Drop(1) // a slow second caller, after the first already has a new one
		want(t, v, 2)
		wantCalls(t, s, 2)
		if got, ok := v.Peek(); got != 2 || !ok {
			t.Errorf("peek: %d, %t", got, ok)
		}
	})
}

func TestWhatNobodyTookIsKeptForLongerEachTime(t *testing.T) {
	s := &source{}
	bubble(t, s, refresh.Options{}, func(t *testing.T, v *refresh.Value[int64]) {
		refuse := func() {
			t.Helper()
			n, err := v.Get(t.Context())
			if err != nil {
				t.Error(err)
			}
			v.Drop(n)
		}
		for range 100 {
			refuse()
		}
		wantCalls(t, s, 2) // the first is replaced at once, the second is kept
		for passed := time.Duration(0); passed < time.Minute; passed += 100 * time.Millisecond {
			pass(100 * time.Millisecond)
			refuse()
		}
		if n := s.calls.Load(); n < 7 || n > 15 {
			t.Errorf("%d fetches in a minute of refusals", n)
		}
		n, _ := v.Get(t.Context())
		v.Took(n - 1) // an old one says nothing
		v.Drop(n)
		v.Took(n)
		v.Drop(n)
		want(t, v, n+1)
	})
}

func TestTwoWhoWereRefusedShareTheNextFetch(t *testing.T) {
	s := &source{}
	bubble(t, s, refresh.Options{}, func(t *testing.T, v *refresh.Value[int64]) {
		want(t, v, 1)
		s.takes = time.Second
		var wg sync.WaitGroup
		for range 2 {
			wg.Go(func() {
				v.Drop(1)
				if n, err := v.Get(t.Context()); n != 2 || err != nil {
					t.Errorf("got %d, %v", n, err)
				}
			})
		}
		wg.Wait()
		wantCalls(t, s, 2)
	})
}

func TestWhatWouldBeSomebodyElsesIsNotHeldAgainstWhatFollows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		v := refresh.New(func(context.Context) (int, time.Time, error) {
			if calls++; calls == 1 {
				return 0, time.Time{}, fmt.Errorf("sign: %w", refresh.ErrStale)
			}
			return calls, time.Time{}, nil
		}, refresh.Options{})
		defer v.Close()
		if _, err := v.Get(t.Context()); !errors.Is(err, refresh.ErrStale) {
			t.Errorf("got %v", err)
		}
		if got, err := v.Get(t.Context()); got != 2 || err != nil {
			t.Errorf("a moment later: %d, %v", got, err)
		}
	})
}

func TestDropIsNotHeldBackByAnEarlierFailure(t *testing.T) {
	s := &source{}
	bubble(t, s, refresh.Options{}, func(t *testing.T, v *refresh.Value[int64]) {
		want(t, v, 1)
		pass(life * 3 / 4)
		s.down.Store(true)
		want(t, v, 1)
		s.down.Store(false)
		v.Drop(1)
		want(t, v, 3)
	})
}

func TestZeroExpiryIsForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		v := refresh.New(func(context.Context) (string, time.Time, error) { calls++; return "x", time.Time{}, nil }, refresh.Options{})
		defer v.Close()
		for range 3 {
			if got, err := v.Get(t.Context()); got != "x" || err != nil {
				t.Errorf("got %q, %v", got, err)
			}
			pass(1000 * time.Hour)
		}
		if calls != 1 {
			t.Errorf("%d fetches", calls)
		}
	})
}

func TestValueThatComesExpiredServesForAMomentWithOneWarning(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		s, ahead := &source{}, int64(2) // so many come expired
		v := refresh.New(func(ctx context.Context) (int64, time.Time, error) {
			n, expires, err := s.fetch(ctx)
			if n <= ahead {
				expires = time.Now().Add(-time.Second)
			}
			return n, expires, err
		}, refresh.Options{Logger: slog.New(slog.NewTextHandler(&log, nil)), Name: "c"})
		defer v.Close()
		for range 50 {
			want(t, v, 1)
		}
		pass(6 * time.Second)
		for range 50 {
			want(t, v, 2)
		}
		v.Drop(2) // refused: then there is no reason to keep it
		want(t, v, 3)
		pass(life / 3)
		want(t, v, 3)
		wantCalls(t, s, 3)
		if text := log.String(); strings.Count(text, "clock") != 1 || !strings.Contains(text, "conn=c") {
			t.Errorf("log: %s", text)
		}
	})
}

func TestCloseEndsAFetchAndWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ended := false
		v := refresh.New(func(ctx context.Context) (int, time.Time, error) {
			<-ctx.Done()
			pass(time.Second) // as one that takes a moment to notice
			ended = true
			return 1, time.Time{}, nil
		}, refresh.Options{})
		got := make(chan error)
		go func() { _, err := v.Get(t.Context()); got <- err }()
		synctest.Wait()
		go func() {
			if err := <-got; !errors.Is(err, refresh.ErrClosed) {
				t.Errorf("the waiting caller got %v", err)
			}
		}()
		v.Close()
		if !ended {
			t.Error("Close did not wait")
		}
		if n, err := v.Get(t.Context()); !errors.Is(err, refresh.ErrClosed) {
			t.Errorf("after Close: %d, %v", n, err)
		}
		v.Close()
	})
}

func TestConcurrentUse(t *testing.T) {
	var calls atomic.Int64
	v := refresh.New(func(context.Context) (int64, time.Time, error) {
		return calls.Add(1), time.Now().Add(time.Millisecond), nil
	}, refresh.Options{})
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 2000 {
				n, err := v.Get(t.Context())
				if err != nil {
					t.Error(err)
				}
				if n%5 == 0 {
					v.Drop(n)
				}
				v.Peek()
			}
		})
	}
	wg.Wait()
	v.Close()
}

func BenchmarkGet(b *testing.B) {
	type credential struct {
		user, password, principal string
		expires                   time.Time
	}
	fetch := func(context.Context) (credential, time.Time, error) {
		expires := time.Now().Add(time.Hour)
		return credential{"user", "password", "principal", expires}, expires, nil
	}
	b.Run("cold", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			v := refresh.New(fetch, refresh.Options{})
			if _, err := v.Get(b.Context()); err != nil {
				b.Fatal(err)
			}
		}
	})
	v := refresh.New(fetch, refresh.Options{})
	defer v.Close()
	ctx := b.Context()
	b.Run("cached", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := v.Get(ctx); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("cached-parallel", func(b *testing.B) {
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if _, err := v.Get(ctx); err != nil {
					b.Error(err)
				}
			}
		})
	})
}

func ExampleValue() {
	token := refresh.New(func(context.Context) (string, time.Time, error) {
		return "signed", time.Now().Add(15 * time.Minute), nil
	}, refresh.Options{Name: "rds_postgres_iam"})
	defer token.Close()
	fmt.Println(token.Get(context.Background()))
	// Output: signed <nil>
}
