package postgres

import (
	"log/slog"
	"strings"
)

const (
	workspacePrefix = "airhook-pg-"
	// socketName is what PostgreSQL calls the socket of port 5432.
	socketName = ".s.PGSQL.5432"
	// longest is below what sockaddr_un takes: 107 bytes on Linux, 103 on macOS.
	longest = 100
	// longestParent leaves room for a server's own folder and its socket.
	longestParent = longest - len(socketName) - 34
)

// Options says how a server runs. Programs is required.
type Options struct {
	Programs Programs
	// Dir is the server's folder, made by Start and removed by Close: data and socket. "" is a new one of [Workspace].
	Dir string
	// Data is a folder made by [Init] to copy, which is much quicker than to initialize anew.
	Data string
	// Superuser is the role that owns everything; "" is postgres. With Data it is the one given to Init.
	Superuser string
	// Settings go before our own, which make the server quick and forgetful: nothing survives a crash of the machine.
	Settings map[string]string
	// Logger hears the server's own log; nil is silent.
	Logger *slog.Logger
}

func (o *Options) fill() {
	if o.Superuser == "" {
		o.Superuser = "postgres"
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
}

// arguments are the server's. Nobody but the folder's owner reaches the socket, and there is no other road.
func (o *Options) arguments(data, dir string) []string {
	settings := map[string]string{
		"listen_addresses": "", "unix_socket_directories": dir, "unix_socket_permissions": "0700", "port": "5432",
		"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off", "wal_level": "minimal", "max_wal_senders": "0",
		"max_connections": "250", "shared_buffers": "32MB", "max_logical_replication_workers": "0", "timezone": "UTC",
		"log_timezone": "UTC", "logging_collector": "off", "log_destination": "stderr",
	}
	for key, value := range o.Settings {
		settings[key] = value
	}
	args := []string{"-D", data}
	for key, value := range settings {
		args = append(args, "-c", key+"="+value)
	}
	return args
}

// tail keeps the last lines of a child's output, for the error when it does not start.
type tail struct{ lines []string }

func (t *tail) add(line string) {
	t.lines = append(t.lines, line)
	if len(t.lines) > 10 {
		t.lines = t.lines[1:]
	}
}

func (t *tail) String() string { return strings.Join(t.lines, "; ") }
