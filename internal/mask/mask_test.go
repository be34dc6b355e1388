package mask_test

import (
	"testing"

	"github.com/airhook-go/airhook/internal/mask"
	"github.com/airhook-go/airhook/internal/pyjson"
)

func TestHidesWhatAirflowHidesAndWhatLooksSecret(t *testing.T) {
	for in, want := range map[string]string{
		`{"region_name":"eu-west-1","iam":true}`:                              `{"region_name":"eu-west-1","iam":true}`,
		`{"aws_secret_access_key":"x","AWS Session-Token":"y"}`:               `{"aws_secret_access_key":"***","AWS Session-Token":"***"}`,
		`{"password":12345,"passphrase":""}`:                                  `{"password":"***","passphrase":""}`,
		`{"proxies":{"http":"http://p","ports":[1,"2"]}}`:                     `{"proxies":{"http":"***","ports":["***","***"]}}`,
		`{"note":"postgres://u:pw@h/d"}`:                                      `{"note":"***"}`,
		`{"id":"AKIAIOSFODNN7EXAMPLE","url":"https://h/?X-Amz-Signature=ab"}`: `{"id":"***","url":"***"}`,
		`{"options":"host=h password=pw"}`:                                    `{"options":"***"}`,
		`{"serverless_token_duration_seconds":3600}`:                          `{"serverless_token_duration_seconds":3600}`,
	} {
		v, err := pyjson.Parse(in)
		if err != nil {
			t.Fatal(err)
		}
		if got := string(pyjson.Append(nil, mask.Value(v), pyjson.Strict)); got != want {
			t.Errorf("%s: got %s, want %s", in, got, want)
		}
		if got := string(pyjson.Append(nil, v, pyjson.Strict)); got != in {
			t.Errorf("%s was changed: %s", in, got)
		}
	}
}
