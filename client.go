package airhook

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"maps"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/airhook-go/airhook/internal/endpoint"
	"github.com/airhook-go/airhook/internal/suggest"
)

// Config is what a Client is built from. Only Registry is required.
type Config struct {
	Registry Registry
	// Logins are the ways to log in by Target.Method; the password is built in.
	Logins map[string]Login
	// Resolve fills in what only AWS knows of a target: its region and principal, and its endpoint when only a cluster
	// or workgroup is named. nil: the region comes from extras and the endpoint's name. A target that is in use is resolved
	// again every few seconds: another principal opens it anew. One that nobody answers is looked up again.
	Resolve func(ctx context.Context, t Target) (Target, error)
	// Identify asks AWS who a target's login is, for Explain and errors. nil: nobody knows.
	Identify func(ctx context.Context, t Target) (Identity, error)
	// Refused completes the error of a session that did not open: of an IAM login that the database refused (ErrLogin), or
	// that did not reach it (ErrUnreachable), who asked, for what, which policy would allow it, and the reason where it can
	// be checked. It bounds the time that this takes. nil: nothing is added.
	Refused func(ctx context.Context, t Target, e *Error)
	// Route says how a host and port are reached when not by DNS, and which roots prove it: the dev stack's dial map.
	Route func(host string, port int) (Route, bool)
	// DialFunc opens network connections; nil is net.Dialer with the target's keepalive.
	DialFunc func(ctx context.Context, network, address string) (net.Conn, error)
	// Tracer sees queries; nil: nobody does.
	Tracer pgx.QueryTracer
	// Logger hears what someone should look at; nil is silent.
	Logger *slog.Logger
	// OnClose runs at the end of Close, for what the Registry keeps open; nil: nothing.
	OnClose func()
}

// Client opens named connections. It owns their pools and credentials, and is safe for concurrent use. Close it when
// done.
type Client struct {
	cfg   Config
	creds credentials

	opened sync.Map // id to *entry: those of entries that are ready, to be read without the lock

	mu      sync.Mutex
	entries map[string]*entry
	closed  bool
	closing sync.WaitGroup
}

// entry is one opened id. done is closed when what follows it is final.
type entry struct {
	done   chan struct{}
	cancel context.CancelFunc // ends the opening
	made   [2]Connection      // what target is made from: the connection and the aws connection that signs for it
	look   *time.Timer        // sets aged
	aged   atomic.Bool        // it is time to look whether the registry still says the same
	asked  Target             // as the connection has it
	target Target             // asked, resolved
	route  *Route             // nil is DNS
	config *pgxpool.Config
	making sync.Once // of pool
	pool   *pgxpool.Pool
	source *source
	err    error
	ready  bool // opened without an error; guarded by Client.mu
}

var errClosed = &Error{Kind: ErrInvalid, Err: errors.New("the client is closed")}

