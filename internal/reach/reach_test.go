package reach

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// dialled is a failed attempt at an address, as net.Dialer tells it.
func dialled(address string, err error) error {
	at, parsed := net.ResolveTCPAddr("tcp", address)
	if parsed != nil {
		panic(parsed)
	}
	return fmt.Errorf("dial error: %w", &net.OpError{Op: "dial", Net: "tcp", Addr: at, Err: err})
}

// hungUp is what pgconn says of a server that ends the connection; its error has the password.
func hungUp(t *testing.T) error {
	config, err := pgconn.ParseConfig("host=db.example.com user=u password=s3cret dbname=d sslmode=disable")
	if err != nil {
		t.Fatal(err)
	}
	config.LookupFunc = func(context.Context, string) ([]string, error) { return []string{"192.0.2.1"}, nil }
	config.DialFunc = func(context.Context, string, string) (net.Conn, error) {
		here, there := net.Pipe()
		return here, there.Close()
	}
	_, err = pgconn.ConnectConfig(t.Context(), config)
	return err
}

func TestEachCauseHasItsStageAndHint(t *testing.T) {
	for name, c := range map[string]struct {
		err   error
		road  Road
		stage string
		words []string
		never string
	}{
		"no such name":            {&net.DNSError{Err: "no such host", Name: "h", IsNotFound: true}, Road{}, "dns", []string{"no address for db.example.com: no such host", "spelling"}, ""},
		"a silent DNS server":     {&net.OpError{Op: "dial", Err: &net.DNSError{Err: "i/o timeout", Name: "h", IsTimeout: true}}, Road{}, "dns", []string{"no address", "i/o timeout"}, "security group"},
		"silence":                 {dialled("52.1.2.3:5432", os.ErrDeadlineExceeded), Road{}, "tcp", []string{"connect to db.example.com:5432: no answer within 7s", "security group", "connect_timeout"}, "private"},
		"silence of a deadline":   {context.DeadlineExceeded, Road{}, "tcp", []string{"no answer within 7s"}, "private"},
		"silence in a VPC":        {dialled("10.0.3.7:5432", os.ErrDeadlineExceeded), Road{}, "tcp", []string{"10.0.3.7, a private address", "no answer within 7s", "VPC", "VPN", "tunnel", "hostaddr", "iam_port"}, ""},
		"silence in a VPC, v6":    {dialled("[fd00::7]:5432", os.ErrDeadlineExceeded), Road{}, "tcp", []string{"fd00::7, a private address"}, ""},
		"a mapped address":        {dialled("[::ffff:172.16.0.9]:5432", os.ErrDeadlineExceeded), Road{}, "tcp", []string{"172.16.0.9, a private address"}, ""},
		"refused":                 {dialled("127.0.0.1:5432", os.NewSyscallError("connect", syscall.ECONNREFUSED)), Road{}, "tcp", []string{"connection refused", "is 5432 its port"}, "private"},
		"no route in a VPC":       {dialled("192.168.1.4:5432", os.NewSyscallError("connect", syscall.EHOSTUNREACH)), Road{}, "tcp", []string{"no route to host", "192.168.1.4 is a private address"}, ""},
		"a Unix socket":           {&net.OpError{Op: "dial", Net: "unix", Addr: &net.UnixAddr{Name: "/run/x"}, Err: syscall.ENOENT}, Road{}, "tcp", []string{"no such file"}, "private"},
		"hung up":                 {hungUp(t), Road{}, "login", []string{"open a session", "its log says why"}, "s3cret"},
		"the end of a stream":     {io.ErrUnexpectedEOF, Road{}, "login", []string{"unexpected EOF"}, ""},
		"another name":            {x509.HostnameError{Certificate: &x509.Certificate{DNSNames: []string{"a.example.com", "b.example.com"}}, Host: "h"}, Road{}, "tls", []string{"another name than db.example.com: a.example.com, b.example.com", "hostaddr"}, ""},
		"a name of old":           {x509.HostnameError{Certificate: &x509.Certificate{Subject: pkix.Name{CommonName: "old"}}, Host: "h"}, Road{}, "tls", []string{"another name than db.example.com: old"}, ""},
		"nobody's root":           {x509.UnknownAuthorityError{}, Road{}, "tls", []string{"no trusted root", "sslrootcert"}, "truststore"},
		"a known region":          {x509.UnknownAuthorityError{}, Road{Region: "us-east-1"}, "tls", []string{"sslrootcert", "in between"}, "truststore"},
		"a new region":            {x509.UnknownAuthorityError{}, Road{Region: "xx-north-9"}, "tls", []string{"https://truststore.pki.rds.amazonaws.com/xx-north-9/xx-north-9-bundle.pem", "sslrootcert"}, ""},
		"a run out certificate":   {x509.CertificateInvalidError{Cert: &x509.Certificate{}, Reason: x509.Expired}, Road{}, "tls", []string{"TLS with db.example.com", "expired", "clock"}, ""},
		"the server's alert":      {&net.OpError{Op: "remote error", Err: errors.New("tls: protocol version not supported")}, Road{}, "tls", []string{"protocol version"}, ""},
		"no PostgreSQL":           {tls.RecordHeaderError{Msg: "first record does not look like a TLS handshake"}, Road{}, "tls", []string{"does not offer TLS", "verify-full", "the database itself"}, "disable"},
		"no TLS, and none needed": {errors.Join(errors.New("server refused TLS connection"), io.ErrUnexpectedEOF), Road{TLSMode: "prefer"}, "login", []string{"unexpected EOF"}, "does not offer"},
		"no TLS":                  {errors.New("server refused TLS connection"), Road{Plain: true}, "tls", []string{"does not offer TLS", "sslmode disable"}, ""},
	} {
		c.road.Host, c.road.Port, c.road.TLSMode, c.road.Timeout = "db.example.com", 5432, cmp.Or(c.road.TLSMode, "verify-full"), 7*time.Second
		got := Explain(c.err, c.road)
		text := got.Err.Error() + " – " + got.Hint
		if got.Stage != c.stage || got.Hint == "" || c.never != "" && strings.Contains(text, c.never) {
			t.Errorf("%s: stage %s, want %s: %s", name, got.Stage, c.stage, text)
		}
		for _, word := range c.words {
			if !strings.Contains(text, word) {
				t.Errorf("%s: %q is not in: %s", name, word, text)
			}
		}
	}
}
