package airhook_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/airhook-go/airhook"
)

func TestFilesThatNeverEndAreRefused(t *testing.T) {
	secure, _ := certificate(t, time.Now().Add(time.Hour), "db.example.com")
	good := rootFile(t, secure)
	for name, extra := range map[string]string{
		"sslrootcert": fmt.Sprintf(`{"sslrootcert": %q}`, os.DevNull),
		"sslcert":     fmt.Sprintf(`{"sslmode": "require", "sslcert": %q, "sslkey": %q}`, os.DevNull, good),
		"sslkey":      fmt.Sprintf(`{"sslmode": "require", "sslcert": %q, "sslkey": %q}`, good, os.DevNull),
	} {
		c := must(airhook.New(airhook.Config{Registry: registry{"c": connection(t, "postgres", "127.0.0.1", extra)}}))
		if _, err := c.Acquire(t.Context(), "c"); !errors.Is(err, airhook.ErrInvalid) || !strings.Contains(err.Error(), os.DevNull+": it is no regular file") {
			t.Errorf("%s: %v", name, err)
		}
		c.Close()
	}
}

// certificate makes a server's certificate that signs itself, and the pool that trusts it.
func certificate(t *testing.T, until time.Time, names ...string) (*tls.Config, *x509.CertPool) {
	t.Helper()
	key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: names[0]}, DNSNames: names, NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: until,
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der := must(x509.CreateCertificate(rand.Reader, template, template, key.Public(), key))
	pool := x509.NewCertPool()
	pool.AddCert(must(x509.ParseCertificate(der)))
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}, pool
}

// rootFile writes a server's certificate as sslrootcert wants it.
func rootFile(t *testing.T, server *tls.Config) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "root.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificates[0].Certificate[0]})
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}
