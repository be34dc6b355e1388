package airhook

import (
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"maps"
	"net"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/airhook-go/airhook/internal/endpoint"
	"github.com/airhook-go/airhook/internal/fresh"
	"github.com/airhook-go/airhook/internal/handshake"
	"github.com/airhook-go/airhook/internal/hermetic"
	"github.com/airhook-go/airhook/internal/notice"
)

const (
	maxConns        = 64 // sessions of one id; opened only when asked for
	maxConnLifetime = time.Hour
	cancelWait      = 5 * time.Second // how long a cancelled statement may take to end before the session is cut
	keepaliveIdle   = 30 * time.Second
)

// pgConfig turns a target into a pool config without a password. It is the only place that does.
func (c *Client) pgConfig(t Target, route *Route) (*pgxpool.Config, error) {
	config, err := hermetic.Config()
	if err != nil {
		return nil, fmt.Errorf("prepare a session: %w", err)
	}
	cc := config.ConnConfig
	cc.Host, cc.Port, cc.User, cc.Database, cc.Password = t.Host, uint16(t.Port), t.User, t.Database, ""
	maps.Copy(cc.RuntimeParams, t.RuntimeParams)
	if cc.TLSConfig, cc.Fallbacks, err = t.wants(route).Roads(); err != nil {
		return nil, t.badTLS(err)
	}
	cc.ConnectTimeout = t.ConnectTimeout
	cc.LookupFunc = func(_ context.Context, host string) ([]string, error) { return []string{host}, nil } // DialFunc resolves, within the same time limit
	cc.DialFunc = c.dialer(t, route)
	cc.BuildContextWatcherHandler = func(conn *pgconn.PgConn) ctxwatch.Handler {
		return &pgconn.CancelRequestContextWatcherHandler{Conn: conn, DeadlineDelay: cancelWait}
	}
	cc.OnNotice = notice.Tell
	hermetic.Apply(&cc.Config, t.libpq)
	if t.Engine == Redshift {
		cc.DefaultQueryExecMode = pgx.QueryExecModeExec // text results, and nothing prepared that DDL could stale
		cc.StatementCacheCapacity, cc.DescriptionCacheCapacity = 0, 0
	}
	config.PrepareConn = fresh.Take
	config.MaxConns, config.MinConns = maxConns, 0
	config.MaxConnLifetime, config.MaxConnLifetimeJitter = maxConnLifetime, maxConnLifetime/10
	return config, nil
}

// Route is another way to a host: the address to dial and the only roots to trust there.
type Route struct {
	Address string
	Roots   *x509.CertPool
}

// route returns how a target is reached; nil is by DNS.
func (c *Client) route(t Target) *Route {
	if c.cfg.Route == nil {
		return nil
	}
	if route, ok := c.cfg.Route(endpoint.CanonicalHost(t.Host), t.Port); ok {
		return &route
	}
	return nil
}

func (r *Route) same(other *Route) bool {
	if r == nil || other == nil {
		return r == other
	}
	return r.Address == other.Address && r.Roots.Equal(other.Roots)
}

// dialer opens the network connection: by the route, by the target's address, or by name. pgconn gives it one name
// and one deadline, so that DNS, every address and TLS share the target's time limit.
func (c *Client) dialer(t Target, route *Route) pgconn.DialFunc {
	dial := c.cfg.DialFunc
	if dial == nil {
		dial = (&net.Dialer{KeepAliveConfig: keepaliveConfig(t.Keepalive)}).DialContext
	}
	_, named := pgconn.NetworkAddress(t.Host, uint16(t.Port))
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		if address == named { // a cancel request dials the session's own address instead
			address = t.address(route, address)
		}
		return dial(ctx, network, address)
	}
}

func (t Target) address(route *Route, named string) string {
	switch {
	case route != nil:
		return route.Address
	case t.Address != "":
		return net.JoinHostPort(t.Address, strconv.Itoa(t.Port))
	}
	return named
}

func keepaliveConfig(k Keepalive) net.KeepAliveConfig {
	// Load balancers before Redshift cut what is silent for 350 seconds.
	return net.KeepAliveConfig{Enable: !k.Off, Idle: cmp.Or(k.Idle, keepaliveIdle), Interval: k.Interval, Count: k.Count}
}

// wants says what the server must prove.
func (t Target) wants(route *Route) handshake.Wants {
	w := handshake.Wants{
		Host: t.Host, Port: uint16(t.Port), Mode: string(t.TLS.Mode), RootCert: t.TLS.RootCert, Cert: t.TLS.Cert, Key: t.TLS.Key, MinVersion: t.TLS.MinVersion, MaxVersion: t.TLS.MaxVersion,
		AWS: t.endpoint.Service != "", Secret: t.Method == MethodRDS || t.Method == MethodRedshift || t.Method == MethodRedshiftServerless,
		Renegotiates: t.Engine == Redshift, Direct: t.libpq["sslnegotiation"] == "direct", // pgx has no setting for the first
	}
	if route != nil {
		w.Roots = route.Roots
	}
	return w
}

func (t Target) badTLS(err error) error {
	hint := "sslrootcert names a PEM file, or is system; sslcert and sslkey name PEM files, and the key must be readable without a passphrase"
	if errors.Is(err, handshake.ErrClear) {
		hint = "set host to the endpoint, and sslmode to require or stricter"
	}
	return &Error{ID: t.ID, Stage: StageTarget, Kind: ErrInvalid, Err: err, Hint: hint}
}
