package gateway

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"
)

// client is a connection that asked for a session.
type client struct {
	g        *Gateway
	conn     net.Conn
	secure   bool
	startup  startup
	groups   []string // that the session joins
	upstream net.Conn
	down     *pipe // from the server to the client
	leave    func(context.Context) error
}

// open goes through what may precede a startup packet: TLS, asked for or at once, and requests that need no session,
// for which it returns nil.
func (g *Gateway) open(conn net.Conn) (*client, error) {
	c := &client{g: g, conn: conn}
	first := make([]byte, 1)
	if _, err := io.ReadFull(conn, first); err != nil {
		return nil, err
	}
	if first[0] == 0x16 { // a TLS handshake record
		if err := c.startTLS(first); err != nil {
			return nil, err
		}
		if c.conn.(*tls.Conn).ConnectionState().NegotiatedProtocol != "postgresql" {
			return nil, errors.New("direct TLS without ALPN")
		}
		first = nil
	}
	for range 4 { // GSS, TLS, the packet; and one to spare
		s, err := readStartup(c.conn, first)
		first = nil
		if err != nil {
			c.refuseStartup(s, err)
			return nil, err
		}
		switch {
		case s.code == cancelRequest:
			return nil, g.forward(s.pid, s.secret)
		case s.code == gssRequest, s.code == sslRequest && c.secure:
			_, err = c.conn.Write([]byte("N"))
		case s.code == sslRequest:
			if _, err = c.conn.Write([]byte("S")); err == nil {
				err = c.startTLS(nil)
			}
		default:
			c.startup = s
			return c, nil
		}
		if err != nil {
			return nil, err
		}
	}
	return nil, errors.New("too many requests before the startup packet")
}

// refuseStartup tells those who speak our protocol, or another one, that we don't understand them.
func (c *client) refuseStartup(s startup, err error) {
	switch s.code >> 16 {
	case 0, cancelRequest >> 16: // not even a version; and nobody listens for the answer to a cancel request
	case protocol3 >> 16:
		c.refuse(&refusal{"08P01", "invalid startup packet layout", err})
	default:
		c.refuse(&refusal{"0A000", "unsupported frontend protocol", err})
	}
}

func (c *client) startTLS(first []byte) error {
	secure := tls.Server(&begun{c.conn, first}, c.g.tlsConfig())
	if err := secure.HandshakeContext(c.g.ctx); err != nil {
		return fmt.Errorf("start TLS: %w", err)
	}
	c.conn, c.secure = secure, true
	return nil
}

// begun is a connection of which the first bytes were read already.
type begun struct {
	net.Conn
	first []byte
}

func (b *begun) Read(p []byte) (int, error) {
	if len(b.first) == 0 {
		return b.Conn.Read(p)
	}
	n := copy(p, b.first)
	b.first = b.first[n:]
	return n, nil
}

// refuse tells the client why and lets it read that: closing at once could take the words back.
func (c *client) refuse(err error) {
	r := &refusal{"XX000", "the dev stack failed; its log says why", err}
	if !errors.As(err, &r) && errors.Is(err, io.EOF) {
		return // it went away
	}
	c.g.o.Logger.Info("login refused", "instance", c.g.o.Name, "user", c.startup.params["user"], "answer", r.message, "err", r.why)
	_ = c.conn.SetDeadline(time.Now().Add(lingering))
	if _, err := c.conn.Write(r.frame()); err != nil {
		return
	}
	closeWrite(c.conn)
	_, _ = io.CopyN(io.Discard, c.conn, bufferSize)
}

// login lets the client in and opens the server's session for it.
func (c *client) login() error {
	ctx, cancel := context.WithTimeout(c.g.ctx, loginTimeout)
	defer cancel()
	if err := c.negotiate(); err != nil {
		return err
	}
	user := c.startup.params["user"]
	if user == "" {
		return &refusal{"28000", "no PostgreSQL user name specified in startup packet", nil}
	}
	role, err := c.authenticate(ctx, user)
	if err != nil {
		return err
	}
	params, err := c.parameters(ctx, role)
	if err != nil {
		return err
	}
	if c.leave, err = c.g.o.Roles.join(ctx, role, c.groups); err != nil {
		return err
	}
	if c.upstream, err = c.g.dial(); err != nil {
		return &refusal{"57P03", "the database system is shutting down", err}
	}
	if _, err := c.upstream.Write(packet(params)); err != nil {
		_ = c.upstream.Close()
		return &refusal{"57P03", "the database system is shutting down", err}
	}
	c.g.o.Logger.Info("login", "instance", c.g.o.Name, "user", user, "role", role, "tls", c.secure)
	return nil
}

