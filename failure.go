package airhook

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// SQLSTATEs of a refused login (PostgreSQL, appendix A).
const (
	invalidAuthorization = "28000"
	invalidPassword      = "28P01"
	noSuchDatabase       = "3D000"
)

// rejected reports whether the database refused this user's credential, by SQLSTATE.
func rejected(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && (pg.Code == invalidAuthorization || pg.Code == invalidPassword)
}

// explainFailure turns what stopped a session from opening into an *Error; of an IAM login that was refused it also
// says who asked.
func (c *Client) explainFailure(ctx context.Context, t Target, err error) error {
	e := failure(t, err)
	if ctx.Err() != nil {
		c := cancelled(ctx)
		c.ID, c.Stage = t.ID, e.Stage
		return c
	}
	if errors.Is(e.Kind, ErrLogin) && t.Method != MethodPassword && e.Principal == "" && c.cfg.Identify != nil {
		ask, cancel := context.WithTimeout(ctx, 3*time.Second)
		defer cancel()
		if who, err := c.cfg.Identify(ask, t); err == nil {
			e.Principal = who.ARN
		}
	}
	return e
}

// failure finds stage, kind and hint of what stopped a session from opening.
func failure(t Target, err error) *Error {
	var known *Error
	if errors.As(err, &known) {
		clone := *known
		clone.ID = cmp.Or(clone.ID, t.ID)
		return &clone
	}
	e := &Error{ID: t.ID, Stage: StageTCP, Kind: ErrUnreachable}
	where := net.JoinHostPort(t.Host, strconv.Itoa(t.Port))
	var pg *pgconn.PgError
	switch {
	case errors.Is(err, context.Canceled):
		e.Stage, e.Kind, e.Err = "", ErrCancelled, errors.New("cancelled")
	case errors.As(err, &pg):
		loginFailure(e, t, pg)
	case tlsFailure(e, t, err):
	case errors.Is(err, context.DeadlineExceeded) || isTimeout(err):
		e.Err = fmt.Errorf("connect to %s: no answer within %s", where, t.ConnectTimeout)
		e.Hint = "check the security group, the VPC and the route to " + where + "; connect_timeout in the extra gives it more seconds"
	default:
		netFailure(e, t, where, err)
	}
	return e
}

func loginFailure(e *Error, t Target, pg *pgconn.PgError) {
	e.Stage, e.Kind, e.SQLState = StageLogin, ErrLogin, pg.Code
	e.Err = fmt.Errorf("the server refused %q on database %q: %s (SQLSTATE %s)", t.User, t.Database, pg.Message, pg.Code)
	switch {
	case pg.Code == noSuchDatabase:
		e.Hint = "set schema to a database that exists"
	case pg.Code != invalidAuthorization && pg.Code != invalidPassword:
		e.Hint = "the login was accepted; the server's message says what it lacks"
	case t.Method == MethodPassword:
		e.Hint = "check login and password; a user that has rds_iam needs iam in the extra"
	case t.Method == MethodRDS:
		e.Hint = fmt.Sprintf("does the user exist (CREATE USER %s; GRANT rds_iam TO %[1]s), may the AWS identity rds-db:connect, is %s:%d the database's own endpoint, and is this machine's clock right?", pgx.Identifier{t.User}.Sanitize(), t.SignHost, t.SignPort)
	default:
		e.Hint = fmt.Sprintf("AWS gave a password; does the database know the user? (CREATE USER %s PASSWORD DISABLE)", pgx.Identifier{t.User}.Sanitize())
	}
	if len(t.Warnings) > 0 && pg.Code != noSuchDatabase {
		e.Hint = "look at this first: " + strings.Join(t.Warnings, "; ") + ". Else: " + e.Hint
	}
}

// tlsFailure recognises a certificate or handshake that failed.
func tlsFailure(e *Error, t Target, err error) bool {
	var (
		unknown  x509.UnknownAuthorityError
		name     x509.HostnameError
		invalid  x509.CertificateInvalidError
		verify   *tls.CertificateVerificationError
		record   tls.RecordHeaderError
		alert    *net.OpError                                                     // crypto/tls: "remote error" is an alert of the server's, "local error" one of ours
		refusing = strings.Contains(err.Error(), "server refused TLS connection") // pgconn has no type for it
	)
	switch {
	case errors.As(err, &name):
		e.Err = fmt.Errorf("the certificate is for another name than %s: %s", t.Host, strings.Join(name.Certificate.DNSNames[:min(5, len(name.Certificate.DNSNames))], ", "))
		e.Hint = "connect by the endpoint's own name; through a tunnel set hostaddr to the tunnel and host to the endpoint"
	case errors.As(err, &unknown):
		e.Err = fmt.Errorf("no trusted root signed the certificate of %s", t.Host)
		e.Hint = "name the CA bundle in sslrootcert"
		if t.endpoint.Region != "" {
			e.Hint += "; a region newer than the built-in roots (" + t.endpoint.Region + ") needs AWS's current bundle"
		}
	case errors.As(err, &invalid), errors.As(err, &verify), errors.As(err, &alert) && (alert.Op == "remote error" || alert.Op == "local error"):
		e.Err = fmt.Errorf("TLS with %s: %w", t.Host, plain(err))
		e.Hint = "check the server's certificate and TLS versions, and this machine's clock"
	case errors.As(err, &record), refusing:
		e.Err = fmt.Errorf("%s does not offer TLS, and sslmode is %s", t.Host, t.TLS.Mode)
		e.Hint = "is that host and port the database itself?"
		if t.Method == MethodPassword {
			e.Hint += " A server without TLS needs sslmode disable"
		}
	default:
		return false
	}
	e.Stage, e.Kind = StageTLS, ErrTLS
	return true
}

func isTimeout(err error) bool {
	var n net.Error
	return errors.As(err, &n) && n.Timeout()
}

func netFailure(e *Error, t Target, where string, err error) {
	var dns *net.DNSError
	var op *net.OpError
	switch {
	case errors.As(err, &dns):
		e.Stage = StageDNS
		e.Err = fmt.Errorf("no address for %s: %s", t.Host, dns.Err)
		e.Hint = "check the host's spelling, and whether the name is only known inside the VPC"
	case errors.As(err, &op):
		e.Err = fmt.Errorf("connect to %s: %w", where, op.Err)
		e.Hint = "is the database running, and is " + strconv.Itoa(t.Port) + " its port?"
	default:
		e.Stage, e.Err = StageLogin, fmt.Errorf("open a session with %s: %w", where, plain(err))
		e.Hint = "the server ended the connection while a session was opened; its log says why"
	}
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
