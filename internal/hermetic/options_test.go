package hermetic_test

import (
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/airhook-go/airhook/internal/hermetic"
)

// An option that is accepted and does nothing would leave out a check that somebody asked for.
func TestEveryOptionChangesTheConfig(t *testing.T) {
	for _, option := range hermetic.Options() {
		values, known := hermetic.Values(option)
		if !known {
			t.Errorf("%s is listed and unknown", option)
		}
		if values == nil {
			values = []string{"md5"}
		}
		changed := 0
		for _, value := range values {
			c := config(t)
			was := c.ConnConfig.Copy()
			hermetic.Apply(&c.ConnConfig.Config, map[string]string{option: value})
			now := c.ConnConfig
			if was.ChannelBinding != now.ChannelBinding || was.SSLNegotiation != now.SSLNegotiation || was.SSLCertMode != now.SSLCertMode ||
				was.RequireAuth != now.RequireAuth || now.ValidateConnect != nil {
				changed++
			}
		}
		if changed < max(1, len(values)-1) { // one of them is the default
			t.Errorf("%s: %d of %q change the config", option, changed, values)
		}
	}
}

func TestAnOptionsValueIsOneThatLibpqTakes(t *testing.T) {
	for _, c := range []struct {
		option, value string
		ok            bool
	}{
		{"require_auth", "", true},
		{"require_auth", "scram-sha-256", true},
		{"require_auth", "md5, password", true},
		{"require_auth", "!none,!password", true},
		{"require_auth", "gss,sspi,oauth,none", true},
		{"require_auth", "scram", false},
		{"require_auth", "SCRAM-SHA-256", false},
		{"require_auth", "md5,", false},
		{"require_auth", ",", false},
		{"require_auth", "md5,md5", false},
		{"require_auth", "!md5,!md5", false},
		{"require_auth", "!md5,password", false},
		{"require_auth", "md5,!password", false},
		{"require_auth", "!", false},
		{"require_auth", "!!md5", false},
		{"channel_binding", "require", true},
		{"channel_binding", "maybe", false},
		{"channel_binding", "", false},
	} {
		if problem := hermetic.Problem(c.option, c.value); (problem == "") != c.ok {
			t.Errorf("%s %q: %q", c.option, c.value, problem)
		}
		if c.option == "require_auth" {
			if _, err := pgconn.ParseConfig("host=h user=u require_auth='" + c.value + "'"); (err == nil) != c.ok {
				t.Errorf("pgx of %q: %v", c.value, err)
			}
		}
	}
}
