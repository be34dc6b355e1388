package reach

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"

	"github.com/airhook-go/airhook/internal/roots"
)

// tls recognises a certificate or handshake that failed.
func (r Road) tls(err error) (Cause, bool) {
	var (
		unknown x509.UnknownAuthorityError
		name    x509.HostnameError
		invalid x509.CertificateInvalidError
		verify  *tls.CertificateVerificationError
		record  tls.RecordHeaderError
		alert   *net.OpError // crypto/tls: "remote error" is an alert of the server's, "local error" one of ours
	)
	goesWithout := r.TLSMode == "allow" || r.TLSMode == "prefer"                               // then something else went wrong
	refusing := !goesWithout && strings.Contains(err.Error(), "server refused TLS connection") // pgconn has no type for it
	switch {
	case errors.As(err, &name):
		return r.otherName(name.Certificate), true
	case errors.As(err, &unknown):
		return Cause{"tls", r.missingRoot(), fmt.Errorf("no trusted root signed the certificate of %s", r.Host)}, true
	case errors.As(err, &invalid), errors.As(err, &verify), errors.As(err, &alert) && (alert.Op == "remote error" || alert.Op == "local error"):
		return Cause{"tls", "check the server's certificate and TLS versions, and this machine's clock", fmt.Errorf("TLS with %s: %w", r.Host, plain(err))}, true
	case errors.As(err, &record), refusing:
		hint := "is that host and port the database itself?"
		if r.Plain {
			hint += " A server without TLS needs sslmode disable"
		}
		return Cause{"tls", hint, fmt.Errorf("%s does not offer TLS, and sslmode is %s", r.Host, r.TLSMode)}, true
	}
	return Cause{}, false
}

// missingRoot: each region has roots of RDS of its own (Amazon RDS User Guide, "Using SSL/TLS to encrypt a connection").
func (r Road) missingRoot() string {
	if r.Region != "" && !slices.Contains(roots.Regions(), r.Region) {
		return fmt.Sprintf("the built-in roots have none for region %s: fetch https://truststore.pki.rds.amazonaws.com/%[1]s/%[1]s-bundle.pem and name it in sslrootcert", r.Region)
	}
	return "name the CA bundle in sslrootcert, if the server is yours; else something in between answers in its place"
}

// otherName tells the names that a certificate is for: one of them is usually the endpoint behind a tunnel or CNAME.
func (r Road) otherName(cert *x509.Certificate) Cause {
	names := cert.DNSNames
	if len(names) == 0 {
		names = []string{cert.Subject.CommonName}
	}
	return Cause{
		"tls", "connect by the endpoint's own name; through a tunnel set hostaddr to the tunnel and host to the endpoint",
		fmt.Errorf("the certificate is for another name than %s: %s", r.Host, strings.Join(names[:min(5, len(names))], ", ")),
	}
}
