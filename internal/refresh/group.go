package refresh

import "sync"

// Group shares values by key and counts who uses them. The zero Group works; it is safe for concurrent use.
type Group[T comparable] struct {
	mu      sync.Mutex
	members map[string]*member[T]
	unused  map[string]*member[T] // those of members that nobody uses
	closed  bool
	ending  sync.WaitGroup
}

type member[T comparable] struct {
	*Value[T]
	users int
}

// Use returns the value of a key, a new one when it has none. Whoever got it calls [Group.Release] once.
func (g *Group[T]) Use(key string, fetch Fetch[T], opts Options) (*Value[T], error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return nil, ErrClosed
	}
	m, ok := g.members[key]
	if !ok {
		g.sweep()
		m = &member[T]{Value: New(fetch, opts)}
		g.members[key] = m
	}
	m.users++
	delete(g.unused, key)
	return m.Value, nil
}

// sweep closes the values that nobody uses.
func (g *Group[T]) sweep() {
	if g.members == nil {
		g.members, g.unused = map[string]*member[T]{}, map[string]*member[T]{}
	}
	for key, m := range g.unused {
		delete(g.members, key)
		g.ending.Go(m.Close)
	}
	clear(g.unused)
}

// Release ends one use of a key's value. What nobody uses is closed when a value of another key comes, not before: who
// lets go may be back at once.
func (g *Group[T]) Release(key string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if m, ok := g.members[key]; ok {
		if m.users--; m.users == 0 {
			g.unused[key] = m
		}
	}
}

// Close closes all values and waits for their fetches. Every Use from then on returns [ErrClosed].
func (g *Group[T]) Close() {
	g.mu.Lock()
	members := g.members
	g.members, g.unused, g.closed = nil, nil, true
	g.mu.Unlock()
	for _, m := range members {
		m.Close()
	}
	g.ending.Wait()
}
