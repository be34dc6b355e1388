package airhooktest

import (
	"context"
	"errors"
	"fmt"
	"runtime"

	"github.com/airhook-go/airhook"
	"github.com/airhook-go/airhook/devstack/postgres"
)

// errNone marks that this machine has no PostgreSQL, as opposed to one that doesn't work.
var errNone = errors.New("no PostgreSQL here")

// start starts a server of our own from the programs on this machine. Tests don't fetch any.
func start() (airhook.Connection, func() error, error) {
	ctx := context.Background() // it serves later tests too
	if runtime.GOOS == "windows" {
		return airhook.Connection{}, nil, fmt.Errorf("%w: it is started on Linux and macOS only; set AIRHOOK_TEST_PG", errNone)
	}
	programs, err := postgres.Find(ctx, postgres.FindOptions{Offline: true})
	if err != nil {
		return airhook.Connection{}, nil, fmt.Errorf("%w: %w", errNone, err)
	}
	server, err := postgres.Start(ctx, postgres.Options{Programs: programs})
	if err != nil {
		return airhook.Connection{}, nil, err
	}
	admin := airhook.Connection{ID: ID, Type: "postgres", Host: server.Dir(), Port: 5432, Login: "postgres", Schema: "postgres"}
	return admin, server.Close, nil
}
