package airhook_test

import (
	"context"
	"errors"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

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

// foldCase finds ids in any case, as the environment does.
type foldCase struct{ registry }

func (f foldCase) Get(ctx context.Context, id string) (airhook.Connection, error) {
	return f.registry.Get(ctx, strings.ToLower(id))
}

func TestAChainListsWhatItsGetWouldReturn(t *testing.T) {
	env := foldCase{registry{"my_db": {ID: "my_db", Host: "env"}}}
	store := registry{"My_DB": {ID: "My_DB", Host: "store"}, "my_db": {ID: "my_db", Host: "store"}, "lake": {ID: "lake", Host: "store"}}
	chain := airhook.Chain(env, store)
	var got []string
	for c, err := range chain.(airhook.Lister).List(t.Context()) {
		found, notFound := chain.Get(t.Context(), c.ID)
		if err != nil || notFound != nil || found.Host != c.Host {
			t.Errorf("listed %v, %v; Get returns %v, %v", c, err, found, notFound)
		}
		got = append(got, c.ID)
	}
	if want := []string{"my_db", "lake"}; !slices.Equal(got, want) {
		t.Errorf("listed %q, want %q", got, want)
	}
}

// counted counts how often everything is read.
type counted struct {
	registry
	lists *atomic.Int64
}

func (c counted) List(ctx context.Context) iter.Seq2[airhook.Connection, error] {
	c.lists.Add(1)
	return c.registry.List(ctx)
}

func TestAnUnknownIDListsTheRegistryOnce(t *testing.T) {
	lists := &atomic.Int64{}
	chain := airhook.Chain(counted{registry{"lake": {ID: "lake"}}, lists})
	if _, err := chain.Get(t.Context(), "lakes"); !errors.Is(err, airhook.ErrNotFound) || lists.Load() != 0 {
		t.Errorf("%v after %d lists", err, lists.Load())
	}
	c := must(airhook.New(airhook.Config{Registry: chain}))
	defer c.Close()
	_, err := c.Get(t.Context(), "lakes")
	var e *airhook.Error
	if !errors.As(err, &e) || e.Hint != "did you mean lake?" || lists.Load() != 1 {
		t.Errorf("%#v after %d lists", e, lists.Load())
	}
}

func TestAnUndefinedAWSConnectionNamesTheNearest(t *testing.T) {
	r := registry{"keys": {ID: "keys", Type: "aws"}, "c": {ID: "c", Type: "postgres", Host: rdsHost, Login: "u", Extra: mustExtra(`{"iam": true, "aws_conn_id": "kyes"}`)}}
	c := must(airhook.New(airhook.Config{Registry: r, Resolve: func(ctx context.Context, t airhook.Target) (airhook.Target, error) {
		_, err := r.Get(ctx, t.AWSConnID)
		return t, err
	}}))
	defer c.Close()
	var e *airhook.Error
	if err := ignore(c.Target(t.Context(), "c")); !errors.Is(err, airhook.ErrNotFound) || !errors.As(err, &e) || e.Hint != "did you mean keys?" {
		t.Errorf("got %#v", e)
	}
}
