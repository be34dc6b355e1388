package hook_test

import (
	"testing"

	"github.com/airhook-go/airhook/airhooktest"
	"github.com/airhook-go/airhook/hook"
)

// BenchmarkGetFirst is what a hook's call costs beside the same query on the pool: a description of the statement, and
// the reset of the session. What a SET costs a hook's later calls is the third.
func BenchmarkGetFirst(b *testing.B) {
	conn := airhooktest.Postgres(b)
	client := airhooktest.Client(b, conn)
	pool, err := client.Pool(b.Context(), conn.ID)
	if err != nil {
		b.Fatal(err)
	}
	h, set := hook.New(client, conn.ID), hook.New(client, conn.ID)
	if err := set.Run(b.Context(), "SET my.word = 'x'"); err != nil {
		b.Fatal(err)
	}
	first := func(h *hook.Hook) func() error {
		return func() error {
			_, err := h.GetFirst(b.Context(), "SELECT 1")
			return err
		}
	}
	for name, call := range map[string]func() error{
		"by=pool":         func() error { var n int; return pool.QueryRow(b.Context(), "SELECT 1").Scan(&n) },
		"by=hook":         first(h),
		"by=hook-and-set": first(set),
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := call(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
