package main

import (
	"context"
	"path/filepath"

	"github.com/airhook-go/airhook"
	"github.com/airhook-go/airhook/defaults"
)

type setup = defaults.Setup

// open returns the client and the store, opened when a command first needs them.
func (a *app) open(ctx context.Context) (*setup, error) {
	if a.opened != nil {
		return a.opened, nil
	}
	home := ""
	if a.flags.home != "" { // without it the environment says where, and nobody needs to know before the store is asked
		var err error
		if home, err = a.home(); err != nil {
			return nil, err
		}
	}
	var err error
	a.opened, err = defaults.Open(ctx, defaults.Options{Home: home, Logger: a.logger(), Warn: func(text string) { a.warn("%s", text) }})
	return a.opened, err
}

// client is open for commands that need no store.
func (a *app) client(ctx context.Context) (*airhook.Client, error) {
	s, err := a.open(ctx)
	if err != nil {
		return nil, err
	}
	return s.Client, nil
}

// home is --home, else what the environment says.
func (a *app) home() (string, error) {
	if a.flags.home != "" {
		return filepath.Abs(a.flags.home)
	}
	return defaults.Home()
}

// devDir is where the dev stack lives.
func (a *app) devDir() (string, error) {
	if dir := a.getenv("AIRHOOK_DEV_DIR"); dir != "" {
		return filepath.Abs(dir)
	}
	home, err := a.home()
	return filepath.Join(home, "dev"), err
}

// close ends what open started.
func (a *app) close() error {
	if a.opened == nil {
		return nil
	}
	return a.opened.Close()
}
