package airhook

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/airhook-go/airhook/internal/suggest"
)

// Registry finds connections by id. An unknown id is ErrNotFound.
type Registry interface {
	Get(ctx context.Context, id string) (Connection, error)
}

// Lister is a Registry that can tell what it holds. An entry that cannot be read is yielded as its error beside a
// Connection that has the ID; the rest follow.
type Lister interface {
	List(ctx context.Context) iter.Seq2[Connection, error]
}

// Editor is a Registry that can be changed. Put inserts or replaces; Delete of an unknown id is ErrNotFound.
type Editor interface {
	Put(ctx context.Context, c Connection) error
	Delete(ctx context.Context, id string) error
}

// Chain asks each registry in turn; the first that knows the id wins, as in Airflow's search order. A failure other
// than ErrNotFound ends the search, so that a broken store never silently gives another's entry. Listing yields each
// id once, from the registry that Get would use. Put and Delete go to the one Editor in the chain.
func Chain(registries ...Registry) Registry { return chain(registries) }

type chain []Registry

func (c chain) Get(ctx context.Context, id string) (Connection, error) {
	for _, r := range c {
		conn, err := r.Get(ctx, id)
		if err == nil || !errors.Is(err, ErrNotFound) {
			return conn, err
		}
	}
	return Connection{}, &Error{
		ID: id, Kind: ErrNotFound, Err: fmt.Errorf("connection %q isn't defined", suggest.Short(id)), Hint: "add it with: airhook connections add " + suggest.Short(id) + " --conn-uri URI",
	}
}

func (c chain) List(ctx context.Context) iter.Seq2[Connection, error] {
	return func(yield func(Connection, error) bool) {
		seen := map[string]bool{}
		for i, r := range c {
			l, ok := r.(Lister)
			if !ok {
				continue
			}
			for conn, err := range l.List(ctx) {
				if conn.ID != "" && (seen[conn.ID] || c[:i].lists(ctx, conn.ID)) {
					continue
				}
				seen[conn.ID] = true
				if !yield(conn, err) {
					return
				}
			}
		}
	}
}

// lists reports whether one of the registries has an id in its list, be it in another spelling: the environment's know no
// case.
func (c chain) lists(ctx context.Context, id string) bool {
	return slices.ContainsFunc(c, func(r Registry) bool {
		if _, ok := r.(Lister); !ok {
			return false
		}
		_, err := r.Get(ctx, id)
		return err == nil
	})
}

func (c chain) editor() (Editor, error) {
	for _, r := range c {
		if e, ok := r.(Editor); ok {
			return e, nil
		}
	}
	return nil, &Error{Kind: ErrReadOnly, Err: errors.New("no place that connections can be written to")}
}

func (c chain) Put(ctx context.Context, conn Connection) error {
	e, err := c.editor()
	if err != nil {
		return err
	}
	return e.Put(ctx, conn)
}

func (c chain) Delete(ctx context.Context, id string) error {
	e, err := c.editor()
	if err != nil {
		return err
	}
	return e.Delete(ctx, id)
}

// ids lists what is known, for a suggestion; failures are no reason to fail twice.
func ids(ctx context.Context, l Lister) []string {
	var all []string
	for conn := range l.List(ctx) {
		if conn.ID != "" {
			all = append(all, conn.ID)
		}
	}
	return all
}
