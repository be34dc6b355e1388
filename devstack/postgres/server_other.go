//go:build !unix

package postgres

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

var errUnsupported = errors.New("PostgreSQL is started on Linux and macOS only")

// Server is a running PostgreSQL. There is none on this system.
type Server struct{}

// Init makes a data folder; not on this system.
func Init(context.Context, Programs, string, string) error { return errUnsupported }

// Start starts a server; not on this system.
func Start(context.Context, Options) (*Server, error) { return nil, errUnsupported }

// Workspace makes a folder for servers; not on this system.
func Workspace(string) (string, error) { return "", errUnsupported }

// PlanWorkspace names a folder for servers; not on this system.
func PlanWorkspace(string) (string, error) { return "", errUnsupported }

// MakeWorkspace makes a folder for servers; not on this system.
func MakeWorkspace(string) error { return errUnsupported }

// RemoveWorkspace removes a folder of servers; not on this system.
func RemoveWorkspace(string) error { return errUnsupported }

// Dir is the folder of the server's socket.
func (*Server) Dir() string { return "" }

// Socket is the path of the server's socket.
func (*Server) Socket() string { return "" }

// PID is the process id of the server.
func (*Server) PID() int { return 0 }

// Done is closed when the server has ended.
func (*Server) Done() <-chan struct{} { return nil }

// Close stops the server.
func (*Server) Close() error { return errUnsupported }

func reachable(string) bool { return true }

func cacheFolder(dir string) (string, error) {
	if dir != "" {
		return dir, nil
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("there is no folder to keep a fetched one: %w", err)
	}
	return filepath.Join(cache, "airhook"), nil
}
