package airhook

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/airhook-go/airhook/internal/mask"
	"github.com/airhook-go/airhook/internal/reach"
)

// rejected reports whether the database refused this user's credential, by SQLSTATE.
func rejected(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && reach.Rejected(pg)
}

// explainFailure turns what stopped a session from opening into an *Error; Config.Refused says more.
func (c *Client) explainFailure(ctx context.Context, t Target, err error) error {
	e := failure(t, err)
	if ctx.Err() != nil {
		c := cancelled(ctx)
		c.ID, c.Stage = t.ID, e.Stage
		return c
	}
	if c.cfg.Refused != nil {
		c.cfg.Refused(ctx, t, e)
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
	e := &Error{ID: t.ID}
	var pg *pgconn.PgError
	switch {
	case errors.Is(err, context.Canceled):
		e.Kind, e.Err = ErrCancelled, errors.New("cancelled")
	case errors.As(err, &pg):
		loginFailure(e, t, err, pg)
	default:
		road := reach.Road{Host: mask.Field(t.Host), Port: t.Port, TLSMode: string(t.TLS.Mode), Plain: t.Method == MethodPassword, Timeout: t.ConnectTimeout}
		if t.endpoint.Service == "rds" {
			road.Region = t.endpoint.Region
		}
		cause := reach.Explain(err, road)
		e.Stage, e.Kind, e.Err, e.Hint = Stage(cause.Stage), ErrUnreachable, cause.Err, cause.Hint
		if e.Stage == StageTLS {
			e.Kind = ErrTLS
		}
	}
	return e
}

// loginFailure tells why the database itself let nobody in.
func loginFailure(e *Error, t Target, err error, pg *pgconn.PgError) {
	login := reach.Login{User: t.User, Database: t.Database, Password: t.Method == MethodPassword, Redshift: t.Engine == Redshift, TLSMode: string(t.TLS.Mode)}
	if t.Method == MethodRDS {
		login.Token = fmt.Sprintf("%s:%d", t.SignHost, t.SignPort)
	}
	var connect *pgconn.ConnectError
	if errors.As(err, &connect) {
		login.User = connect.Config.User // AWS named it, where the connection doesn't
	}
	cause := login.Refused(pg)
	e.Stage, e.Kind, e.SQLState, e.Err, e.Hint = StageLogin, ErrLogin, pg.Code, cause.Err, cause.Hint
	if len(t.Warnings) > 0 && reach.Rejected(pg) {
		e.Hint = "look at this first: " + strings.Join(t.Warnings, "; ") + ". Else: " + e.Hint
	}
}
