//go:build !unix

package devstack

import (
	"errors"
	"os"
)

var (
	errUnsupported           = errors.New("the dev stack is not on this system: it runs on Linux and macOS")
	terminate      os.Signal = os.Kill
)

type lock struct{}

func acquire(string) (*lock, error) { return nil, refused(errUnsupported, "") }

func (*lock) release() error { return nil }

func holder(string) (int, error) { return 0, nil }

func endServers(string) error { return nil }

func withChildren(pids []int) []int { return pids }

func runs(int) bool { return false }

func holds(int, string) bool { return false }
