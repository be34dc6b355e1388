package session

import (
	"errors"
	"strings"
	"testing"

	"github.com/airhook-go/airhook"
)

func TestCheckFindsWhatOpenWouldRefuseOrWarnOf(t *testing.T) {
	for _, c := range []struct{ login, extra, refused, warning string }{
		{"AKIAIOSFODNN7EXAMPLE", `{}`, "half of a key pair", ""},
		{"", `{"endpoint_url": "nonsense"}`, "endpoint_url", ""},
		{"", `{"service_config": {"redshift": 5}}`, "service_config", ""},
		{"", `{"region_nam": "us-east-1"}`, "", "region_nam"},
		{"", `{"role_arn": "arn:aws:iam::123456789012:role/R"}`, "", ""},
		{"", `{"role_arn": "arn:aws:iam::123456789012:role/R", "assume_role_method": "assume_role_with_saml"}`, "", "a login is refused: "},
		{"", `{"role_arn": "R"}`, "role_arn", ""},
		{"", `{"region_name": "us-east-1"}`, "", ""},
	} {
		extra, err := airhook.ParseExtra(c.extra)
		if err != nil {
			t.Fatal(err)
		}
		warnings, err := Check(airhook.Connection{ID: "a", Type: "aws", Login: c.login, Extra: extra})
		if (err != nil) != (c.refused != "") || err != nil && (!errors.Is(err, airhook.ErrInvalid) || !strings.Contains(err.Error(), c.refused)) {
			t.Errorf("%s%s: %v, want it refused for %q", c.login, c.extra, err, c.refused)
		}
		if got := strings.Join(warnings, "; "); (got != "") != (c.warning != "") || !strings.Contains(got, c.warning) {
			t.Errorf("%s%s: warnings %q, want %q", c.login, c.extra, got, c.warning)
		}
	}
}
