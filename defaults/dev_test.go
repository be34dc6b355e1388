//go:build unix

package defaults

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/airhook-go/airhook"
)

const devHost = "mydb.cluster-xyz.us-east-1.rds.amazonaws.com"

// writeStack writes a stack.json whose dial map sends devHost:5432 to an address, and is the stack that runs.
func writeStack(t *testing.T, address string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	chmod(t, dir, 0o700) // whatever the umask
	ca := filepath.Join(dir, "ca.pem")
	write(t, ca, certificate(t))
	write(t, filepath.Join(dir, "stack.json"), []byte(`{"running": true, "ca_file": `+strconv.Quote(ca)+`, "dial_map": {"`+devHost+`:5432": "`+address+`"}}`))
	file, err := os.OpenFile(filepath.Join(dir, "airhook-dev.lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err == nil {
		err = syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = file.Close() })
	return dir
}

// silent wants no warning.
func silent(t *testing.T) func(string) {
	return func(text string) { t.Errorf("it warns: %s", text) }
}

func write(t *testing.T, file string, text []byte) {
	t.Helper()
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

func certificate(t *testing.T) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

func TestWithoutAFolderNothingIsRouted(t *testing.T) {
	if devRoute("", nil) != nil {
		t.Error("there is a route although AIRHOOK_DEV_DIR is not set")
	}
}

func TestTheDialMapRoutesItsEndpointsOnly(t *testing.T) {
	route := devRoute(writeStack(t, "127.0.0.1:40001"), silent(t))
	got, ok := route(devHost, 5432)
	if !ok || got.Address != "127.0.0.1:40001" || got.Roots == nil {
		t.Errorf("got %+v, %v", got, ok)
	}
	for _, other := range []struct {
		host string
		port int
	}{{"other." + devHost, 5432}, {"db.example.com", 5432}} {
		if _, ok := route(other.host, other.port); ok {
			t.Errorf("%s:%d is routed", other.host, other.port)
		}
	}
}

func TestTheDialMapReachesLoopbackOnly(t *testing.T) {
	for address, want := range map[string]bool{
		"127.0.0.1:1": true, "127.8.9.1:1": true, "[::1]:1": true,
		"10.0.0.1:1": false, "0.0.0.0:1": false, "[::]:1": false, "[fe80::1]:1": false, "localhost:1": false, "127.0.0.1": false, "evil.example.com:5432": false, "": false,
	} {
		if _, ok := devRoute(writeStack(t, address), func(string) {})(devHost, 5432); ok != want {
			t.Errorf("%q: routed %v, want %v", address, ok, want)
		}
	}
}

func TestAStackThatCannotBeReadIsSaidOnce(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(t *testing.T, dir string)
		want  string
	}{
		"no stack runs":     {func(t *testing.T, dir string) { remove(t, filepath.Join(dir, "stack.json")) }, "none runs in"},
		"one was killed":    {func(t *testing.T, dir string) { killed(t, dir) }, "is no longer running (start it again: airhook dev up --detach)"},
		"the lock is gone":  {func(t *testing.T, dir string) { remove(t, filepath.Join(dir, "airhook-dev.lock")) }, "is no longer running"},
		"no JSON":           {func(t *testing.T, dir string) { write(t, filepath.Join(dir, "stack.json"), []byte("{")) }, "is no description of one"},
		"no CA":             {func(t *testing.T, dir string) { remove(t, filepath.Join(dir, "ca.pem")) }, "the dev stack's CA"},
		"a CA that is none": {func(t *testing.T, dir string) { write(t, filepath.Join(dir, "ca.pem"), []byte("x")) }, "no certificate in"},
		"an open folder":    {func(t *testing.T, dir string) { chmod(t, dir, 0o777) }, "others may write to it (chmod 700 it if it is yours)"},
		"an open map":       {func(t *testing.T, dir string) { chmod(t, filepath.Join(dir, "stack.json"), 0o666) }, "stack.json: it belongs to somebody else, or others may write to it"},
		"an open CA":        {func(t *testing.T, dir string) { chmod(t, filepath.Join(dir, "ca.pem"), 0o620) }, "ca.pem: it belongs to somebody else, or others may write to it"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := writeStack(t, "127.0.0.1:1")
			c.spoil(t, dir)
			var log []string
			route := devRoute(dir, func(text string) { log = append(log, text) })
			for range 2 {
				if got, ok := route(devHost, 5432); ok {
					t.Errorf("routed to %v", got)
				}
			}
			if len(log) != 1 || !strings.Contains(log[0], c.want) {
				t.Errorf("it warns %q, want %q once", log, c.want)
			}
		})
	}
}

