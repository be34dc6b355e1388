package hermetic_test

import (
	"testing"

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
