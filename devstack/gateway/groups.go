package gateway

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
)

// groupsOf are the groups that the name of a temporary password's user ends in: IAM:name:group,group. It was made by
// GetClusterCredentials, and the password is good for it alone.
func groupsOf(user, role string) []string {
	if _, groups, found := strings.Cut(user, ":"+role+":"); found && groups != "" {
		return strings.Split(groups, ",")
	}
	return nil
}

// membership is one that a session has for its time.
type membership struct{ role, group string }

// join makes a role a member of groups until leave, in addition to those that it belongs to; there is nothing to join where
// no group has that name. PostgreSQL's memberships are a role's and not a session's: other sessions of the role that run
// meanwhile have them too.
//
// https://docs.aws.amazon.com/redshift/latest/APIReference/API_GetClusterCredentials.html
func (r *Roles) join(ctx context.Context, role string, groups []string) (leave func(context.Context) error, err error) {
	var joined []membership
	leave = func(ctx context.Context) error { return r.leave(ctx, joined) }
	if len(groups) == 0 {
		return leave, nil
	}
	r.joining.Lock()
	defer r.joining.Unlock()
	for _, group := range groups {
		m := membership{role, group}
		if r.joined[m] == 0 {
			may, err := r.mayJoin(ctx, m)
			if err == nil && may {
				_, err = r.pool.Exec(ctx, "GRANT "+m.names("TO"))
			}
			if err != nil {
				return leave, fmt.Errorf("join group %q: %w", group, err)
			}
			if !may {
				continue
			}
		}
		r.joined[m]++
		joined = append(joined, m)
	}
	return leave, nil
}

// mayJoin says whether there is such a group, and the role is none of its members.
func (r *Roles) mayJoin(ctx context.Context, m membership) (bool, error) {
	const query = `SELECT NOT EXISTS (SELECT FROM pg_auth_members m JOIN pg_roles u ON u.oid = m.member WHERE m.roleid = g.oid AND u.rolname = $2)
		FROM pg_roles g WHERE g.rolname = $1 AND NOT g.rolcanlogin AND NOT g.rolsuper AND g.rolname NOT LIKE 'pg\_%'`
	var may bool
	err := r.pool.QueryRow(ctx, query, m.group, m.role).Scan(&may)
	if errors.Is(err, pgx.ErrNoRows) {
		return false, nil
	}
	return may, err
}

func (r *Roles) leave(ctx context.Context, joined []membership) error {
	if len(joined) == 0 {
		return nil
	}
	r.joining.Lock()
	defer r.joining.Unlock()
	var errs []error
	for _, m := range joined {
		if r.joined[m]--; r.joined[m] > 0 {
			continue
		}
		delete(r.joined, m)
		if _, err := r.pool.Exec(ctx, "REVOKE "+m.names("FROM")); err != nil {
			errs = append(errs, fmt.Errorf("leave group %q: %w", m.group, err))
		}
	}
	return errors.Join(errs...)
}

func (m membership) names(word string) string {
	return pgx.Identifier{m.group}.Sanitize() + " " + word + " " + pgx.Identifier{m.role}.Sanitize()
}
