package airhook

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"maps"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/airhook-go/airhook/internal/endpoint"
	"github.com/airhook-go/airhook/internal/files"
	"github.com/airhook-go/airhook/internal/hermetic"
	"github.com/airhook-go/airhook/internal/notice"
	"github.com/airhook-go/airhook/internal/roots"
)

const (
	maxConns        = 64 // sessions of one id; opened only when asked for
	maxConnLifetime = time.Hour
	cancelWait      = 5 * time.Second // how long a cancelled statement may take to end before the session is cut
	keepaliveIdle   = 30 * time.Second
)

// pgConfig turns a target into a pool config without a password. It is the only place that does.
func (c *Client) pgConfig(t Target) (*pgxpool.Config, error) {
	config, err := hermetic.Config()
	if err != nil {
		return nil, fmt.Errorf("prepare a session: %w", err)
	}
	route, routed := c.route(t)
	secure, err := tlsConfig(t, route)
	if err != nil {
		return nil, err
	}
	cc := config.ConnConfig
	cc.Host, cc.Port, cc.User, cc.Database, cc.Password = t.Host, uint16(t.Port), t.User, t.Database, ""
	maps.Copy(cc.RuntimeParams, t.RuntimeParams)
	cc.TLSConfig, cc.Fallbacks = tlsRoads(t, secure)
	cc.ConnectTimeout = t.ConnectTimeout
	cc.LookupFunc = func(_ context.Context, host string) ([]string, error) { return []string{host}, nil } // DialFunc resolves, within the same time limit
	cc.DialFunc = c.dialer(t, route, routed)
	cc.BuildContextWatcherHandler = func(conn *pgconn.PgConn) ctxwatch.Handler {
		return &pgconn.CancelRequestContextWatcherHandler{Conn: conn, DeadlineDelay: cancelWait}
	}
	cc.OnNotice = notice.Tell
	hermetic.Apply(&cc.Config, t.libpq)
	if t.Engine == Redshift {
		cc.DefaultQueryExecMode = pgx.QueryExecModeExec // text results, and nothing prepared that DDL could stale
		cc.StatementCacheCapacity, cc.DescriptionCacheCapacity = 0, 0
	}
	config.MaxConns, config.MinConns = maxConns, 0
	config.MaxConnLifetime, config.MaxConnLifetimeJitter = maxConnLifetime, maxConnLifetime/10
	return config, nil
}

// tlsRoads is the first way to try and, for libpq's allow and prefer, the other one.
func tlsRoads(t Target, secure *tls.Config) (*tls.Config, []*pgconn.FallbackConfig) {
	other := []*pgconn.FallbackConfig{{Host: t.Host, Port: uint16(t.Port)}}
	switch {
	case t.TLS.Mode == "disable" || strings.HasPrefix(t.Host, "/"):
		return nil, nil
	case t.TLS.Mode == "allow":
		other[0].TLSConfig = secure
		return nil, other
	case t.TLS.Mode == "prefer":
		return secure, other
	}
	return secure, nil
}

func (c *Client) route(t Target) (Route, bool) {
	if c.cfg.Route == nil {
		return Route{}, false
	}
	return c.cfg.Route(endpoint.CanonicalHost(t.Host), t.Port)
}

// dialer opens the network connection: by the route, by the target's address, or by name. pgconn gives it one name
// and one deadline, so that DNS, every address and TLS share the target's time limit.
func (c *Client) dialer(t Target, route Route, routed bool) pgconn.DialFunc {
	dial := c.cfg.DialFunc
	if dial == nil {
		dial = (&net.Dialer{KeepAliveConfig: keepaliveConfig(t.Keepalive)}).DialContext
	}
	_, named := pgconn.NetworkAddress(t.Host, uint16(t.Port))
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		if address == named { // a cancel request dials the session's own address instead
			address = c.address(t, route, routed, address)
		}
		return dial(ctx, network, address)
	}
}

func (c *Client) address(t Target, route Route, routed bool, named string) string {
	switch {
	case routed:
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

// tlsConfig says what the server must prove.
func tlsConfig(t Target, route Route) (*tls.Config, error) {
	pool, err := rootPool(t, route)
	if err != nil {
		return nil, err
	}
	host := strings.TrimSuffix(t.Host, ".")
	config := &tls.Config{MinVersion: max(tls.VersionTLS12, t.TLS.MinVersion), MaxVersion: t.TLS.MaxVersion, ServerName: host, RootCAs: pool}
	if t.Engine == Redshift {
		config.Renegotiation = tls.RenegotiateFreelyAsClient // Redshift renegotiates long sessions; pgx has no setting for it
	}
	if t.libpq["sslnegotiation"] == "direct" {
		config.NextProtos = []string{"postgresql"} // without it a server takes a direct handshake for a mistake
	}
	switch t.TLS.Mode {
	case "verify-full":
	case "verify-ca":
		config.InsecureSkipVerify = true // #nosec G402 -- the chain is checked below, the name is not: that is verify-ca
		config.VerifyConnection = roots.VerifyChain(pool)
	default:
		config.InsecureSkipVerify = true // #nosec G402 -- what sslmode=require means to libpq, and somebody asked for it
		if t.TLS.RootCert != "" {        // as libpq: with a root certificate, require checks the chain
			config.VerifyConnection = roots.VerifyChain(pool)
		}
	}
	if t.TLS.Cert == "" {
		return config, nil
	}
	cert, err := files.Read(t.TLS.Cert)
	key, unread := files.Read(t.TLS.Key)
	pair, mismatch := tls.X509KeyPair(cert, key)
	if err = cmp.Or(err, unread, mismatch); err != nil {
		return nil, &Error{ID: t.ID, Stage: StageTarget, Kind: ErrInvalid, Hint: "check sslcert and sslkey; the key must be readable without a passphrase", Err: fmt.Errorf("read the client certificate: %w", err)}
	}
	config.Certificates = []tls.Certificate{pair}
	return config, nil
}

// rootPool is whom we trust: the route's roots alone, the file, the system's, or AWS's (for AWS's names) and the
// system's with AWS's (for others: tunnels, custom domains).
func rootPool(t Target, route Route) (*x509.CertPool, error) {
	switch {
	case route.Roots != nil:
		return route.Roots, nil
	case t.TLS.RootCert == "system":
		return x509.SystemCertPool()
	case t.TLS.RootCert != "":
		pool, err := roots.File(t.TLS.RootCert)
		if err != nil {
			return nil, &Error{ID: t.ID, Stage: StageTarget, Kind: ErrInvalid, Hint: "sslrootcert names a PEM file, or is system", Err: fmt.Errorf("read sslrootcert: %w", err)}
		}
		return pool, nil
	case t.endpoint.Service != "":
		return roots.AWS(), nil
	}
	return roots.System(), nil
}
