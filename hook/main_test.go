package hook

import (
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/airhook-go/airhook/airhooktest"
)

func TestMain(m *testing.M) { airhooktest.Main(m) }

func tags(text string) []pgconn.CommandTag { return []pgconn.CommandTag{pgconn.NewCommandTag(text)} }