// New returns a client. It opens nothing yet. A missing Registry is ErrInvalid.
func New(cfg Config) (*Client, error) {
	if cfg.Registry == nil {
		return nil, &Error{Kind: ErrInvalid, Err: errors.New("a client needs a registry")}
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return &Client{cfg: cfg, creds: credentials{cfg: cfg}, entries: map[string]*entry{}}, nil
}

// Get returns the connection of that id. An unknown id is ErrNotFound, with the nearest ids as hint.
func (c *Client) Get(ctx context.Context, id string) (Connection, error) {
	conn, err := c.cfg.Registry.Get(ctx, id)
	return conn, about(id, "", c.nearest(ctx, id, err))
}

// nearest is err with the ids in its hint that somebody may have meant by one that isn't defined.
func (c *Client) nearest(ctx context.Context, id string, err error) error {
	l, ok := c.cfg.Registry.(Lister)
	if !ok || !errors.Is(err, ErrNotFound) {
		return err
	}
	e := &Error{}
	errors.As(about(id, "", err), &e)
	if near := suggest.Nearest(id, ids(ctx, l)); len(near) > 0 {
		e.Hint = "did you mean " + strings.Join(near, ", ") + "?"
	}
	return e
}

// List yields what the registry holds; an entry that cannot be read comes as its error. A registry that cannot list
// yields nothing.
func (c *Client) List(ctx context.Context) iter.Seq2[Connection, error] {
	if l, ok := c.cfg.Registry.(Lister); ok {
		return l.List(ctx)
	}
	return func(func(Connection, error) bool) {}
}

// Put stores a connection and closes what was open under its id, so that the next use sees the change. A registry that
// cannot be changed is ErrReadOnly.
func (c *Client) Put(ctx context.Context, conn Connection) error {
	return c.edit(conn.ID, func(e Editor) error { return e.Put(ctx, conn) })
}

// Delete removes a connection and closes what was open under its id.
func (c *Client) Delete(ctx context.Context, id string) error {
	return c.edit(id, func(e Editor) error { return e.Delete(ctx, id) })
}

func (c *Client) edit(id string, change func(Editor) error) error {
	e, ok := c.cfg.Registry.(Editor)
	if !ok {
		return &Error{ID: id, Kind: ErrReadOnly, Err: errors.New("the registry cannot be changed")}
	}
	if err := change(e); err != nil {
		return about(id, "", err)
	}
	c.forget(id)
	return nil
}

// forget closes the pools of an id and of those that log in with it. One that is just being opened may have seen the
// old connection, so it goes too; Acquire opens anew when its pool was closed under it.
func (c *Client) forget(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for known, e := range c.entries {
		if known == id || !e.ready || e.target.AWSConnID == id {
			c.remove(known, e)
		}
	}
}

// remove closes an entry; the caller holds the lock.
func (c *Client) remove(id string, e *entry) {
	delete(c.entries, id)
	c.opened.Delete(id)
	c.closing.Go(func() { c.closeEntry(e) })
}

// closeEntry waits until the entry is open and its sessions have been returned.
func (c *Client) closeEntry(e *entry) {
	if <-e.done; e.ready {
		e.look.Stop()
		c.creds.values.Release(e.source.key)
		if e.making.Do(func() {}); e.pool != nil { // from now on none is made
			e.pool.Close()
		}
	}
}

// sessions returns the pool, made when it is first asked for: each keeps a goroutine, which ids that only sign don't need.
func (e *entry) sessions(ctx context.Context) (_ *pgxpool.Pool, err error) {
	e.making.Do(func() { e.pool, err = pgxpool.NewWithConfig(context.WithoutCancel(ctx), e.config) })
	if e.pool == nil && err == nil {
		err = errClosed
	}
	return e.pool, err
}

// holds reports whether an entry is still the one of its id.
func (c *Client) holds(id string, e *entry) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.entries[id] == e
}

// lookAgain is how long an opened id goes without a look into the registry, where another process may have changed it.
const lookAgain = 10 * time.Second

