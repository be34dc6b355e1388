package refresh

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

const (
	defaultTimeout = 30 * time.Second

	// The first wait after a failure is short enough not to hide what somebody mends a second later.
	firstWait = 500 * time.Millisecond
	// longestWait is how long a failing source is left alone while an old value serves.
	longestWait = time.Minute
	// longestRefusal is how long it is left alone when callers get the error instead of a value.
	longestRefusal = 5 * time.Second
	// longestKept is how long a value is kept that was refused from the beginning, as others before it.
	longestKept = 15 * time.Second
	// deadLife is how long a value serves that had expired when it came.
	deadLife = 5 * time.Second
)

// ErrClosed is what Get returns after Close.
var ErrClosed = errors.New("the credential is closed")

// ErrStale is what a fetch returns that would make the value of another key by now. It is not held against what follows:
// whoever gets it asks for the right key's value.
var ErrStale = errors.New("the credential would be somebody else's by now")

// Fetch makes a new value and says when it expires; the zero time means never.
type Fetch[T any] func(ctx context.Context) (T, time.Time, error)

// Options of a Value; the zero Options work.
type Options struct {
	// Timeout bounds one fetch; zero is 30 seconds.
	Timeout time.Duration
	// Logger hears when a refresh starts to fail while an old value serves; nil is silent.
	Logger *slog.Logger
	// Name is the log's attribute "conn".
	Name string
	// Permanent reports errors that trying again soon does not heal: then the longest wait follows at once, while an
	// old value serves. nil: none is.
	Permanent func(error) bool
}

// Value is one expiring value, fetched when it is first asked for and refreshed ahead of its expiry. It is safe for
// concurrent use.
type Value[T comparable] struct {
	fetch   Fetch[T]
	opts    Options
	current atomic.Pointer[held[T]] // nil: none, or dropped

	mu       sync.Mutex // guards what follows and every store to current
	flight   *flight[T] // the one running fetch, or nil
	failure  failure
	refused  failure // the run of values that were refused and that nobody ever took
	dead     bool    // the last value came expired
	closed   bool
	running  sync.WaitGroup
	dropping uint64 // counts drops, so that a failure from before a drop is not held against what follows it
}

// flight is a running fetch; its result may be read once done is closed.
type flight[T any] struct {
	done   chan struct{}
	cancel context.CancelFunc
	value  T
	err    error
}

// New returns a Value that asks fetch; it asks nothing yet.
func New[T comparable](fetch Fetch[T], opts Options) *Value[T] {
	if opts.Timeout <= 0 {
		opts.Timeout = defaultTimeout
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	return &Value[T]{fetch: fetch, opts: opts}
}

// Get returns the value. While it is good it answers at once, from half of its life on also starting a refresh; with
// none it waits for the shared fetch, or for ctx. Soon after a failed fetch the same error comes back without another.
func (v *Value[T]) Get(ctx context.Context) (T, error) {
	if value, ok := v.Fresh(); ok {
		return value, nil
	}
	return v.get(ctx)
}

// Fresh returns the value if it is good and it is not yet time to ask for its successor. A nil Value has none.
func (v *Value[T]) Fresh() (value T, ok bool) {
	if v == nil {
		return value, false
	}
	if h := v.current.Load(); h != nil && h.age(time.Now()) == fresh {
		return h.value, true
	}
	return value, false
}

func (v *Value[T]) get(ctx context.Context) (T, error) {
	var none T
	v.mu.Lock()
	now, h := time.Now(), v.current.Load()
	good := h != nil && h.age(now) != expired
	if v.closed {
		v.mu.Unlock()
		return none, ErrClosed
	}
	if v.flight == nil && (good && h.age(now) == fresh || v.failure.waits(now, good)) {
		err := v.failure.err
		v.mu.Unlock()
		if good {
			return h.value, nil
		}
		return none, err
	}
	f := v.flight
	if f == nil {
		f = v.start(ctx)
	}
	v.mu.Unlock()
	if good {
		return h.value, nil
	}
	return f.wait(ctx)
}

func (f *flight[T]) wait(ctx context.Context) (T, error) {
	select {
	case <-f.done:
		return f.value, f.err
	case <-ctx.Done():
		var none T
		return none, context.Cause(ctx)
	}
}

// start runs a fetch in the background. It outlives the caller that happened to be first, but not Close.
func (v *Value[T]) start(ctx context.Context) *flight[T] {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), v.opts.Timeout)
	f := &flight[T]{done: make(chan struct{}), cancel: cancel}
	v.flight = f
	drops := v.dropping
	v.running.Go(func() {
		defer cancel()
		asked := time.Now() // before the fetch: what it makes is at least this old
		value, expires, err := v.fetch(ctx)
		v.land(f, drops, newHeld(value, asked, expires), err)
	})
	return f
}

