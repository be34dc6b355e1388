package handshake

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestWhatAServerMustProve(t *testing.T) {
	own := x509.NewCertPool()
	for name, c := range map[string]struct {
		wants   Wants
		skips   bool // crypto/tls leaves the check to us
		checked bool // or nobody's
	}{
		"verify-full":           {Wants{Mode: "verify-full"}, false, false},
		"verify-ca":             {Wants{Mode: "verify-ca"}, true, true},
		"require":               {Wants{Mode: "require"}, true, false},
		"prefer":                {Wants{Mode: "prefer"}, true, false},
		"require with a root":   {Wants{Mode: "require", RootCert: "system"}, true, true},
		"a route's roots alone": {Wants{Mode: "verify-full", Roots: own, RootCert: "/no/such/file"}, false, false},
	} {
		c.wants.Host, c.wants.AWS = "DB.example.com.", true
		got, err := c.wants.Config()
		if err != nil || got.InsecureSkipVerify != c.skips || (got.VerifyConnection != nil) != c.checked || got.ServerName != "DB.example.com" || got.MinVersion != tls.VersionTLS12 {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
		if c.wants.Roots != nil && got.RootCAs != own {
			t.Errorf("%s: other roots are trusted too", name)
		}
	}
	got, err := Wants{Mode: "verify-full", MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS13, Renegotiates: true, Direct: true}.Config()
	if err != nil || got.MinVersion != tls.VersionTLS12 || got.MaxVersion != tls.VersionTLS13 || got.Renegotiation != tls.RenegotiateFreelyAsClient || len(got.NextProtos) != 1 {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestRoads(t *testing.T) {
	for _, c := range []struct {
		host, mode string
		want       string // the ways in order
		secret     bool   // a token goes that way too
	}{
		{"h", "disable", "clear", false},
		{"h", "allow", "clear tls", false},
		{"h", "prefer", "tls clear", false},
		{"h", "require", "tls", true},
		{"h", "verify-ca", "tls", true},
		{"h", "verify-full", "tls", true},
		{"/run", "disable", "clear", false},
		{"/run", "prefer", "clear", false},
		{"/run", "verify-full", "clear", false},
	} {
		w := Wants{Host: c.host, Port: 5432, Mode: c.mode}
		first, others, err := w.Roads()
		all := []*tls.Config{first}
		for _, o := range others {
			if all = append(all, o.TLSConfig); o.Host != "h" || o.Port != 5432 {
				t.Errorf("%s: the other way leads to %s:%d", c.mode, o.Host, o.Port)
			}
		}
		var got []string
		for _, config := range all {
			got = append(got, map[bool]string{true: "clear", false: "tls"}[config == nil])
		}
		if strings.Join(got, " ") != c.want || err != nil {
			t.Errorf("%s to %s: %q, %v", c.mode, c.host, got, err)
		}
		w.Secret = true
		if _, _, err := w.Roads(); (err == nil) != c.secret || err != nil && !errors.Is(err, ErrClear) {
			t.Errorf("a token with %s to %s: %v", c.mode, c.host, err)
		}
	}
}

func TestFilesThatAreNoneAreNamed(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "empty.pem")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		wants Wants
		words string
	}{
		{Wants{RootCert: "/no/such/file"}, "sslrootcert /no/such/file"},
		{Wants{RootCert: empty}, "sslrootcert empty.pem certificate"},
		{Wants{Cert: "/no/such/cert", Key: empty}, "sslcert sslkey /no/such/cert"},
		{Wants{Cert: empty, Key: empty}, "sslcert sslkey PEM"},
	} {
		_, err := c.wants.Config()
		for _, word := range strings.Fields(c.words) {
			if err == nil || !strings.Contains(err.Error(), word) {
				t.Errorf("%+v: %q is not in: %v", c.wants, word, err)
			}
		}
	}
}

func TestOffered(t *testing.T) {
	for answer, want := range map[string]bool{"S": true, "N": false, "E": false} {
		here, there := net.Pipe()
		asked := make(chan string, 1)
		go func() {
			request := make([]byte, 8)
			_, _ = io.ReadFull(there, request)
			asked <- string(request)
			_, _ = there.Write([]byte(answer))
		}()
		if got, err := offered(here); err != nil || got != want {
			t.Errorf("%s: %t, %v", answer, got, err)
		}
		if got := <-asked; got != "\x00\x00\x00\x08\x04\xd2\x16\x2f" {
			t.Errorf("asked %x", got)
		}
		_ = here.Close()
		if _, err := offered(here); err == nil {
			t.Error("a closed connection offers something")
		}
		_ = there.Close()
	}
}
