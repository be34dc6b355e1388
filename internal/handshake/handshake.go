package handshake

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/airhook-go/airhook/internal/files"
	"github.com/airhook-go/airhook/internal/roots"
)

// Wants is what a session asks of the server and shows of itself.
type Wants struct {
	// Host is the name that the certificate must have when Mode, libpq's sslmode, is verify-full; a folder is a Unix socket's.
	Host, Mode string
	Port       uint16
	// RootCert, Cert and Key are file names, as libpq's sslrootcert, sslcert and sslkey; RootCert may be "system".
	RootCert, Cert, Key string
	// MinVersion and MaxVersion are crypto/tls's, zero for none; below TLS 1.2 nothing is spoken.
	MinVersion, MaxVersion uint16
	// AWS: the host is an endpoint of AWS, whose roots are enough. Roots, when set, are the only ones to trust.
	AWS   bool
	Roots *x509.CertPool
	// Renegotiates: the server may renegotiate long sessions. Direct: TLS begins without asking for it.
	Renegotiates, Direct bool
	// Secret: what logs in is never sent without TLS, whatever Mode and Host say.
	Secret bool
}

// ErrClear is the error of a Secret that Mode or Host would send in clear.
var ErrClear = errors.New("a token is never sent without TLS")

// Roads returns the first way to try, nil for one without TLS, and for libpq's allow and prefer the other one.
func (w Wants) Roads() (*tls.Config, []*pgconn.FallbackConfig, error) {
	secure, err := w.Config()
	other := []*pgconn.FallbackConfig{{Host: w.Host, Port: w.Port}}
	switch {
	case err != nil:
		return nil, nil, err
	case w.Mode == "disable" || w.onSocket():
		secure, other = nil, nil
	case w.Mode == "allow":
		secure, other[0].TLSConfig = nil, secure
	case w.Mode != "prefer":
		other = nil
	}
	if w.Secret && (secure == nil || other != nil) {
		return nil, nil, ErrClear
	}
	return secure, other, nil
}

func (w Wants) onSocket() bool { return strings.HasPrefix(w.Host, "/") }

// Config returns the TLS configuration. An error names the file's option.
func (w Wants) Config() (*tls.Config, error) {
	pool, err := w.pool()
	if err != nil {
		return nil, fmt.Errorf("read sslrootcert: %w", err)
	}
	config := &tls.Config{MinVersion: max(tls.VersionTLS12, w.MinVersion), MaxVersion: w.MaxVersion, ServerName: strings.TrimSuffix(w.Host, "."), RootCAs: pool}
	if w.Renegotiates {
		config.Renegotiation = tls.RenegotiateFreelyAsClient
	}
	if w.Direct {
		config.NextProtos = []string{"postgresql"} // without it a server takes a direct handshake for a mistake
	}
	switch w.Mode {
	case "verify-full":
	case "verify-ca":
		config.InsecureSkipVerify = true // #nosec G402 -- the chain is checked below, the name is not: that is verify-ca
		config.VerifyConnection = roots.VerifyChain(pool)
	default:
		config.InsecureSkipVerify = true // #nosec G402 -- what sslmode=require means to libpq, and somebody asked for it
		if w.RootCert != "" {            // as libpq: with a root certificate, require checks the chain
			config.VerifyConnection = roots.VerifyChain(pool)
		}
	}
	if w.Cert != "" {
		config.Certificates, err = w.client()
	}
	return config, err
}

func (w Wants) client() ([]tls.Certificate, error) {
	cert, err := files.Read(w.Cert)
	key, unread := files.Read(w.Key)
	pair, mismatch := tls.X509KeyPair(cert, key)
	if err = cmp.Or(err, unread, mismatch); err != nil {
		return nil, fmt.Errorf("read the client certificate of sslcert and sslkey: %w", err)
	}
	return []tls.Certificate{pair}, nil
}

// pool is whom we trust: those given, the file, the system's, or AWS's (for AWS's names) and the system's with AWS's (for
// others: tunnels, custom domains).
func (w Wants) pool() (*x509.CertPool, error) {
	switch {
	case w.Roots != nil:
		return w.Roots, nil
	case w.RootCert == "system":
		return x509.SystemCertPool()
	case w.RootCert != "":
		return roots.File(w.RootCert)
	case w.AWS:
		return roots.AWS(), nil
	}
	return roots.System(), nil
}

// sslRequest asks a PostgreSQL server for TLS (protocol 3.0, "SSLRequest").
var sslRequest = [8]byte{0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f}

// ErrNotOffered says that the server offers no TLS, in pgconn's words.
var ErrNotOffered = errors.New("server refused TLS connection")

// Start makes TLS of a fresh connection, until ctx's deadline.
func (w Wants) Start(ctx context.Context, socket net.Conn, config *tls.Config) (tls.ConnectionState, error) {
	deadline, _ := ctx.Deadline()
	_ = socket.SetDeadline(deadline)
	if !w.Direct {
		taken, err := offered(socket)
		if err == nil && !taken {
			err = ErrNotOffered
		}
		if err != nil {
			return tls.ConnectionState{}, err
		}
	}
	secure := tls.Client(socket, config)
	err := secure.HandshakeContext(ctx)
	return secure.ConnectionState(), err
}

// offered asks the server behind a fresh connection for TLS, and reports whether it goes on with a handshake.
func offered(socket io.ReadWriter) (bool, error) {
	if _, err := socket.Write(sslRequest[:]); err != nil {
		return false, err
	}
	var answer [1]byte
	if _, err := io.ReadFull(socket, answer[:]); err != nil {
		return false, err
	}
	return answer[0] == 'S', nil
}
