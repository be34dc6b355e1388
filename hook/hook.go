package hook

import (
	"context"
	"errors"
	"log/slog"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/airhook-go/airhook"
)

// Hook runs SQL through one named connection. It holds no session between calls, is safe for concurrent use, and lives
// as long as its client. A SET that it ran, in Run or any other verb, holds for its later calls and for nobody else.
type Hook struct {
	client   *airhook.Client
	id       string
	options  Options
	settings *settings
}

// Options change how a hook works; the zero value is Airflow's default.
type Options struct {
	// Autocommit makes Run leave out its transaction, so that each statement takes effect by itself: VACUUM and CREATE
	// DATABASE run no other way.
	Autocommit bool
	// OnNotice gets what the server says beside the result (RAISE NOTICE, warnings), while the statement runs; it must not
	// touch that statement's rows or session, and a panic of it ends the session. nil: notices go to Logger.
	OnNotice func(*pgconn.Notice)
	// Logger hears of notices, at info. It never sees SQL or parameters, which may hold secrets. nil is silent.
	Logger *slog.Logger
}

// New returns a hook for the connection of that id. It opens nothing yet.
func New(client *airhook.Client, id string) *Hook {
	return &Hook{client: client, id: id, options: Options{Logger: slog.New(slog.DiscardHandler)}, settings: &settings{}}
}

// With returns a hook like h that works by the given options. What either of the two SETs holds for both.
func (h *Hook) With(o Options) *Hook {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return &Hook{client: h.client, id: h.id, options: o, settings: h.settings}
}

// GetIAMToken returns what another program needs to log in: the database user, the token as its password, and the
// port. The token opens sessions for at most 15 minutes. A connection that logs in with a password is ErrInvalid.
func (h *Hook) GetIAMToken(ctx context.Context) (user string, token airhook.Secret, port int, err error) {
	t, err := h.client.Target(ctx, h.id)
	if err != nil {
		return "", airhook.Secret{}, 0, err
	}
	if t.Method == airhook.MethodPassword {
		return "", airhook.Secret{}, 0, &airhook.Error{
			ID: h.id, Stage: airhook.StageCredential, Kind: airhook.ErrInvalid,
			Err: errors.New("the connection logs in with a password, it has no token"), Hint: `set "iam": true in its extra`,
		}
	}
	cred, err := h.client.Credential(ctx, h.id)
	if err != nil {
		return "", airhook.Secret{}, 0, err
	}
	return cred.User, cred.Password, t.Port, nil
}
