package suggest_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/airhook-go/airhook/internal/suggest"
)

func TestNearestComesFirst(t *testing.T) {
	known := []string{"cluster-identifier", "iam", "lake", "warehouse", "warehouse_eu", "warehouse_x", "warehouse_yz"}
	for word, want := range map[string][]string{
		"warehuose":         {"warehouse", "warehouse_x"}, // neighbours swapped are one mistake
		"WAREHOUSE_Y":       {"warehouse_x", "warehouse_yz", "warehouse"},
		"cluster-identifer": {"cluster-identifier"},
		"ware":              {"warehouse", "warehouse_x", "warehouse_eu"}, // a beginning counts, the shortest first
		"aim":               {"iam"},
		"something else":    nil,
		"":                  nil,
	} {
		if got := suggest.Nearest(word, known); !slices.Equal(got, want) {
			t.Errorf("%q: got %q, want %q", word, got, want)
		}
	}
}

func TestLongWordsCostNothing(t *testing.T) {
	long := strings.Repeat("é", 1<<22)
	if got := suggest.Nearest(long, []string{"lake", long}); got != nil {
		t.Errorf("%d words are near to a long one", len(got))
	}
	if got := suggest.Nearest("lake", []string{long, "lake_x"}); !slices.Equal(got, []string{"lake_x"}) {
		t.Errorf("beside a long one: got %d words", len(got))
	}
	for word, want := range map[string]string{"lake": "lake", "x" + long: "x" + long[:98] + "…"} {
		if got := suggest.Short(word); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
