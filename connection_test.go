package airhook_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/airhook-go/airhook"
)

func TestAMaskedConnectionIsWhatJSONShows(t *testing.T) {
	whole := airhook.Connection{
		ID: "m", Type: "postgres", Host: "u:" + plain + "@h", Login: "u", Schema: "d?password=" + plain, Password: airhook.NewSecret(plain), Port: 5432,
		Extra: mustExtra(`{"n":12345678901234567890,"nan":NaN,"token":"` + plain + `"}`), FoundIn: "store",
	}.WithEmpty(airhook.FieldDescription)
	masked := whole.Masked()
	got := []string{masked.Host, masked.Login, masked.Schema, masked.Description, masked.Password.Reveal(), masked.Extra.Reveal()}
	if diff := cmp.Diff([]string{"***@h", "u", "***", "", "***", `{"n": 12345678901234567890, "nan": NaN, "token": "***"}`}, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	shown, err := json.Marshal(whole)
	if err != nil || string(shown) != string(masked.RevealJSON()) || masked != masked.Masked() {
		t.Errorf("shown %s, %v; masked %s", shown, err, masked.RevealJSON())
	}
	if empty := (airhook.Connection{}); empty.Masked() != empty {
		t.Errorf("masking makes something of nothing: %s", empty.Masked().RevealJSON())
	}
}
