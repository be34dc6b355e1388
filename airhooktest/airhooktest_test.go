package airhooktest

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/airhook-go/airhook"
)

func TestMain(m *testing.M) { Main(m) }

func TestMemoryKeepsTheContract(t *testing.T) {
	RegistryContract(t, func(_ testing.TB, conns ...airhook.Connection) airhook.Registry { return Registry(conns...) })
}

func TestChainKeepsTheContract(t *testing.T) {
	RegistryContract(t, func(_ testing.TB, conns ...airhook.Connection) airhook.Registry {
		return airhook.Chain(readOnly{Registry()}, Registry(conns...))
	})
}

// readOnly hides what else a registry can do.
type readOnly struct{ airhook.Registry }

func TestALoginKeepsTheContract(t *testing.T) {
	LoginContract(t, func(ctx context.Context, target airhook.Target) (airhook.Credential, error) {
		if ctx.Err() != nil {
			return airhook.Credential{}, ctx.Err()
		}
		return airhook.Credential{User: target.User, Password: airhook.NewSecret("x" + canary)}, nil
	}, airhook.Target{User: "app"})
}

func TestEachTestHasADatabaseOfItsOwn(t *testing.T) {
	t.Parallel()
	var name string
	t.Run("inside", func(t *testing.T) {
		a, b := Postgres(t), Postgres(t)
		if a.Schema == b.Schema {
			t.Errorf("two databases are both called %q", a.Schema)
		}
		name = a.Schema
		if err := execute(t.Context(), Client(t, a), "CREATE TABLE t (i int)"); err != nil {
			t.Error(err)
		}
		if err := execute(t.Context(), Client(t, b), "CREATE TABLE t (i int)"); err != nil {
			t.Error(err)
		}
	})
	if name == "" {
		t.Skip("no PostgreSQL")
	}
	after := Postgres(t)
	after.Schema = name
	_, err := Client(t, after).Acquire(t.Context(), ID)
	var e *airhook.Error
	if !errors.As(err, &e) || e.SQLState != "3D000" {
		t.Errorf("after the test its database answers with %v, want that it is gone", err)
	}
}

func TestURLsBecomeConnections(t *testing.T) {
	got, err := fromURL("postgresql://me:p%40ss@db.example.com:6543/shop?sslmode=require")
	if err != nil {
		t.Fatal(err)
	}
	if got.Host != "db.example.com" || got.Port != 6543 || got.Login != "me" || got.Schema != "shop" ||
		got.Password.Reveal() != "p@ss" || got.Extra.Reveal() != `{"sslmode":"require"}` {
		t.Errorf("got %v", got)
	}
	if got, err = fromURL("postgresql:///?host=/run/postgresql"); err != nil || got.Host != "/run/postgresql" || got.Schema != "postgres" {
		t.Errorf("of a socket: %v, %v", got, err)
	}
	if _, err = fromURL("mysql://me:hidden@x"); err == nil || strings.Contains(err.Error(), "hidden") {
		t.Errorf("of another scheme: %v", err)
	}
}

func TestScriptPlaysAnExchange(t *testing.T) {
	t.Parallel()
	conn := Script(t, AskPassword(func(user, password string) bool { return user == "app" && password == "scripted" }), Welcome(),
		Answer(Reply{Columns: []string{"a", "b"}, Rows: [][]string{{"1", "2"}, {"3", "4"}}}),
		Answer(Reply{SQLState: "42P01", Message: "no such table"}),
		Answer(Reply{Tag: "DELETE 7"}),
		Answer(Reply{Columns: []string{"a"}, Rows: [][]string{{"x"}}, Before: Cut()}),
	)
	session, err := Client(t, conn).Acquire(t.Context(), conn.ID)
	if err != nil {
		t.Fatal(err)
	}
	defer session.Release()
	rows, _ := session.Query(t.Context(), "SELECT a, b FROM t")
	got, err := pgx.CollectRows(rows, pgx.RowToMap)
	if err != nil || len(got) != 2 || got[1]["b"] != "4" {
		t.Errorf("rows: %v, %v", got, err)
	}
	var pg *pgconn.PgError
	if _, err = session.Exec(t.Context(), "SELECT"); !errors.As(err, &pg) || pg.Code != "42P01" {
		t.Errorf("error: %v", err)
	}
	if tag, err := session.Exec(t.Context(), "DELETE FROM t"); err != nil || tag.RowsAffected() != 7 {
		t.Errorf("tag: %q, %v", tag, err)
	}
	rows, _ = session.Query(t.Context(), "SELECT a FROM t")
	if got, err := pgx.CollectRows(rows, pgx.RowTo[string]); err == nil {
		t.Errorf("cut: got %v and no error", got)
	}
}

func TestScriptRefusesALogin(t *testing.T) {
	t.Parallel()
	conn := Script(t, Refuse("28000", "PAM authentication failed"))
	if _, err := Client(t, conn).Acquire(t.Context(), conn.ID); !errors.Is(err, airhook.ErrLogin) {
		t.Errorf("got %v, want login refused", err)
	}
}

func TestScriptThatStaysSilentEndsWithTheTest(t *testing.T) {
	t.Parallel()
	conn := Script(t, Wait(nil))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Client(t, conn).Acquire(ctx, conn.ID); !errors.Is(err, airhook.ErrCancelled) {
		t.Errorf("got %v, want cancelled", err)
	}
}
