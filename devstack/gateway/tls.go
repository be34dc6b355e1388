package gateway

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"time"
)

const (
	certificateLife = 397 * 24 * time.Hour // the most that Apple's verifier takes
	backdated       = time.Hour            // for containers whose clock lags
)

// Authority issues the certificates of a stack. Its key lives in memory only: it is worth nothing when the stack is gone.
type Authority struct {
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
}

// NewAuthority makes an authority: ECDSA P-256, whose handshakes cost a fraction of RSA's.
func NewAuthority() (*Authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make a certificate authority: %w", err)
	}
	template := &x509.Certificate{
		Subject: pkix.Name{CommonName: "airhook dev stack"}, IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	der, err := issue(template, template, key, key)
	if err != nil {
		return nil, fmt.Errorf("make a certificate authority: %w", err)
	}
	cert, err := x509.ParseCertificate(der)
	return &Authority{key: key, cert: cert}, err
}

// PEM is the authority's certificate.
func (a *Authority) PEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.cert.Raw})
}

// Issue makes a server's certificate for these names and addresses.
func (a *Authority) Issue(names ...string) (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("make a certificate: %w", err)
	}
	template := &x509.Certificate{
		Subject: pkix.Name{CommonName: "airhook dev stack instance"}, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	for _, name := range names {
		if ip := net.ParseIP(name); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, name)
		}
	}
	der, err := issue(template, a.cert, key, a.key)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("make a certificate: %w", err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, nil
}

func issue(template, parent *x509.Certificate, key, signer *ecdsa.PrivateKey) ([]byte, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, err
	}
	template.SerialNumber = serial
	template.NotBefore = time.Now().Add(-backdated)
	template.NotAfter = template.NotBefore.Add(certificateLife)
	return x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
}

// certificates are an instance's two: the right one, and one for another name on request.
type certificates struct{ right, wrong *tls.Certificate }

func (a *Authority) certificates(names ...string) (certificates, error) {
	right, err := a.Issue(append(names, "localhost", "127.0.0.1", "::1")...)
	if err != nil {
		return certificates{}, err
	}
	wrong, err := a.Issue("wrong-certificate.invalid")
	return certificates{&right, &wrong}, err
}

// tlsConfig offers the ALPN word that direct TLS insists on (PostgreSQL manual, 55.2.11).
func (g *Gateway) tlsConfig() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12, NextProtos: []string{"postgresql"},
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			if g.wrong.Load() {
				return g.certs.wrong, nil
			}
			return g.certs.right, nil
		},
	}
}
