package notice

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/multitracer"
)

// Logins returns a tracer that tells hear how each login with a password ended, also of sessions that a pool opens by
// itself, and lets theirs, which may be nil, see everything.
func Logins(theirs pgx.QueryTracer, hear func(password string, err error)) pgx.QueryTracer {
	if theirs == nil {
		return logins{hear}
	}
	return multitracer.New(logins{hear}, theirs)
}

type logins struct {
	hear func(password string, err error)
}

type offeredKey struct{}

// offered keeps a password from being printed with its context.
type offered struct{ password func() string }

func (logins) TraceConnectStart(ctx context.Context, data pgx.TraceConnectStartData) context.Context {
	password := data.ConnConfig.Password
	return context.WithValue(ctx, offeredKey{}, offered{func() string { return password }})
}

func (l logins) TraceConnectEnd(ctx context.Context, data pgx.TraceConnectEndData) {
	if o, ok := ctx.Value(offeredKey{}).(offered); ok {
		l.hear(o.password(), data.Err)
	}
}

func (logins) TraceQueryStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryStartData) context.Context {
	return ctx
}
func (logins) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}