// land keeps what a fetch brought and lets the waiting go.
func (v *Value[T]) land(f *flight[T], drops uint64, h *held[T], err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	defer close(f.done)
	v.flight = nil
	switch {
	case v.closed:
		f.err = ErrClosed
	case err != nil:
		f.err = err
		if drops == v.dropping && !errors.Is(err, ErrStale) {
			v.failed(err)
		}
	default:
		f.value = h.value
		v.failure = failure{}
		v.keep(h)
	}
}

// keep stores a value. One that comes expired, as all do when this machine's clock is ahead, may be good all the same:
// it serves for a moment, so that the source is not asked at every call, unless somebody refuses it.
func (v *Value[T]) keep(h *held[T]) {
	if now := time.Now(); h.age(now) == expired {
		if !v.dead {
			v.opts.Logger.Info("a credential has expired before it came; is this machine's clock ahead?", "conn", v.opts.Name, "expires", h.expires)
		}
		v.dead, h = true, h.until(now.Add(deadLife))
	} else {
		v.dead = false
	}
	v.current.Store(h)
}

func (v *Value[T]) failed(err error) {
	permanent := v.opts.Permanent != nil && v.opts.Permanent(err)
	v.failure = v.failure.next(time.Now(), err, permanent)
	h := v.current.Load()
	if v.failure.quiet = h != nil && h.age(time.Now()) != expired; !v.failure.quiet {
		return // callers get the error: it is theirs to report
	}
	level := slog.LevelDebug
	if v.failure.count == 1 {
		level = slog.LevelWarn
	}
	v.opts.Logger.Log(context.Background(), level, "refresh a credential; the old one serves on", "conn", v.opts.Name, "err", err)
}

// Peek returns the value if there is a good one, without asking for any.
func (v *Value[T]) Peek() (T, bool) {
	if h := v.current.Load(); h != nil && h.age(time.Now()) != expired {
		return h.value, true
	}
	var none T
	return none, false
}

var errRefused = errors.New("the value was refused")

// Took says that somebody took the value: should it be refused later, then that is news.
func (v *Value[T]) Took(value T) {
	if h := v.current.Load(); h != nil && h.value == value && !h.taken.Load() {
		h.taken.Store(true)
	}
}

// Drop forgets the value that somebody refused to take, so that the next Get fetches a new one, also soon after a
// failed refresh. Another value, such as the one that a second caller already fetched anew, stays. So does, for a while
// that grows up to 15 seconds, one that is refused like the one before it and that nobody [Value.Took]: who is never let
// in asks the source a few times a minute, not at every try.
func (v *Value[T]) Drop(refused T) {
	v.mu.Lock()
	defer v.mu.Unlock()
	h := v.current.Load()
	if h == nil || h.value != refused {
		return
	}
	now := time.Now()
	if h.taken.Load() {
		v.refused = failure{}
	} else if v.refused.waits(now, true) {
		return
	}
	v.refused = v.refused.next(now, errRefused, false)
	v.refused.wait = min(v.refused.wait, longestKept)
	v.current.Store(nil)
	v.failure = failure{}
	v.dropping++
}

// Close forgets the value, ends a running fetch and waits for it. Every Get from then on returns ErrClosed.
func (v *Value[T]) Close() {
	v.mu.Lock()
	v.closed = true
	v.current.Store(nil)
	if v.flight != nil {
		v.flight.cancel()
	}
	v.mu.Unlock()
	v.running.Wait()
}

// jittered returns a random duration from d/2 to d, so that many clients do not ask in step.
func jittered(d time.Duration) time.Duration { return d/2 + rand.N(d/2+1) }
