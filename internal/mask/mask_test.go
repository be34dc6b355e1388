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
		`{"options":"-c my.passwd=x"}`:                                        `{"options":"***"}`,
		`{"options":"-c search_path=a"}`:                                      `{"options":"-c search_path=a"}`,
		`{"note":"set Access-Key = x"}`:                                       `{"note":"***"}`,
		`{"note":"{'aws_session_token': 'x'}"}`:                               `{"note":"***"}`,
		`{"note":"postgresql://app:p/w@db/x"}`:                                `{"note":"***"}`,
		`{"note":"postgresql://app:p#w ?@db/x"}`:                              `{"note":"***"}`,
		`{"note":"https://db.example.com:5432/x"}`:                            `{"note":"https://db.example.com:5432/x"}`,
		`{"kwargs":"{\"profile\": \"p\", \"aws_secret_access_key\":\"x\"}"}`:  `{"kwargs":"{\"profile\": \"p\", \"aws_secret_access_key\": \"***\"}"}`,
		`{"kwargs":"[{\"id\":\"AKIAIOSFODNN7EXAMPLE\"}]"}`:                    `{"kwargs":"[{\"id\": \"***\"}]"}`,
		`{"kwargs":"{\"a\":\"{\\\"token\\\":1}\"}"}`:                          `{"kwargs":"{\"a\": \"{\\\"token\\\": \\\"***\\\"}\"}"}`,
		`{"kwargs":"{\"a\":  1}","token":"{\"a\":1}"}`:                        `{"kwargs":"{\"a\":  1}","token":"***"}`,
		`{"assume_role_with_web_identity_token_file":"/var/run/token"}`:       `{"assume_role_with_web_identity_token_file":"/var/run/token"}`,
		`{"web_identity_token_file":"eyJhbGci","token":"/x"}`:                 `{"web_identity_token_file":"***","token":"***"}`,
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

func TestFieldsShowNoPassword(t *testing.T) {
	for in, want := range map[string]string{
		"": "", "db.example.com": "db.example.com", "fe80::1": "fe80::1", "me@corp.example": "me@corp.example", "AKIAIOSFODNN7EXAMPLE": "AKIAIOSFODNN7EXAMPLE",
		"IAM:me@corp.example": "IAM:me@corp.example", "IAMR:etl": "IAMR:etl", "IAM:app:x@db": "IAM:***@db", "iam:x@db": "***@db",
		"app:x@db.example.com": "***@db.example.com", "app:x@y@db": "***@db", "app:p w@db": "***@db", "postgresql://app:x@db/d": "***", "password=x": "***",
		"the team's own; questions: me@corp.example": "the team's own; questions: me@corp.example",
	} {
		if got := mask.Field(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}
