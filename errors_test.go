package airhook_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/airhook-go/airhook"
)

func TestKindsAreTheContractsWords(t *testing.T) {
	for want, kind := range map[string]error{
		"invalid": airhook.ErrInvalid, "exists": airhook.ErrExists, "read_only": airhook.ErrReadOnly, "not_found": airhook.ErrNotFound,
		"access_denied": airhook.ErrAccessDenied, "login_refused": airhook.ErrLogin, "token_expired": airhook.ErrTokenExpired,
		"cluster_not_found": airhook.ErrClusterNotFound, "workgroup_not_found": airhook.ErrWorkgroupNotFound, "unreachable": airhook.ErrUnreachable,
		"tls": airhook.ErrTLS, "sql": airhook.ErrSQL, "cancelled": airhook.ErrCancelled,
	} {
		err := fmt.Errorf("wrapped: %w", &airhook.Error{Kind: kind, Err: errors.New("why")})
		if got := airhook.KindOf(err); got != want || !errors.Is(err, kind) {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	if got := airhook.KindOf(errors.New("x")); got != "failed" {
		t.Errorf("no kind: %q", got)
	}
	for _, other := range []error{airhook.ErrExists, airhook.ErrLogin} {
		if errors.Is(&airhook.Error{Kind: airhook.ErrInvalid}, other) {
			t.Errorf("invalid is %v", other)
		}
	}
}

// Without a cause the kind is the text, in the words that programs look for.
func TestErrorText(t *testing.T) {
	for want, e := range map[string]*airhook.Error{
		`connection "c": access denied`:       {ID: "c", Kind: airhook.ErrAccessDenied},
		`connection "c": cluster not found`:   {ID: "c", Kind: airhook.ErrClusterNotFound},
		`connection "c": workgroup not found`: {ID: "c", Kind: airhook.ErrWorkgroupNotFound},
		`connection "c": token expired`:       {ID: "c", Kind: airhook.ErrTokenExpired},
		`connection "c": why`:                 {ID: "c", Kind: airhook.ErrSQL, Err: errors.New("why")},
		`connection "c" isn't defined`:        {ID: "c", Kind: airhook.ErrNotFound, Err: errors.New(`connection "c" isn't defined`)},
		`unknown failure`:                     {},
	} {
		if got := e.Error(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
