package defaults

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"log/slog"
	"math/big"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

const devHost = "mydb.cluster-xyz.us-east-1.rds.amazonaws.com"

// writeStack writes a stack.json whose dial map sends devHost:5432 to an address.
func writeStack(t *testing.T, address string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	ca := filepath.Join(dir, "ca.pem")
	write(t, ca, certificate(t))
	write(t, filepath.Join(dir, "stack.json"), []byte(`{"running": true, "ca_file": `+strconv.Quote(ca)+`, "dial_map": {"`+devHost+`:5432": "`+address+`"}}`))
	return dir
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
	route := devRoute(writeStack(t, "127.0.0.1:40001"), nil)
	got, ok := route(devHost, 5432)
	if !ok || got.Address != "127.0.0.1:40001" || got.Roots == nil {
		t.Errorf("got %+v, %v", got, ok)
	}
	for _, other := range []struct {
		host string
		port int
	}{{devHost, 5433}, {"other." + devHost, 5432}, {"db.example.com", 5432}} {
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
		if _, ok := devRoute(writeStack(t, address), nil)(devHost, 5432); ok != want {
			t.Errorf("%q: routed %v, want %v", address, ok, want)
		}
	}
}

func TestAStackThatCannotBeReadIsSaidOnce(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(t *testing.T, dir string)
		want  string
	}{
		"no stack runs":     {func(t *testing.T, dir string) { remove(t, filepath.Join(dir, "stack.json")) }, "no dev stack runs in"},
		"no JSON":           {func(t *testing.T, dir string) { write(t, filepath.Join(dir, "stack.json"), []byte("{")) }, "is no description of a dev stack"},
		"no CA":             {func(t *testing.T, dir string) { remove(t, filepath.Join(dir, "ca.pem")) }, "the dev stack's CA"},
		"a CA that is none": {func(t *testing.T, dir string) { write(t, filepath.Join(dir, "ca.pem"), []byte("x")) }, "no certificate in"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := writeStack(t, "127.0.0.1:1")
			c.spoil(t, dir)
			var log bytes.Buffer
			route := devRoute(dir, slog.New(slog.NewTextHandler(&log, nil)))
			for range 2 {
				if got, ok := route(devHost, 5432); ok {
					t.Errorf("routed to %v", got)
				}
			}
			if n := strings.Count(log.String(), c.want); n != 1 {
				t.Errorf("the log has %q %d times, want once: %s", c.want, n, log.String())
			}
		})
	}
}

func remove(t *testing.T, file string) {
	t.Helper()
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
}
