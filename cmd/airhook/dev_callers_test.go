//go:build unix

package main

import (
	"context"
	"crypto/x509"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"

	"github.com/airhook-go/airhook"
	"github.com/airhook-go/airhook/aws/iam"
	"github.com/airhook-go/airhook/aws/session"
	"github.com/airhook-go/airhook/devstack"
)

// entries are connections by id.
type entries map[string]airhook.Connection

func (e entries) Get(_ context.Context, id string) (airhook.Connection, error) {
	if c, found := e[id]; found {
		return c, nil
	}
	return airhook.Connection{}, airhook.ErrNotFound
}

// clientOf is a client with the quickstart's connections to a stack, which owes nothing to this process's environment.
func clientOf(t *testing.T, s devstack.Status) *airhook.Client {
	t.Helper()
	conns, err := tourConnections(s)
	if err != nil {
		t.Fatal(err)
	}
	registry := entries{}
	for _, c := range conns {
		registry[c.ID] = c
	}
	pem, err := os.ReadFile(s.CAFile)
	roots := x509.NewCertPool()
	if err != nil || !roots.AppendCertsFromPEM(pem) {
		t.Fatalf("read the CA: %v", err)
	}
	logins := iam.New(&session.Resolver{Registry: registry})
	client, err := airhook.New(airhook.Config{
		Registry: registry, Logins: logins.Logins(), Resolve: logins.Resolve, Identify: logins.Identify,
		Route: func(host string, port int) (airhook.Route, bool) {
			address, found := s.DialMap[net.JoinHostPort(host, strconv.Itoa(port))]
			return airhook.Route{Address: address, Roots: roots}, found
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}

// A thousand callers of a cold client open many sessions, each with its own login, and AWS is asked for one credential.
func TestManyCallersTakeOneCredential(t *testing.T) {
	newShell(t) // it knows whether stacks are wanted
	stack, err := devstack.Start(t.Context(), devstack.Options{Dir: filepath.Join(t.TempDir(), "dev")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := stack.Close(); err != nil {
			t.Error(err)
		}
	})
	client := clientOf(t, stack.Status())
	for id, action := range map[string]string{"redshift_iam": "GetClusterCredentials", "redshift_serverless_iam": "GetCredentials"} {
		t.Run(id, func(t *testing.T) {
			sessions, err := callers(t, client, id)
			if err != nil {
				t.Fatal(err)
			}
			if n := stack.Account().Calls()[action]; n != 1 || len(sessions) < 50 {
				t.Errorf("%d calls of %s for %d sessions", n, action, len(sessions))
			}
		})
	}
}

// callers has a thousand callers ask for a session at once. They keep theirs until fifty of them have one.
func callers(t *testing.T, client *airhook.Client, id string) ([]uint32, error) {
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	var wait sync.WaitGroup
	var mu sync.Mutex
	pids, enough := map[uint32]bool{}, make(chan struct{})
	for range 1000 {
		wait.Go(func() {
			conn, err := client.Acquire(ctx, id)
			if err != nil {
				cancel(err)
				return
			}
			defer conn.Release()
			var pid uint32
			if err := conn.QueryRow(ctx, "SELECT pg_backend_pid()").Scan(&pid); err != nil {
				cancel(err)
				return
			}
			mu.Lock()
			if n := len(pids); !pids[pid] && n == 49 {
				close(enough)
			}
			pids[pid] = true
			mu.Unlock()
			select {
			case <-enough:
			case <-ctx.Done():
			}
		})
	}
	wait.Wait()
	return slices.Collect(maps.Keys(pids)), context.Cause(ctx)
}
