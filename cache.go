package airhook

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/airhook-go/airhook/internal/notice"
	"github.com/airhook-go/airhook/internal/refresh"
)

const loginTimeout = 30 * time.Second

// credentials keeps one fresh credential for everything that a login reads; ids that mean the same share it.
type credentials struct {
	cfg    Config
	values refresh.Group[Credential]
}

// login returns the way to log in of a target, or why there is none.
func (c *credentials) login(t Target) (Login, error) {
	invalid := func(text, hint string) error {
		return &Error{ID: t.ID, Stage: StageCredential, Kind: ErrInvalid, Err: errors.New(text), Hint: hint}
	}
	if t.Refused != "" {
		return nil, invalid(t.Refused, "put keys into an aws connection and name it in aws_conn_id")
	}
	if t.Method == MethodPassword {
		return func(context.Context, Target) (Credential, error) {
			return Credential{User: t.User, Password: t.password}, nil
		}, nil
	}
	login, ok := c.cfg.Logins[t.Method]
	if !ok {
		return nil, invalid(fmt.Sprintf("this client has no login %s", t.Method), "build the client with package defaults, or give Config.Logins")
	}
	return login, nil
}

// source is where the sessions of one target get their credentials.
type source struct {
	id    string
	key   string                     // of the value
	fixed Credential                 // of a password
	value *refresh.Value[Credential] // of any other login; nil for a password
	err   error                      // why there is no way to log in
}

func (s *source) get(ctx context.Context) (Credential, error) {
	if s.value == nil {
		return s.fixed, s.err
	}
	cred, err := s.value.Get(ctx)
	switch {
	case err == nil:
		return cred, nil
	case ctx.Err() != nil: // only this caller's wait ended
		err = cancelled(ctx)
	case errors.Is(err, refresh.ErrClosed):
		err = errClosed
	}
	var e *Error
	errors.As(about(s.id, StageCredential, err), &e)
	e.ID = s.id // the login may have been for another id that means the same
	return Credential{}, e
}

// cancelled says that the caller gave up.
func cancelled(ctx context.Context) *Error {
	return &Error{Kind: ErrCancelled, Err: fmt.Errorf("cancelled: %w", context.Cause(ctx))}
}

// heard learns what the database said to a credential.
func (s *source) heard(cred Credential, err error) {
	switch {
	case s.value == nil:
	case err == nil:
		s.value.Took(cred)
	case rejected(err):
		s.value.Drop(cred)
	}
}

// another reports whether there may be another credential than the one that was refused, or that somebody else signed.
func (s *source) another(err error) bool {
	var refused *pgconn.ConnectError
	if errors.Is(err, refresh.ErrStale) {
		return true
	}
	if s.value == nil || !rejected(err) || !errors.As(err, &refused) {
		return false
	}
	cred, ok := s.value.Peek()
	return !ok || cred.Password.Reveal() != refused.Config.Password
}

// source returns the source of a target; targets that mean the same login share its value.
func (c *credentials) source(t Target) *source {
	login, err := c.login(t)
	if err != nil || t.Method == MethodPassword {
		return &source{id: t.ID, fixed: Credential{User: t.User, Password: t.password}, err: err}
	}
	s := &source{id: t.ID, key: t.key()}
	s.value, s.err = c.values.Use(s.key, func(ctx context.Context) (Credential, time.Time, error) {
		cred, err := login(ctx, t)
		c.cfg.Logger.Debug("asked for a credential", "conn", t.ID, "method", t.Method, "principal", cred.Principal, "expires", cred.Expires, "err", err)
		return cred, cred.Expires, err
	}, refresh.Options{Timeout: loginTimeout, Logger: c.cfg.Logger, Name: t.ID, Permanent: permanent})
	if s.err != nil {
		s.err = errClosed
	}
	return s
}

// permanent reports failures that trying again soon does not heal.
func permanent(err error) bool {
	return slices.ContainsFunc([]error{ErrInvalid, ErrNotFound, ErrAccessDenied, ErrClusterNotFound, ErrWorkgroupNotFound}, func(kind error) bool { return errors.Is(err, kind) })
}

// key holds everything that a login reads. Its parts are quoted, so that no two targets share one by accident.
func (t Target) key() string {
	return fmt.Sprintf("%q %q %d %q %q %q %q %q %q %t %t %s %q %q %q %q", t.Method, t.SignHost, t.SignPort, t.User, t.Database, t.Region, t.Cluster,
		t.Workgroup, t.DBGroups, t.AutoCreate, t.WithIAM(), t.Duration, t.AWSConnID, t.Profile, t.RoleARN, t.Principal)
}

// tracer drops a credential that the database rejected, also for sessions that the pool opens by itself, and lets the
// configured tracer see the rest.
func (s *source) tracer(theirs pgx.QueryTracer) pgx.QueryTracer {
	if s.value == nil {
		return theirs
	}
	return notice.Logins(theirs, func(password string, err error) {
		if cred, ok := s.value.Peek(); ok && cred.Password.Reveal() == password {
			s.heard(cred, err)
		}
	})
}
