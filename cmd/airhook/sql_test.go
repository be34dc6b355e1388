package main

import (
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/airhook-go/airhook"
)

func TestPosition(t *testing.T) {
	for _, c := range []struct {
		statement    string
		at           int
		line, column int
	}{
		{"SELECT x", 8, 1, 8},
		{"SELECT\n  x", 10, 2, 3},
		{"é, x", 4, 1, 4},
		{"a\n\nb", 4, 3, 1},
		{"SELECT", 7, 1, 7}, // the end, where something is missing
		{"", 1, 1, 1},
	} {
		if line, column := position(c.statement, c.at); line != c.line || column != c.column {
			t.Errorf("%q, character %d: line %d, column %d, want %d and %d", c.statement, c.at, line, column, c.line, c.column)
		}
	}
}

func TestAServersErrorSaysWhereAndWhatNext(t *testing.T) {
	s := &sqlRun{id: "pg", at: 2, total: 3}
	err := s.failed("SELECT\n  nme", &pgconn.PgError{Code: "42703", Message: `column "nme" does not exist`, Hint: `Perhaps you meant "name".`, Position: 10, Detail: "a detail"})
	var e *airhook.Error
	if !errors.As(err, &e) || !errors.Is(err, airhook.ErrSQL) || e.SQLState != "42703" || e.Stage != airhook.StageQuery || e.Hint != `Perhaps you meant "name".` {
		t.Errorf("got %#v", err)
	}
	want := `connection "pg": statement 2 of 3: column "nme" does not exist (line 2, column 3): a detail (SQLSTATE 42703)`
	if err.Error() != want {
		t.Errorf("got %q, want %q", err, want)
	}
	if err := s.failed("", io.ErrUnexpectedEOF); !errors.Is(err, airhook.ErrUnreachable) || !strings.Contains(err.Error(), "the session broke") {
		t.Errorf("a cut session is %v", err)
	}
}

func TestExplanationsForPeople(t *testing.T) {
	for _, c := range [][3]string{{"us-east-1", "endpoint name", "us-east-1 (endpoint name)"}, {"us-east-1", "", "us-east-1"}, {"", "default chain", ""}, {"", "", ""}} {
		if got := because(c[0], c[1]); got != c[2] {
			t.Errorf("because(%q, %q) is %q, want %q", c[0], c[1], got, c[2])
		}
	}
	same := airhook.Explanation{Host: "h", Port: 5432, SignHost: "h", SignPort: 5432}
	if got := signedFor(same); got != "" {
		t.Errorf("signed for the host itself: %q", got)
	}
	same.Host = "localhost"
	if got := signedFor(same); got != "h:5432" {
		t.Errorf("signed for another: %q", got)
	}
}