// current reports whether an entry is still what the registry says, reached by its route and signed for by its principal; if
// not, it is closed. A registry that can't be asked changes nothing.
func (c *Client) current(ctx context.Context, id string, e *entry, failed *Error) bool {
	e.look.Reset(lookAgain)
	made, err := c.read(ctx, id, e.target)
	switch {
	case err != nil && !errors.Is(err, ErrNotFound):
		return true
	case made == e.made && c.route(e.target).same(e.route) && c.stays(ctx, e, failed):
		return true
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.entries[id] == e {
		c.remove(id, e)
	}
	return false
}

// stays reports whether a target's principal is still who signs for it: the environment and the AWS files may name another.
// When the database, not AWS, could not be reached, an endpoint that was looked up must be where it was, also a password's.
func (c *Client) stays(ctx context.Context, e *entry, failed *Error) bool {
	t, password := e.target, e.target.Method == MethodPassword
	look := e.asked.Host == "" && failed != nil && errors.Is(failed, ErrUnreachable) && failed.Stage != StageCredential && failed.Stage != StageEndpoint
	if c.cfg.Resolve == nil || password && !look {
		return true
	}
	t.guess = "" // what the target is was asked before: no service is called
	if look {
		t.Host, t.Port = "", e.asked.Port
	}
	t, err := c.complete(ctx, t)
	return err != nil || (password || t.Principal == e.target.Principal) && t.Host == e.target.Host && t.Port == e.target.Port
}

// read returns what a target is made from. An aws connection that isn't defined is the empty one: what that means is for
// the resolver to say.
func (c *Client) read(ctx context.Context, id string, t Target) (made [2]Connection, err error) {
	if made[0], err = c.cfg.Registry.Get(ctx, id); err != nil || t.AWSConnID == "" {
		return made, err
	}
	if made[1], err = c.cfg.Registry.Get(ctx, t.AWSConnID); errors.Is(err, ErrNotFound) {
		return made, nil
	}
	return made, err
}

// Target returns what an id means, resolved: with region, identifiers and endpoint.
func (c *Client) Target(ctx context.Context, id string) (Target, error) {
	e, err := c.open(ctx, id)
	if err != nil {
		return Target{}, err
	}
	return e.target, nil
}

// Credential returns the credential that a new session of this id would use now, from the cache when it is fresh.
func (c *Client) Credential(ctx context.Context, id string) (cred Credential, err error) {
	if known, ok := c.opened.Load(id); ok && !known.(*entry).aged.Load() { // what session would do, in less time
		if cred, ok = known.(*entry).source.value.Fresh(); ok {
			return cred, nil
		}
	}
	err = c.session(ctx, id, func(e *entry) (err error) {
		cred, err = e.source.get(ctx)
		return err
	})
	return cred, err
}

// Pool returns the shared pool for id, opening it on first use. The Client owns it; do not close it. Each new session
// gets a credential that is fresh then; open sessions outlive theirs. When the database rejects a credential it is
// dropped, and the next session signs anew; Acquire does that at once. A connection that was changed, or
// that somebody else signs for by now, has another pool: ask for it again rather than keep it. What is set in a session
// stays for the pool's other users, but for hooks: they reset it first, and end one of Redshift.
func (c *Client) Pool(ctx context.Context, id string) (*pgxpool.Pool, error) {
	for {
		e, err := c.open(ctx, id)
		if err != nil {
			return nil, err
		}
		pool, err := e.sessions(ctx)
		if err == nil || c.holds(id, e) {
			return pool, err
		}
	}
}

// Acquire returns a session of id's pool. Release it when done. A login that the database rejects is tried once more
// with a new credential, or with the new password when somebody changed it. What is set in it stays, as Pool says. Errors
// are *Error with stage and kind.
func (c *Client) Acquire(ctx context.Context, id string) (conn *pgxpool.Conn, err error) {
	err = c.session(ctx, id, func(e *entry) error {
		pool, err := e.sessions(ctx)
		if err == nil {
			conn, err = pool.Acquire(ctx) // the tracer drops a credential that is rejected
		}
		return err
	})
	return conn, err
}

// Dial opens one authenticated session to id, outside any pool. params are startup parameters such as
// application_name; they win over the connection's. Close it when done.
func (c *Client) Dial(ctx context.Context, id string, params map[string]string) (conn *pgconn.PgConn, err error) {
	err = c.session(ctx, id, func(e *entry) error {
		var cred Credential
		conn, cred, err = c.dial(ctx, e, params)
		e.source.heard(cred, err)
		return err
	})
	return conn, err
}

// session opens a session, or gets a credential for one, by open. It starts anew when Put or Delete closed the entry
// meanwhile – each time takes one of those – and once when another process changed the connection or who signs, or when
// the database rejects a credential that a new one can take the place of.
func (c *Client) session(ctx context.Context, id string, open func(*entry) error) error {
	for again := false; ; {
		e, err := c.open(ctx, id)
		if err != nil {
			return err
		}
		err = open(e)
		switch {
		case err == nil:
			return nil
		case ctx.Err() == nil && !c.holds(id, e):
		case !again && (!c.current(ctx, id, e, failure(e.target, err)) || e.source.another(err)):
			again = true
		default:
			return c.explainFailure(ctx, e.target, err)
		}
	}
}

func (c *Client) dial(ctx context.Context, e *entry, params map[string]string) (*pgconn.PgConn, Credential, error) {
	cred, err := e.source.get(ctx)
	if err != nil {
		return nil, cred, err
	}
	config := e.config.ConnConfig.Copy()
	maps.Copy(config.RuntimeParams, params)
	setCredential(&config.Config, cred)
	conn, err := pgconn.ConnectConfig(ctx, &config.Config)
	if err != nil {
		return nil, cred, err
	}
	if err := e.target.set(ctx, conn); err != nil {
		_ = conn.Close(ctx)
		return nil, cred, err
	}
	return conn, cred, nil
}

// set runs the target's settings in a new session.
func (t Target) set(ctx context.Context, conn *pgconn.PgConn) error {
	ctx, cancel := context.WithTimeout(ctx, t.ConnectTimeout)
	defer cancel()
	for _, statement := range t.Session {
		if err := conn.Exec(ctx, statement).Close(); err != nil {
			e := &Error{ID: t.ID, Stage: StageLogin, Kind: ErrInvalid, Err: fmt.Errorf("session setting %s: %w", statement, err), Hint: "correct or remove the key in the extra"}
			var pg *pgconn.PgError
			if errors.As(err, &pg) {
				e.SQLState = pg.Code
			}
			return e
		}
	}
	return nil
}

func setCredential(config *pgconn.Config, cred Credential) {
	config.User, config.Password = cred.User, cred.Password.Reveal()
}

// open returns the entry of an id, opening it once however many ask; a caller's cancel ends only its own wait.
func (c *Client) open(ctx context.Context, id string) (*entry, error) {
	if known, ok := c.opened.Load(id); ok {
		if e := known.(*entry); !e.isAged() || c.current(ctx, id, e, nil) {
			return e, nil
		}
	}
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return nil, errClosed
	}
	e, ok := c.entries[id]
	if !ok {
		opening, cancel := context.WithCancel(context.WithoutCancel(ctx))
		e = &entry{done: make(chan struct{}), cancel: cancel}
		c.entries[id] = e
		c.closing.Go(func() {
			defer cancel()
			c.fill(opening, id, e)
		})
	}
	c.mu.Unlock()
	select {
	case <-e.done:
		return e, e.err
	case <-ctx.Done():
		return nil, about(id, StageTarget, cancelled(ctx))
	}
}

