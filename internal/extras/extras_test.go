package extras

import (
	"slices"
	"strings"
	"testing"
)

func TestEachKeyIsInOnePlace(t *testing.T) {
	place := map[string]string{}
	for why, keys := range ignored {
		for _, key := range keys {
			if before, twice := place[key]; twice {
				t.Errorf("%s is ignored because %s and because %s", key, before, why)
			}
			place[key] = why
			if Startup(key) || RedshiftSetting(key) || Unsafe(key) {
				t.Errorf("%s is ignored and has an effect", key)
			}
		}
	}
	for _, key := range append(startup, redshiftSettings...) {
		if key != strings.ToLower(key) {
			t.Errorf("%s would never be found: names are compared in lower case", key)
		}
	}
}

func TestOtherIdentitiesAreKnownKeys(t *testing.T) {
	for why, keys := range ignored {
		if slices.ContainsFunc(keys, OtherIdentity) && !strings.Contains(why, "redshift_connector") && !strings.Contains(why, "Entra") {
			t.Errorf("%s: %v", why, keys)
		}
	}
	if !OtherIdentity("access_key_id") || OtherIdentity("numeric_to_float") {
		t.Error("OtherIdentity is wrong")
	}
}

func TestRedshiftGetsASearchPathOfSeveralNames(t *testing.T) {
	for _, tc := range [][3]string{
		{"query_group", `it's \ a, b`, `SET query_group TO 'it''s \\ a, b'`},
		{"search_path", "sales", "SET search_path TO 'sales'"},
		{"Search_Path", " Sales , public", "SET Search_Path TO 'sales', 'public'"},
		{"search_path", `"$user", "My, ""own"" Schema",it's`, `SET search_path TO '$user', 'My, "own" Schema', 'it''s'`},
		{"search_path", "", "SET search_path TO ''"},
		{"search_path", `a,"b`, "SET search_path TO 'a', 'b'"},
	} {
		if got := RedshiftSet(tc[0], tc[1]); got != tc[2] {
			t.Errorf("%s %q: got %s, want %s", tc[0], tc[1], got, tc[2])
		}
	}
}
