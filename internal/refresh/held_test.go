package refresh

import (
	"errors"
	"testing"
	"time"
	"unsafe"
)

// asleep returns t with its wall clock moved and its monotonic reading as it was: what time.Now gives when a laptop
// has slept (forward) or somebody set the clock (either way). No fake clock moves the two apart, so this writes the
// seconds into time.Time itself, and checks that it did what it says.
func asleep(t *testing.T, at time.Time, moved time.Duration) time.Time {
	t.Helper()
	const nanosecondBits = 30 // time.Time: wall = 1 bit "has a monotonic reading", 33 bits seconds, 30 bits nanoseconds
	woken := at
	wall := (*uint64)(unsafe.Pointer(&woken))
	*wall += uint64(moved/time.Second) << nanosecondBits
	if woken.Sub(at) != 0 || woken.Round(0).Sub(at.Round(0)) != moved {
		t.Fatalf("time.Time is not laid out as this test believes: %s and %s", woken.Sub(at), woken.Round(0).Sub(at.Round(0)))
	}
	return woken
}

func TestAgeIsTheWallClocks(t *testing.T) {
	const life = 15 * time.Minute
	now := time.Now()
	h := newHeld("token", now, now.Add(life))
	for moved, want := range map[time.Duration]age{
		0: fresh, 7 * time.Minute: fresh, 11 * time.Minute: due, life - time.Second: due, life: expired, 8 * time.Hour: expired,
		-time.Second: due, -8 * time.Hour: due,
	} {
		if got := h.age(asleep(t, now, moved)); got != want {
			t.Errorf("after the wall clock moved %s: %d, want %d", moved, got, want)
		}
	}
}

func TestBackOffIsTheWallClocks(t *testing.T) {
	now := time.Now()
	f := failure{}.next(now, errors.New("down"), true)
	for moved, want := range map[time.Duration]bool{0: true, 20 * time.Second: true, time.Minute: false, 8 * time.Hour: false, -time.Hour: false} {
		if got := f.waits(asleep(t, now, moved), true); got != want {
			t.Errorf("after the wall clock moved %s: waits %t, want %t", moved, got, want)
		}
	}
}

func TestRefreshIsDueFromHalfLifeAtRandom(t *testing.T) {
	const life = 15 * time.Minute
	low, high := life, time.Duration(0)
	for range 10_000 {
		after := refreshAfter(life)
		low, high = min(low, after), max(high, after)
	}
	if low < life/2 || high > life*7/10 {
		t.Errorf("due between %s and %s of %s", low, high, life)
	}
	if high-low < life/6 {
		t.Errorf("hardly any jitter: %s to %s", low, high)
	}
}

func TestBackOffGrowsWithJitterAndForgets(t *testing.T) {
	now, err := time.Now(), errors.New("down")
	f := failure{}
	for n, longest := range []time.Duration{500 * time.Millisecond, time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second, 16 * time.Second, 32 * time.Second, time.Minute, time.Minute} {
		f = f.next(now, err, false)
		if f.count != n+1 || f.wait < longest/2 || f.wait > longest {
			t.Errorf("failure %d waits %s, want %s to %s", f.count, f.wait, longest/2, longest)
		}
		now = now.Add(f.wait)
	}
	if f = f.next(now.Add(time.Hour), err, false); f.count != 1 || f.wait > 500*time.Millisecond {
		t.Errorf("an hour later: failure %d, %s", f.count, f.wait)
	}
}