// isAged tells one of those who ask when it is time to look.
func (e *entry) isAged() bool { return e.aged.Load() && e.aged.CompareAndSwap(true, false) }

// fill opens an entry. A failed one is forgotten, so that the next caller tries again.
func (c *Client) fill(ctx context.Context, id string, e *entry) {
	defer close(e.done)
	e.err = c.build(ctx, id, e)
	c.mu.Lock()
	defer c.mu.Unlock()
	switch e.ready = e.err == nil; {
	case c.entries[id] != e:
	case e.ready:
		c.opened.Store(id, e)
	default:
		delete(c.entries, id)
	}
}

func (c *Client) build(ctx context.Context, id string, e *entry) error {
	conn, err := c.Get(ctx, id)
	if err != nil {
		return err
	}
	if e.asked, err = conn.Target(); err != nil {
		return about(id, StageTarget, err)
	}
	e.made, _ = c.read(ctx, id, e.asked) // before it is resolved: what changes from here on is seen by the next look
	e.made[0] = conn
	if e.target, err = c.complete(ctx, e.asked); err != nil {
		return err
	}
	e.route = c.route(e.target)
	if e.config, err = c.pgConfig(e.target, e.route); err != nil {
		return about(id, StageTarget, err)
	}
	e.source = c.creds.source(e.target)
	e.config.BeforeConnect = func(ctx context.Context, config *pgx.ConnConfig) error {
		cred, err := e.source.get(ctx)
		if err == nil {
			setCredential(&config.Config, cred)
		}
		return err
	}
	e.config.AfterConnect = func(ctx context.Context, conn *pgx.Conn) error { return e.target.set(ctx, conn.PgConn()) }
	e.config.ConnConfig.Tracer = e.source.tracer(c.cfg.Tracer)
	e.look = time.AfterFunc(lookAgain, func() { e.aged.Store(true) })
	return nil
}

// resolve understands a connection and completes it with what only AWS knows.
func (c *Client) resolve(ctx context.Context, conn Connection) (Target, error) {
	t, err := conn.Target()
	if err != nil {
		return t, about(conn.ID, StageTarget, err)
	}
	return c.complete(ctx, t)
}

func (c *Client) complete(ctx context.Context, t Target) (_ Target, err error) {
	id := t.ID
	if c.cfg.Resolve != nil {
		t, err = c.cfg.Resolve(ctx, t)
	} else if t.Region == "" && t.endpoint.Region != "" {
		t.Region, t.RegionFrom = t.endpoint.Region, "endpoint name"
	}
	if err != nil {
		return t, about(id, StageEndpoint, c.nearest(ctx, t.AWSConnID, err))
	}
	if t.Port == 0 {
		t.Port = t.Engine.defaultPort()
	}
	switch {
	case t.Host == "" && t.Refused != "": // and so nobody looked it up
		_, err = c.creds.login(t)
		return t, err
	case t.Host == "":
		return t, &Error{ID: id, Stage: StageEndpoint, Kind: ErrInvalid, Err: errors.New("the host is missing and nothing looks it up"), Hint: "set host to the endpoint"}
	}
	t.endpoint = endpoint.Parse(t.Host) // it may have been looked up
	return t, nil
}

// Close closes every pool and credential, and waits for sessions that are in use to be returned.
func (c *Client) Close() {
	c.mu.Lock()
	c.closed = true
	for id, e := range c.entries {
		e.cancel()
		c.remove(id, e)
	}
	c.mu.Unlock()
	c.creds.values.Close() // first, so that sessions which are just being opened do not wait for AWS
	c.closing.Wait()
	if c.cfg.OnClose != nil {
		c.cfg.OnClose()
	}
}
