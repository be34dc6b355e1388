package refresh_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/airhook-go/airhook/internal/refresh"
)

func TestAGroupSharesAValueByItsKey(t *testing.T) {
	var g refresh.Group[int64]
	defer g.Close()
	s := &source{}
	use := func(key string) *refresh.Value[int64] {
		v, err := g.Use(key, s.fetch, refresh.Options{})
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	a := use("a")
	if use("a") != a || use("b") == a {
		t.Error("values are not shared by their keys")
	}
	g.Release("a")
	use("c")
	if got, err := a.Get(t.Context()); got != 1 || err != nil {
		t.Errorf("a value in use: %d, %v", got, err)
	}
	g.Release("a")
	if use("a") != a {
		t.Error("who let go and came back got another value")
	}
}

// However often a key changes, only the last value may stay behind.
func TestAGroupClosesWhatNobodyUses(t *testing.T) {
	var g refresh.Group[int64]
	var all []*refresh.Value[int64]
	s := &source{}
	for n := range 100 {
		key := fmt.Sprint(n)
		v, err := g.Use(key, s.fetch, refresh.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err = v.Get(t.Context()); err != nil {
			t.Fatal(err)
		}
		all = append(all, v)
		g.Release(key)
	}
	held := func() (n int) {
		for _, v := range all {
			if _, err := v.Get(t.Context()); !errors.Is(err, refresh.ErrClosed) {
				n++
			}
		}
		return n
	}
	for held() > 1 { // until what was swept is closed
	}
	g.Close()
	if n := held(); n != 0 {
		t.Errorf("%d values are open after Close", n)
	}
	if _, err := g.Use("x", s.fetch, refresh.Options{}); !errors.Is(err, refresh.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
	g.Release("x")
}
