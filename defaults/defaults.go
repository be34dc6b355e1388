package defaults

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"

	"github.com/jackc/pgx/v5"

	"github.com/airhook-go/airhook"
	"github.com/airhook-go/airhook/airflow"
	"github.com/airhook-go/airhook/aws/iam"
	"github.com/airhook-go/airhook/aws/session"
)

// Options says where things are. The zero value is what the environment says.
type Options struct {
	// Home is the folder of everything that airhook keeps; "" is [Home].
	Home   string
	Logger *slog.Logger
	Tracer pgx.QueryTracer
	// Warn hears, once, what a person should know of the dev stack that AIRHOOK_DEV_DIR names; nil: Logger does.
	Warn func(text string)
}

// Setup is a client and what it was built from.
type Setup struct {
	Client *airhook.Client
	// Store is the embedded store, the place that Client.Put writes to.
	Store *airflow.Store
	// Home is the folder of the store; "" is unknown, and then the store answers with the reason.
	Home string
	// Logins are the AWS logins of the client, for what is asked of them beside logging in: the policies.
	Logins *iam.Logins

	closeStore func() error
}

// Client returns a client with the defaults of the binary. It opens nothing yet. Where no home folder is known, the
// connections of the environment work all the same, and only what needs the store is an error. Close it when done.
func Client(ctx context.Context) (*airhook.Client, error) {
	s, err := Open(ctx, Options{})
	if err != nil {
		return nil, err
	}
	return s.Client, nil
}

// Open is Client with options and with access to the store.
func Open(_ context.Context, o Options) (*Setup, error) {
	var homeless error
	usual := "" // the home folder when nobody chose another one
	if o.Home == "" {
		o.Home, homeless = Home()
		usual = o.Home
	}
	store, err := airflow.OpenStore(airflow.StoreConfig{Dir: o.Home, DirErr: homeless, FernetKeys: os.Getenv("AIRFLOW__CORE__FERNET_KEY")})
	if err != nil {
		return nil, err
	}
	registry := airhook.Chain(airflow.Env{}, store)
	closeStore := sync.OnceValue(store.Close)
	logins := iam.New(&session.Resolver{Registry: registry})
	logins.Logger = o.Logger
	devDir := os.Getenv("AIRHOOK_DEV_DIR")
	client, err := airhook.New(airhook.Config{
		Registry: registry, Logins: logins.Logins(), Resolve: logins.Resolve, Identify: logins.Identify,
		Refused: func(ctx context.Context, t airhook.Target, e *airhook.Error) {
			logins.Refused(ctx, t, e)
			devHint(devDir, usual, t, e)
		},
		Route: devRoute(devDir, o.warn), Logger: o.Logger, Tracer: o.Tracer,
		OnClose: func() {
			logins.Close()
			_ = closeStore()
		},
	})
	if err != nil {
		return nil, err
	}
	return &Setup{Client: client, Store: store, Home: o.Home, Logins: logins, closeStore: closeStore}, nil
}

func (o Options) warn(text string) {
	switch {
	case o.Warn != nil:
		o.Warn(text)
	case o.Logger != nil:
		o.Logger.Warn("the dev stack does not answer for a connection", slog.String("why", text))
	}
}

// Close closes the client and the store, as closing the client does, and says what closing the store said.
func (s *Setup) Close() error {
	s.Client.Close()
	return s.closeStore()
}

// Home is $AIRHOOK_HOME, else airhook below $XDG_DATA_HOME, else ~/.local/share/airhook.
func Home() (string, error) {
	if home := os.Getenv("AIRHOOK_HOME"); home != "" {
		return filepath.Abs(home)
	}
	if data := os.Getenv("XDG_DATA_HOME"); filepath.IsAbs(data) {
		return filepath.Join(data, "airhook"), nil
	}
	user, err := os.UserHomeDir()
	if err != nil {
		return "", &airhook.Error{Kind: airhook.ErrInvalid, Err: fmt.Errorf("find the home folder: %w", err), Hint: "set AIRHOOK_HOME"}
	}
	return filepath.Join(user, ".local", "share", "airhook"), nil
}