// end takes back what the session has joined. It runs although the gateway closes.
func (c *client) end() {
	if c.leave == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.g.ctx), dialTimeout)
	defer cancel()
	if err := c.leave(ctx); err != nil {
		c.g.o.Logger.Warn("a session's groups are not taken back", "instance", c.g.o.Name, "err", err)
	}
}

// negotiate answers a wish for a newer protocol or for extensions: we speak 3.0 and know none.
func (c *client) negotiate() error {
	if c.startup.code == protocol3 && len(c.startup.options) == 0 {
		return nil
	}
	_, err := c.conn.Write(encode(&pgproto3.NegotiateProtocolVersion{NewestMinorProtocol: protocol3, UnrecognizedOptions: c.startup.options}))
	return err
}

// parameters are those of the server's session.
func (c *client) parameters(ctx context.Context, role string) (map[string]string, error) {
	params := maps.Clone(c.startup.params)
	if c.g.o.Kind.redshift() {
		var err error
		if params, err = c.redshiftParameters(ctx); err != nil {
			return nil, err
		}
	}
	if params["database"] == "" {
		params["database"] = role
	}
	params["user"] = role
	return params, nil
}

// redshiftParameters are what PostgreSQL knows of the client's, and what makes it behave like Redshift.
func (c *client) redshiftParameters(ctx context.Context) (map[string]string, error) {
	params := map[string]string{}
	for name, value := range settings {
		params[prefix+name] = value
	}
	for name, value := range c.startup.params {
		lower := strings.ToLower(name)
		known, err := c.g.o.Roles.knows(ctx, lower)
		if err != nil {
			return nil, err
		}
		if _, own := settings[lower]; own {
			params[prefix+lower] = value
		} else if known || name == "user" || name == "database" || name == "options" {
			params[name] = value
		}
	}
	// A backslash in a plain literal escapes, as in PostgreSQL 8.0.
	params["standard_conforming_strings"], params["escape_string_warning"] = "off", "off"
	return params, nil
}

// run passes the session's frames both ways until one side ends.
func (c *client) run(loggedIn func()) {
	pid := c.begin()
	if pid == 0 {
		return
	}
	defer c.g.keys.remove(pid)
	loggedIn()
	_ = c.conn.SetDeadline(time.Time{})
	up := connect(c.conn, c.upstream)
	if c.g.o.Kind.redshift() {
		up.kinds, up.edit = "QP", asRedshift
		c.down.kinds, c.down.edit = "S", report
	} else {
		c.down.kinds = ""
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		_ = up.run(func(kind byte) bool { return kind != 'X' })
		closeWrite(c.upstream) // the server may still have an answer under way
	})
	_ = c.down.run(func(byte) bool { return true })
	_ = c.down.to.Flush()
	closeWrite(c.conn)
	_ = c.upstream.Close()
	_ = c.conn.SetReadDeadline(time.Now()) // nobody is there to hear what else it says
	wg.Wait()
}

// begin passes the server's greeting on, with a cancel key of ours, and returns that; 0 means that the server refused.
func (c *client) begin() (pid uint32) {
	_ = c.upstream.SetDeadline(time.Now().Add(loginTimeout))
	c.down = connect(c.upstream, c.conn)
	c.down.kinds, c.down.edit = "SK", func(frame []byte) []byte {
		switch {
		case frame[0] == 'K':
			var secret []byte
			pid, secret = c.g.keys.add(bytes.Clone(frame[5:]))
			messages := []pgproto3.BackendMessage{&pgproto3.BackendKeyData{ProcessID: pid, SecretKey: secret}}
			if c.g.o.Kind.redshift() {
				messages = append(messages, &pgproto3.ParameterStatus{Name: "padb_version", Value: redshiftRelease})
			}
			return encode(messages...)
		case c.g.o.Kind.redshift():
			return report(frame)
		}
		return frame
	}
	ready := false
	err := c.down.run(func(kind byte) bool { ready = kind == 'Z'; return !ready })
	_ = c.upstream.SetDeadline(time.Time{})
	if err == nil && ready {
		return pid
	}
	c.g.keys.remove(pid)
	_ = c.down.to.Flush()
	closeWrite(c.conn)
	return 0
}
