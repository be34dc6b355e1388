package airhook_test

import (
	"context"
	"iter"
	"maps"
	"slices"

	"github.com/airhook-go/airhook"
)

// registry is a read-only registry in memory.
type registry map[string]airhook.Connection

func (r registry) Get(_ context.Context, id string) (airhook.Connection, error) {
	c, ok := r[id]
	if !ok {
		return c, &airhook.Error{ID: id, Kind: airhook.ErrNotFound}
	}
	return c, nil
}

func (r registry) List(context.Context) iter.Seq2[airhook.Connection, error] {
	return func(yield func(airhook.Connection, error) bool) {
		for _, id := range slices.Sorted(maps.Keys(r)) {
			if !yield(r[id], nil) {
				return
			}
		}
	}
}
