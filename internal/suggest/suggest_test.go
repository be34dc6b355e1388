package suggest_test

import (
	"slices"
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
