package reach

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// Road is the way to a database that somebody tried.
type Road struct {
	Host string
	Port int
	// TLSMode is libpq's sslmode. Plain: the login may do without TLS.
	TLSMode string
	Plain   bool
	// Region is that of an RDS endpoint's name; "" for any other host.
	Region string
	// Timeout is how long DNS, TCP, TLS and login had together.
	Timeout time.Duration
}

// Cause is why a road leads nowhere.
type Cause struct {
	// Stage is dns, tcp or tls; login when the connection ended while a session was opened.
	Stage string
	Hint  string
	Err   error
}

// Explain finds the cause of an error from dialling, from a handshake or from pgconn.
func Explain(err error, r Road) Cause {
	if c, ok := r.tls(err); ok {
		return c
	}
	where := net.JoinHostPort(r.Host, strconv.Itoa(r.Port))
	var dns *net.DNSError
	var op *net.OpError
	switch {
	case errors.As(err, &dns):
		return Cause{"dns", "check the host's spelling, and whether the name is only known inside the VPC", fmt.Errorf("no address for %s: %s", r.Host, dns.Err)}
	case IsTimeout(err):
		return r.silent(where, private(err))
	case errors.As(err, &op):
		return Cause{"tcp", r.nobody(private(err)), fmt.Errorf("connect to %s: %w", where, op.Err)}
	}
	return Cause{"login", "the server ended the connection while a session was opened; its log says why", fmt.Errorf("open a session with %s: %w", where, plain(err))}
}

// silent: a packet filter drops what it does not let through, and a private address is not even on the way.
func (r Road) silent(where, private string) Cause {
	err := fmt.Errorf("connect to %s: no answer within %s", where, r.Timeout)
	hint := "check the security group, the VPC and the route to " + where + "; connect_timeout in the extra gives it more seconds"
	if private != "" {
		err = fmt.Errorf("connect to %s (%s, a private address): no answer within %s", where, private, r.Timeout)
		hint = "the name leads into a private network, a VPC: connect from there or through a VPN, or by a tunnel (host stays the endpoint, hostaddr and port are the tunnel's, iam_port is the database's); then check the security group"
	}
	return Cause{"tcp", hint, err}
}

func (r Road) nobody(private string) string {
	hint := "is the database running, and is " + strconv.Itoa(r.Port) + " its port?"
	if private != "" {
		hint += fmt.Sprintf(" %s is a private address: is this machine in its network, or on its VPN?", private)
	}
	return hint
}

// private is the private address that was dialled, or "".
func private(err error) string {
	var op *net.OpError
	if !errors.As(err, &op) || op.Addr == nil {
		return ""
	}
	at, err := netip.ParseAddrPort(op.Addr.String())
	if err != nil || !at.Addr().Unmap().IsPrivate() {
		return ""
	}
	return at.Addr().Unmap().String()
}

// IsTimeout reports whether time ran out.
func IsTimeout(err error) bool {
	var n net.Error
	return errors.Is(err, context.DeadlineExceeded) || errors.As(err, &n) && n.Timeout()
}

// plain is a driver's error without the config that pgconn puts around it: it has the password.
func plain(err error) error {
	for {
		var connect *pgconn.ConnectError
		if !errors.As(err, &connect) || connect.Unwrap() == nil {
			return err
		}
		err = connect.Unwrap()
	}
}
