package gateway

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// Kind is what an instance is on AWS, which decides how its users log in.
type Kind string

// The kinds of the dev stack's instances (contract: `airhook dev status`).
const (
	Postgres           Kind = "postgres"
	RDS                Kind = "rds"
	Redshift           Kind = "redshift"
	RedshiftServerless Kind = "redshift-serverless"
)

func (k Kind) redshift() bool { return k == Redshift || k == RedshiftServerless }

const (
	loginTimeout = 30 * time.Second
	dialTimeout  = 10 * time.Second
	maxLogins    = 256 // that have not logged in yet
	lingering    = time.Second
)

// Options say what a gateway stands for. All but Aliases, Closed, Port, Token, Password and
// Logger are required.
type Options struct {
	Kind Kind
	// Name is the endpoint's host name, for the certificate.
	Name string
	// Aliases are other names of the same address, for the certificate too.
	Aliases []string
	// Closed says that the instance takes no connection now; nil is never.
	Closed func() bool
	// Port is the one to take on loopback when nobody has it; 0 is one that the kernel chooses.
	Port int
	// Authority issues the certificate.
	Authority *Authority
	// Roles are those of the server, and Socket is the path of its Unix socket.
	Roles  *Roles
	Socket string
	// Token says whether an IAM token lets user in: RDS, members of rds_iam.
	Token func(user, token string) error
	// Password says whether a temporary password lets user in to a database, as which role, and whether to make that role:
	// Redshift.
	Password func(database, user, password string) (role string, create bool, err error)
	// Logger hears who logged in and why somebody was refused; nil is silent.
	Logger *slog.Logger
}

// Gateway is one instance's address. Close it when done.
type Gateway struct {
	o        Options
	certs    certificates
	wrong    atomic.Bool
	listener net.Listener
	logins   chan struct{}
	keys     keys
	secret   []byte          // behind the salts of users that do not exist
	ctx      context.Context // of everything that a client's connection asks of the server
	cancel   context.CancelFunc

	mu     sync.Mutex
	closed bool
	conns  map[net.Conn]bool
	wg     sync.WaitGroup
}

// Listen opens a gateway on loopback, at its port or, when that is taken, at one that the kernel chooses. It stays the
// gateway's until Close.
func Listen(ctx context.Context, o Options) (*Gateway, error) {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	certs, err := o.Authority.certificates(append([]string{o.Name}, o.Aliases...)...)
	if err != nil {
		return nil, err
	}
	listener, err := Loopback(ctx, o.Port)
	if err != nil {
		return nil, fmt.Errorf("open the address of %s: %w", o.Name, err)
	}
	g := &Gateway{o: o, certs: certs, listener: listener, logins: make(chan struct{}, maxLogins), conns: map[net.Conn]bool{}, secret: []byte(rand.Text())}
	g.ctx, g.cancel = context.WithCancel(context.WithoutCancel(ctx))
	g.wg.Go(g.accept)
	return g, nil
}

// Loopback listens on a port of 127.0.0.1, or on one that the kernel chooses when that port can't be had.
func Loopback(ctx context.Context, port int) (net.Listener, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil && port != 0 && ctx.Err() == nil {
		return Loopback(ctx, 0)
	}
	return listener, err
}

// Port is the port on loopback, and the endpoint's.
func (g *Gateway) Port() int { return g.listener.Addr().(*net.TCPAddr).Port }

// WrongCertificate makes the gateway show a certificate for another name, until told otherwise.
func (g *Gateway) WrongCertificate(on bool) { g.wrong.Store(on) }

// Close ends all sessions and waits for them.
func (g *Gateway) Close() error {
	g.mu.Lock()
	again := g.closed
	g.closed = true
	for conn := range g.conns {
		_ = conn.Close()
	}
	g.mu.Unlock()
	g.cancel()
	err := g.listener.Close()
	g.wg.Wait()
	if again {
		return nil
	}
	return err
}

func (g *Gateway) accept() {
	for {
		conn, err := g.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil { // out of files, most likely: sessions that end give some back
			g.o.Logger.Warn("accepting a connection ended", "err", err)
			select {
			case <-g.ctx.Done():
				return
			case <-time.After(100 * time.Millisecond):
			}
			continue
		}
		select {
		case g.logins <- struct{}{}:
			g.wg.Go(func() { g.serve(conn) })
		default:
			_ = conn.Close()
		}
	}
}

// track makes Close end conn; false means that Close was first.
func (g *Gateway) track(conn net.Conn) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return false
	}
	g.conns[conn] = true
	return true
}

func (g *Gateway) drop(conn net.Conn) {
	g.mu.Lock()
	delete(g.conns, conn)
	g.mu.Unlock()
	_ = conn.Close()
}

// serve is the whole life of a client's connection.
func (g *Gateway) serve(conn net.Conn) {
	loggedIn := sync.OnceFunc(func() { <-g.logins })
	defer loggedIn()
	defer g.drop(conn)
	if !g.track(conn) || g.o.Closed != nil && g.o.Closed() {
		return
	}
	_ = conn.SetDeadline(time.Now().Add(loginTimeout))
	c, err := g.open(conn)
	if err != nil || c == nil { // a cancel request, a port scan, or a client that does not trust our certificate
		if err != nil {
			g.o.Logger.Debug("connection ended before login", "err", err)
		}
		return
	}
	defer c.end()
	if err := c.login(); err != nil {
		c.refuse(err)
		return
	}
	defer g.drop(c.upstream)
	if !g.track(c.upstream) {
		return
	}
	c.run(loggedIn)
}
