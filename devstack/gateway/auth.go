package gateway

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	"github.com/jackc/pgx/v5/pgproto3"
)

// longestPassword is room for any token: one with a session token has two to four thousand bytes.
const longestPassword = 64 << 10

// authenticate finds out who the client is, in the way of the instance's kind, and returns the role that it becomes.
func (c *client) authenticate(ctx context.Context, user string) (string, error) {
	if c.g.o.Kind != Postgres && !c.secure {
		return "", c.notEncrypted(user)
	}
	if c.g.o.Kind.redshift() {
		return c.redshift(ctx, user)
	}
	found, err := c.g.o.Roles.find(ctx, user)
	if err != nil {
		return "", err
	}
	if found.superuser {
		return "", &refusal{"28000", fmt.Sprintf("pg_hba.conf rejects connection for host %q, user %q, database %q, %s", c.address(), user, c.database(), c.encryption()), nil}
	}
	if found.iam {
		return user, c.token(user)
	}
	return user, c.scram(user, found)
}

// notEncrypted is the refusal of a server that has no rule for plain TCP (RDS: rds.force_ssl; Redshift: require_ssl).
func (c *client) notEncrypted(user string) error {
	return &refusal{"28000", fmt.Sprintf("no pg_hba.conf entry for host %q, user %q, database %q, no encryption", c.address(), user, c.database()), nil}
}

func (c *client) encryption() string {
	if c.secure {
		return "SSL encryption"
	}
	return "no encryption"
}

func (c *client) address() string {
	host, _, _ := net.SplitHostPort(c.conn.RemoteAddr().String())
	return host
}

func (c *client) database() string {
	if name := c.startup.params["database"]; name != "" {
		return name
	}
	return c.startup.params["user"]
}

// token is PAM on RDS: the token comes as a password in clear, inside TLS. RDS tells the client nothing but that it
// did not do.
func (c *client) token(user string) error {
	token, err := c.password()
	if err != nil {
		return err
	}
	if c.g.o.Token == nil {
		err = errors.New("this instance takes no tokens")
	} else {
		err = c.g.o.Token(user, token)
	}
	if err != nil {
		return &refusal{"28000", fmt.Sprintf("PAM authentication failed for user %q", user), err}
	}
	return nil
}

// redshift takes a temporary password, which belongs to a user name that Redshift's API prefixed with IAM:, IAMA: or
// IAMR:, or the password of a database user. Cleartext inside TLS is all that both of Redshift's drivers can do.
func (c *client) redshift(ctx context.Context, user string) (string, error) {
	password, err := c.password()
	if err != nil {
		return "", err
	}
	refused := func(why error) error {
		return &refusal{"28000", fmt.Sprintf("password authentication failed for user %q", user), why}
	}
	found, err := c.g.o.Roles.find(ctx, user)
	if err != nil {
		return "", err
	}
	if found.superuser {
		return "", refused(errors.New("the superuser is the dev stack's own"))
	}
	if v, ok := parseVerifier(found.verifier); ok && found.known && v.matches(password) {
		return user, nil
	}
	if c.g.o.Password == nil {
		return "", refused(errors.New("this instance takes no temporary passwords"))
	}
	name, create, err := c.g.o.Password(c.database(), user, password)
	if err != nil {
		return "", refused(err)
	}
	if found, err = c.g.o.Roles.find(ctx, name); err != nil {
		return "", err
	}
	switch {
	case found.superuser:
		return "", refused(errors.New("the superuser is the dev stack's own"))
	case found.known:
		c.groups = groupsOf(user, name)
		return name, nil
	case create:
		c.groups = groupsOf(user, name)
		return name, c.g.o.Roles.create(ctx, name)
	}
	return "", refused(fmt.Errorf("database user %q does not exist, and AutoCreate is off", name))
}

// password asks for a password in clear.
func (c *client) password() (string, error) {
	if _, err := c.conn.Write(encode(&pgproto3.AuthenticationCleartextPassword{})); err != nil {
		return "", err
	}
	body, err := c.answer()
	if err != nil {
		return "", err
	}
	password, found := strings.CutSuffix(string(body), "\x00")
	if !found || strings.Contains(password, "\x00") {
		return "", &refusal{"08P01", "invalid password packet", nil}
	}
	return password, nil
}

// answer reads one answer of the client's to a question of ours.
func (c *client) answer() ([]byte, error) {
	var head [5]byte
	if _, err := io.ReadFull(c.conn, head[:]); err != nil {
		return nil, err
	}
	size := binary.BigEndian.Uint32(head[1:])
	if head[0] != 'p' || size < 4 || size > longestPassword {
		return nil, &refusal{"08P01", "expected password response", fmt.Errorf("frame %q of %d bytes", head[0], size)}
	}
	body := make([]byte, size-4)
	_, err := io.ReadFull(c.conn, body)
	return body, err
}

// scram lets a user in by the password that the server knows (RFC 5802, RFC 7677). A user that does not exist is asked
// like any other, so that nobody learns who does.
func (c *client) scram(user string, found role) error {
	refused := func(why error) error {
		return &refusal{"28P01", fmt.Sprintf("password authentication failed for user %q", user), why}
	}
	v, ok := parseVerifier(found.verifier)
	if !ok {
		v = mock(c.g.secret, user)
	}
	if _, err := c.conn.Write(encode(&pgproto3.AuthenticationSASL{AuthMechanisms: []string{mechanism}})); err != nil {
		return err
	}
	body, err := c.answer()
	if err != nil {
		return err
	}
	first, err := firstMessage(body)
	if err != nil {
		return &refusal{"08P01", "malformed SCRAM message", err}
	}
	exchange := newExchange(v, first, rand.Text())
	if _, err := c.conn.Write(encode(&pgproto3.AuthenticationSASLContinue{Data: []byte(exchange.challenge)})); err != nil {
		return err
	}
	if body, err = c.answer(); err != nil {
		return err
	}
	signature, err := exchange.finish(string(body))
	switch {
	case err != nil:
		return refused(err)
	case !ok || !found.known:
		return refused(errors.New("no such user, or none with a password"))
	}
	_, err = c.conn.Write(encode(&pgproto3.AuthenticationSASLFinal{Data: []byte(signature)}))
	return err
}
