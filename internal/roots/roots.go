package roots

import (
	"crypto/tls"
	"crypto/x509"
	_ "embed"
	"encoding/pem"
	"errors"
	"regexp"
	"slices"
	"sync"

	"github.com/airhook-go/airhook/internal/files"
)

//go:generate go run ./generate

//go:embed rds.pem
var rdsPEM []byte

//go:embed amazon.pem
var amazonPEM []byte

var (
	rdsPool    = sync.OnceValue(func() *x509.CertPool { return pool(x509.NewCertPool(), rdsPEM) })
	awsPool    = sync.OnceValue(func() *x509.CertPool { return pool(x509.NewCertPool(), rdsPEM, amazonPEM) })
	systemPool = sync.OnceValue(readSystem)
	regions    = sync.OnceValue(readRegions)
)

// RDS returns the roots of Amazon RDS and Aurora, three for each region of [Regions]
// (AWS: "Using SSL/TLS to encrypt a connection to a DB instance or cluster"). The pool is the caller's own.
func RDS() *x509.CertPool { return rdsPool().Clone() }

// AWS returns the roots of RDS and those of Amazon Trust Services, which sign for Redshift and RDS Proxy. The pool is
// shared, since a copy takes 50 kB and every connection id has one: do not change it.
func AWS() *x509.CertPool { return awsPool() }

// System returns the system's roots and those of [AWS]; AWS's alone where the system has none. The pool is shared: do
// not change it.
func System() *x509.CertPool { return systemPool() }

// File returns the certificates of a PEM file. A file without any is an error, as is what [files.Read] refuses.
func File(name string) (*x509.CertPool, error) {
	text, err := files.Read(name)
	if err != nil {
		return nil, err
	}
	p := x509.NewCertPool()
	if !p.AppendCertsFromPEM(text) {
		return nil, errors.New(name + " holds no certificate")
	}
	return p, nil
}

// VerifyChain returns a check for tls.Config.VerifyConnection that one of the roots signed the server's certificate,
// whatever its name: libpq's verify-ca.
func VerifyChain(roots *x509.CertPool) func(tls.ConnectionState) error {
	return func(state tls.ConnectionState) error {
		options := x509.VerifyOptions{Roots: roots, Intermediates: x509.NewCertPool()}
		for _, cert := range state.PeerCertificates[1:] {
			options.Intermediates.AddCert(cert)
		}
		_, err := state.PeerCertificates[0].Verify(options)
		return err
	}
}

// Regions returns the regions whose RDS root is built in, sorted. An RDS endpoint of any other region needs the bundle
// that AWS publishes for it, named by sslrootcert.
func Regions() []string { return slices.Clone(regions()) }

func pool(p *x509.CertPool, pems ...[]byte) *x509.CertPool {
	for _, text := range pems {
		p.AppendCertsFromPEM(text)
	}
	return p
}

func readSystem() *x509.CertPool {
	p, err := x509.SystemCertPool()
	if err != nil { // no system roots is no reason to refuse an AWS database
		p = x509.NewCertPool()
	}
	return pool(p, rdsPEM, amazonPEM)
}

var rootName = regexp.MustCompile(`^Amazon RDS ([a-z0-9-]+) Root CA `)

func readRegions() []string {
	var names []string
	for _, c := range certificates(rdsPEM) {
		if m := rootName.FindStringSubmatch(c.Subject.CommonName); m != nil {
			names = append(names, m[1])
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// certificates parses what the generator wrote and parsed before.
func certificates(text []byte) []*x509.Certificate {
	var all []*x509.Certificate
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if c, err := x509.ParseCertificate(block.Bytes); err == nil {
			all = append(all, c)
		}
	}
	return all
}