// What a map calls the stack's CA may be anybody's; the folder's own is believed alone.
func TestTheCAIsThatOfTheFolder(t *testing.T) {
	dir := writeStack(t, "127.0.0.1:1")
	other := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.Rename(filepath.Join(dir, "ca.pem"), other); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "stack.json"), []byte(`{"ca_file": `+strconv.Quote(other)+`, "dial_map": {"`+devHost+`:5432": "127.0.0.1:1"}}`))
	var said []string
	if got, ok := devRoute(dir, func(text string) { said = append(said, text) })(devHost, 5432); ok || len(said) != 1 {
		t.Errorf("routed to %v: %v, it says %q", got, ok, said)
	}
}

// A slip with the dev stack is not the host's spelling.
func TestTheHintTellsTheDevStacksSlip(t *testing.T) {
	dir, home := writeStack(t, "127.0.0.1:40001"), t.TempDir()
	if err := os.Symlink(dir, filepath.Join(home, "dev")); err != nil {
		t.Fatal(err)
	}
	const spelling, unknown = "check the spelling", `a dev stack that has this host runs, and this shell doesn't know of it: eval "$(airhook dev env)". Else: check the spelling`
	for name, c := range map[string]struct {
		dir, home, host string
		port            int
		stage           airhook.Stage
		want            string
	}{
		"no stack":                    {"", t.TempDir(), devHost, 5432, airhook.StageDNS, spelling},
		"no home":                     {"", "", devHost, 5432, airhook.StageDNS, spelling},
		"the shell doesn't know":      {"", home, devHost, 5432, airhook.StageDNS, unknown},
		"nor has it keys":             {"", home, strings.ToUpper(devHost), 1, airhook.StageCredential, unknown},
		"another host":                {"", home, "db.example.com", 5432, airhook.StageDNS, spelling},
		"another host, known":         {dir, home, "db.example.com", 5432, airhook.StageDNS, spelling},
		"another port":                {dir, home, devHost, 1, airhook.StageDNS, "the dev stack in " + dir + " has " + devHost + " at port 5432, not 1: set the connection's port to 5432"},
		"another port, on the way in": {dir, home, devHost, 1, airhook.StageLogin, spelling},
		"the port is right":           {dir, home, devHost, 5432, airhook.StageTCP, spelling},
		"an ended stack":              {home, "", devHost, 5432, airhook.StageTCP, "AIRHOOK_DEV_DIR is set, and its dev stack is not used: none runs in " + home + " (start it: airhook dev up --detach). Else: check the spelling"},
	} {
		e := &airhook.Error{Stage: c.stage, Kind: airhook.ErrUnreachable, Hint: spelling}
		devHint(c.dir, c.home, airhook.Target{Host: c.host, Port: c.port}, e)
		if e.Hint != c.want {
			t.Errorf("%s: got %q, want %q", name, e.Hint, c.want)
		}
	}
}

func TestARelativeFolderStaysWhereItWas(t *testing.T) {
	dir := writeStack(t, "127.0.0.1:1")
	t.Chdir(filepath.Dir(dir))
	route := devRoute(filepath.Base(dir), silent(t))
	t.Chdir(t.TempDir())
	if _, ok := route(devHost, 5432); !ok {
		t.Error("it is not routed")
	}
}

// A connection that was stored for an earlier stack gets told where its host is now.
func TestAnotherPortOfTheStacksHostIsSaidOnce(t *testing.T) {
	var said []string
	dir := writeStack(t, "127.0.0.1:1")
	route := devRoute(dir, func(text string) { said = append(said, text) })
	for range 2 {
		if got, ok := route(devHost, 43415); ok {
			t.Errorf("routed to %v", got)
		}
	}
	want := []string{"the dev stack in " + dir + " has " + devHost + " at port 5432, not 43415: set the connection's port to 5432"}
	if !slices.Equal(said, want) {
		t.Errorf("it warns %q, want %q", said, want)
	}
}

// killed leaves the lock's file as a killed process does: there, and free.
func killed(t *testing.T, dir string) {
	t.Helper()
	lock := filepath.Join(dir, "airhook-dev.lock")
	remove(t, lock)
	write(t, lock, []byte("999999\n"))
}

func chmod(t *testing.T, path string, mode os.FileMode) {
	t.Helper()
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

func remove(t *testing.T, file string) {
	t.Helper()
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
}
