package refresh

import (
	"math/rand/v2"
	"sync/atomic"
	"time"
)

// held is a value with its times. They are wall-clock readings: the monotonic clock of a time.Time stands still while
// a laptop sleeps, and a comparison uses it only when both sides have one.
type held[T any] struct {
	value              T
	made, due, expires time.Time   // expires is zero when never
	taken              atomic.Bool // somebody has let it in
}

type age int

const (
	fresh   age = iota // nothing to do
	due                // good, but it is time to ask for the next one
	expired            // no good
)

func newHeld[T any](value T, made, expires time.Time) *held[T] {
	h := &held[T]{value: value, made: made.Round(0), expires: expires.Round(0)}
	if !expires.IsZero() {
		h.due = h.made.Add(refreshAfter(h.expires.Sub(h.made)))
	}
	return h
}

// until is h with another end, and fresh until then.
func (h *held[T]) until(end time.Time) *held[T] {
	return &held[T]{value: h.value, made: h.made, due: end.Round(0), expires: end.Round(0)}
}

// refreshAfter is when in its life a value's successor is asked for: from a half to seven tenths of it, at random.
func refreshAfter(life time.Duration) time.Duration {
	if life <= 0 {
		return 0
	}
	return life/2 + rand.N(life/5+1)
}

func (h *held[T]) age(now time.Time) age {
	switch {
	case h.expires.IsZero():
		return fresh
	case now.Before(h.due): // the usual case first: every session asks
		if now.Before(h.made) {
			return due // the clock was put back, and what it said is in doubt
		}
		return fresh
	case now.Before(h.expires):
		return due
	}
	return expired
}

// failure is a run of fetches that failed, and how long the source is left alone.
type failure struct {
	err   error
	count int
	at    time.Time // wall clock
	wait  time.Duration
	quiet bool // an old value served: nobody was told
}

// next is the failure after f. A run that ended long ago does not count.
func (f failure) next(now time.Time, err error, permanent bool) failure {
	now = now.Round(0)
	if now.Sub(f.at) > 2*longestWait {
		f.count = 0
	}
	wait := longestWait
	if shift := f.count; !permanent && shift < 8 {
		wait = min(longestWait, firstWait<<shift)
	}
	return failure{err: err, count: f.count + 1, at: now, wait: jittered(wait)}
}

// waits reports whether it is too early to ask again. Callers without a good value are not put off for long: what
// they are told may have been mended.
func (f failure) waits(now time.Time, good bool) bool {
	if f.err == nil {
		return false
	}
	wait := f.wait
	switch {
	case !good && f.quiet: // the wait was for the old value's time
		return false
	case !good:
		wait = min(wait, firstWait<<min(f.count-1, 8), longestRefusal)
	}
	since := now.Round(0).Sub(f.at)
	return since >= 0 && since < wait
}
