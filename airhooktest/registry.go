package airhooktest

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"sync"
	"testing"

	"github.com/airhook-go/airhook"
)

// Memory is a Registry, Lister and Editor that keeps its connections in memory. It is safe for concurrent use.
type Memory struct {
	mu    sync.RWMutex
	conns map[string]airhook.Connection
}

// Registry returns a registry in memory that holds the given connections.
func Registry(conns ...airhook.Connection) *Memory {
	m := &Memory{conns: map[string]airhook.Connection{}}
	for _, c := range conns {
		m.put(c)
	}
	return m
}

// Client returns a client of the given connections that closes with the test. It logs in with passwords only.
func Client(t testing.TB, conns ...airhook.Connection) *airhook.Client {
	t.Helper()
	client, err := airhook.New(airhook.Config{Registry: Registry(conns...)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}

// Get returns the connection of that id.
func (m *Memory) Get(ctx context.Context, id string) (airhook.Connection, error) {
	if err := ctx.Err(); err != nil {
		return airhook.Connection{}, err
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	if c, ok := m.conns[id]; ok {
		return c, nil
	}
	return airhook.Connection{}, unknown(id)
}

// List yields the connections by id.
func (m *Memory) List(ctx context.Context) iter.Seq2[airhook.Connection, error] {
	return func(yield func(airhook.Connection, error) bool) {
		if err := ctx.Err(); err != nil {
			yield(airhook.Connection{}, err)
			return
		}
		m.mu.RLock()
		conns := maps.Clone(m.conns)
		m.mu.RUnlock()
		for _, id := range slices.Sorted(maps.Keys(conns)) {
			if !yield(conns[id], nil) {
				return
			}
		}
	}
}

// Put inserts or replaces a connection.
func (m *Memory) Put(ctx context.Context, c airhook.Connection) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if c.ID == "" {
		return &airhook.Error{Kind: airhook.ErrInvalid, Err: errors.New("the connection has no id")}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.put(c)
	return nil
}

// Delete removes a connection.
func (m *Memory) Delete(ctx context.Context, id string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.conns[id]; !ok {
		return unknown(id)
	}
	delete(m.conns, id)
	return nil
}

func (m *Memory) put(c airhook.Connection) {
	c.FoundIn = "memory"
	m.conns[c.ID] = c
}

func unknown(id string) error {
	return &airhook.Error{ID: id, Kind: airhook.ErrNotFound, Err: fmt.Errorf("connection %q isn't defined", id)}
}
