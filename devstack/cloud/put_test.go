package cloud_test

import (
	"encoding/json"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/airhook-go/airhook/devstack/cloud"
	"github.com/airhook-go/airhook/devstack/sigv4"
)

// putPrincipal asks in the way of JSON 1.1.
func putPrincipal(t *testing.T, a *cloud.Account, who cloud.Principal, body string) (int, string) {
	t.Helper()
	r := httptest.NewRequest("POST", "http://127.0.0.1:4000/", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/x-amz-json-1.1")
	r.Header.Set("X-Amz-Target", "AirhookDev.PutPrincipal")
	credentials := aws.Credentials{AccessKeyID: who.AccessKeyID, SecretAccessKey: who.SecretAccessKey, SessionToken: who.SessionToken}
	if err := v4.NewSigner().SignHTTP(t.Context(), credentials, r, sigv4.PayloadHash([]byte(body)), "airhook-dev", "us-east-1", time.Now()); err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	a.ServeHTTP(w, r)
	return w.Code, w.Body.String()
}

func TestTheAdminAloneMakesPrincipals(t *testing.T) {
	a := quiet(t)
	status, body := putPrincipal(t, a, a.Principals()[0], `{"name": "ann", "policy": `+everything+`}`)
	var ann cloud.Principal
	if err := json.Unmarshal([]byte(body), &ann); err != nil || status != 200 || ann.ARN != "arn:aws:iam::123456789012:user/ann" || ann.SecretAccessKey == "" {
		t.Fatalf("got %d %s", status, body)
	}
	session, err := a.NewSession("AirhookDev", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	stranger := ann
	stranger.SecretAccessKey += "x"
	for name, c := range map[string]struct {
		who    cloud.Principal
		body   string
		status int
		says   string
	}{
		"somebody who may do everything": {ann, `{"name": "bob"}`, 403, "AccessDeniedException"},
		"the role that may":              {session, `{"name": "bob"}`, 403, "AccessDeniedException"},
		"who has no key":                 {stranger, `{"name": "bob"}`, 403, "InvalidSignatureException"},
		"a policy that is none":          {a.Principals()[0], `{"name": "bob", "policy": {}}`, 400, "Statement: missing"},
		"no JSON":                        {a.Principals()[0], `{`, 400, "SerializationException"},
		"no name":                        {a.Principals()[0], `{}`, 400, "ValidationException"},
	} {
		if status, body := putPrincipal(t, a, c.who, c.body); status != c.status || !strings.Contains(body, c.says) {
			t.Errorf("%s: %d %s", name, status, body)
		}
	}
	if n := len(a.Principals()); n != 2 {
		t.Errorf("%d users, want 2", n)
	}
	if status, body := putPrincipal(t, a, a.Principals()[0], `{"name": "etl", "role": true}`); status != 200 || strings.TrimSpace(body) != `{"name":"etl","arn":"arn:aws:iam::123456789012:role/etl"}` {
		t.Errorf("a role: %d %s", status, body)
	}
}
