package gateway

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Roles reads and makes the roles of an instance's server, as its superuser.
type Roles struct {
	pool *pgxpool.Pool

	mu       sync.Mutex
	settings map[string]bool

	joining sync.Mutex         // held while memberships change
	joined  map[membership]int // sessions that have each of those that we made
}

// NewRoles returns the roles of the server that pool belongs to. The caller keeps the pool open, and closes it.
func NewRoles(pool *pgxpool.Pool) *Roles { return &Roles{pool: pool, joined: map[membership]int{}} }

// role is what a login depends on.
type role struct {
	known     bool // and may log in
	superuser bool
	iam       bool   // a member of rds_iam, directly or not
	verifier  string // what pg_authid keeps of the password
}

// find looks a role up. rds_iam is only on RDS instances; elsewhere nobody is a member.
func (r *Roles) find(ctx context.Context, name string) (role, error) {
	const query = `SELECT rolcanlogin, rolsuper, coalesce(rolpassword, ''),
		EXISTS (WITH RECURSIVE up(id) AS (SELECT a.oid UNION SELECT m.roleid FROM pg_auth_members m JOIN up ON m.member = up.id)
			SELECT FROM up JOIN pg_roles g ON g.oid = up.id WHERE g.rolname = 'rds_iam' AND g.oid <> a.oid)
		FROM pg_authid a WHERE rolname = $1`
	var found role
	err := r.pool.QueryRow(ctx, query, name).Scan(&found.known, &found.superuser, &found.verifier, &found.iam)
	if errors.Is(err, pgx.ErrNoRows) {
		return role{}, nil
	}
	if err != nil {
		return role{}, fmt.Errorf("look up role %q: %w", name, err)
	}
	return found, nil
}

// create makes a role without a password, as Redshift's AutoCreate does. One that another session has just made is
// fine.
func (r *Roles) create(ctx context.Context, name string) error {
	_, err := r.pool.Exec(ctx, "CREATE ROLE "+pgx.Identifier{name}.Sanitize()+" LOGIN")
	var state interface{ SQLState() string }
	if errors.As(err, &state) && state.SQLState() == "42710" { // duplicate_object
		return nil
	}
	if err != nil {
		return fmt.Errorf("create role %q: %w", name, err)
	}
	return nil
}

// known reports whether PostgreSQL takes a startup parameter: it refuses what it does not know, and Redshift's drivers
// send a handful of those.
func (r *Roles) knows(ctx context.Context, setting string) (bool, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.settings == nil {
		rows, err := r.pool.Query(ctx, "SELECT lower(name) FROM pg_settings WHERE context IN ('user', 'backend')")
		if err != nil {
			return false, fmt.Errorf("list the settings: %w", err)
		}
		names, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			return false, fmt.Errorf("list the settings: %w", err)
		}
		settings := map[string]bool{}
		for _, name := range names {
			settings[name] = true
		}
		r.settings = settings
	}
	return r.settings[setting], nil
}
