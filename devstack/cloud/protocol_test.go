package cloud_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/airhook-go/airhook/devstack/cloud"
	"github.com/airhook-go/airhook/devstack/sigv4"
)

func TestStrangersAreRefused(t *testing.T) {
	s := newStand(t)
	session, err := s.NewSession("admin", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	change := func(p cloud.Principal, change func(*cloud.Principal)) cloud.Principal {
		change(&p)
		return p
	}
	for name, c := range map[string]struct {
		who  cloud.Principal
		code string
	}{
		"unknown key":             {change(s.admin(), func(p *cloud.Principal) { p.AccessKeyID = "AKIAIOSFODNN7EXAMPLE" }), "InvalidClientTokenId"},
		"wrong secret":            {change(s.admin(), func(p *cloud.Principal) { p.SecretAccessKey += "x" }), "SignatureDoesNotMatch"},
		"no session token":        {change(session, func(p *cloud.Principal) { p.SessionToken = "" }), "InvalidClientTokenId"},
		"another session token":   {change(session, func(p *cloud.Principal) { p.SessionToken += "x" }), "InvalidClientTokenId"},
		"a user's session token?": {change(s.admin(), func(p *cloud.Principal) { p.SessionToken = session.SessionToken }), "InvalidClientTokenId"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := s.sts(c.who).GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{})
			refused(t, err, c.code, 403)
			if err := checkToken(s, token(t, c.who)); err == nil || !strings.HasPrefix(err.Error(), c.code+": ") {
				t.Errorf("token: %v", err)
			}
		})
	}
	if log := s.log.String(); strings.Contains(log, s.admin().SecretAccessKey) || strings.Contains(log, session.SessionToken) {
		t.Error("the log holds a secret")
	}
}

// send sends a request that was signed by hand, changed afterwards.
func (s stand) send(t *testing.T, service, body string, headers map[string]string, tamper func(*http.Request)) (int, string, http.Header) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range headers {
		r.Header.Set(name, value)
	}
	p := s.admin()
	credentials := aws.Credentials{AccessKeyID: p.AccessKeyID, SecretAccessKey: p.SecretAccessKey}
	if err := v4.NewSigner().SignHTTP(t.Context(), credentials, r, sigv4.PayloadHash([]byte(body)), service, "us-east-1", time.Now()); err != nil {
		t.Fatal(err)
	}
	if tamper != nil {
		tamper(r)
	}
	response, err := s.http.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(answer), response.Header
}

func TestErrorsHaveTheShapeOfTheirProtocol(t *testing.T) {
	s := newStand(t)
	form := map[string]string{"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
	target := func(name string) map[string]string {
		return map[string]string{"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": name}
	}
	unsigned := func(r *http.Request) { r.Header.Del("Authorization") }
	const identity = "Action=GetCallerIdentity&Version=2011-06-15"
	for name, c := range map[string]struct {
		service, body string
		headers       map[string]string
		tamper        func(*http.Request)
		status        int
		code          string
	}{
		"unsigned":                 {"sts", identity, form, unsigned, 403, "MissingAuthenticationToken"},
		"unsigned JSON":            {"redshift-serverless", "{}", target("RedshiftServerless.GetWorkgroup"), unsigned, 403, "MissingAuthenticationTokenException"},
		"unknown action":           {"sts", "Action=Fly&Version=2011-06-15", form, nil, 400, "InvalidAction"},
		"unknown version":          {"sts", "Action=GetCallerIdentity&Version=1999-01-01", form, nil, 400, "InvalidAction"},
		"no action":                {"sts", "", form, nil, 400, "InvalidAction"},
		"action of the JSON API":   {"redshift-serverless", "Action=GetCredentials&Version=RedshiftServerless", form, nil, 400, "InvalidAction"},
		"unknown operation":        {"redshift-serverless", "{}", target("RedshiftServerless.Fly"), nil, 400, "UnknownOperationException"},
		"target of the Query API":  {"redshift", "{}", target("2012-12-01.DescribeClusters"), nil, 400, "UnknownOperationException"},
		"another service's action": {"sts", "Action=DescribeClusters&Version=2012-12-01", form, nil, 403, "SignatureDoesNotMatch"},
		"JSON for another service": {"sts", "{}", target("RedshiftServerless.GetWorkgroup"), nil, 403, "InvalidSignatureException"},
		"no JSON":                  {"redshift-serverless", "{", target("RedshiftServerless.GetWorkgroup"), nil, 400, "SerializationException"},
		"a parameter twice":        {"sts", identity + "&Action=DescribeClusters", form, nil, 400, "InvalidParameterCombination"},
		"a parameter in both":      {"sts", identity, form, func(r *http.Request) { r.URL.RawQuery = "Action=DescribeClusters" }, 400, "InvalidParameterCombination"},
		"a form that isn't one":    {"sts", "Action=%zz", form, nil, 400, "MalformedInput"},
		"a query that isn't one":   {"sts", identity, form, func(r *http.Request) { r.URL.RawQuery = "a=%zz" }, 400, "MalformedQueryString"},
		"too long":                 {"sts", identity + "&x=" + strings.Repeat("x", 1<<20), form, nil, 413, "RequestEntityTooLarge"},
		"another body": {"sts", identity, form, func(r *http.Request) {
			r.Body = io.NopCloser(strings.NewReader(strings.Replace(identity, "G", "g", 1)))
		}, 403, "SignatureDoesNotMatch"},
		"a target that is not sent": {"redshift-serverless", "{}", nil, func(r *http.Request) { r.Header.Set("X-Amz-Target", "RedshiftServerless.GetWorkgroup") }, 403, "AccessDeniedException"},
	} {
		t.Run(name, func(t *testing.T) {
			status, body, header := s.send(t, c.service, c.body, c.headers, c.tamper)
			if status != c.status {
				t.Errorf("got status %d, want %d: %s", status, c.status, body)
			}
			if strings.HasPrefix(body, "<") {
				if want := "<Code>" + c.code + "</Code>"; !strings.Contains(body, want) || !strings.HasPrefix(body, "<ErrorResponse") || header.Get("Content-Type") != "text/xml" {
					t.Errorf("got %s %s, want %s", header.Get("Content-Type"), body, want)
				}
				return
			}
			var got map[string]string
			if err := json.Unmarshal([]byte(body), &got); err != nil || got["__type"] != c.code || got["message"] == "" || header.Get("X-Amzn-Errortype") != c.code {
				t.Errorf("got %s, want %s (%v)", body, c.code, err)
			}
		})
	}
}

func TestQueryCallsMayBePresigned(t *testing.T) {
	s := newStand(t)
	r := httptest.NewRequest(http.MethodGet, s.url+"/?"+url.Values{"Action": {"GetCallerIdentity"}, "Version": {"2011-06-15"}, "X-Amz-Expires": {"60"}}.Encode(), nil)
	p := s.admin()
	signed, _, err := v4.NewSigner().PresignHTTP(t.Context(), aws.Credentials{AccessKeyID: p.AccessKeyID, SecretAccessKey: p.SecretAccessKey}, r, sigv4.PayloadHash(nil), "sts", "us-east-1", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequest(http.MethodGet, signed, nil))
	if want := "<Arn>arn:aws:iam::123456789012:user/admin</Arn>"; w.Code != 200 || !strings.Contains(w.Body.String(), want) {
		t.Errorf("got %d %s, want %s", w.Code, w.Body, want)
	}
}

func TestPrincipalsPrintWithoutTheirKeys(t *testing.T) {
	s := newStand(t)
	p, err := s.NewSession("admin", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "p", p)
	for _, text := range []string{fmt.Sprint(p), fmt.Sprintf("%+v", p), fmt.Sprintf("%#v", []cloud.Principal{p}), log.String()} {
		if strings.Contains(text, p.SecretAccessKey) || strings.Contains(text, p.SessionToken) || !strings.Contains(text, p.ARN) {
			t.Errorf("printed %s", text)
		}
	}
	text, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]string
	if err := json.Unmarshal(text, &got); err != nil || got["access_key_id"] != p.AccessKeyID || got["secret_access_key"] != p.SecretAccessKey || got["session_token"] != p.SessionToken || got["arn"] != p.ARN || got["name"] != "admin" {
		t.Errorf("JSON lacks something: %v", err)
	}
}

func TestAccountsThatCannotBe(t *testing.T) {
	for name, o := range map[string]cloud.Options{
		"account id":               {AccountID: "12345"},
		"cluster without endpoint": {Clusters: []cloud.Cluster{{ID: "a", Port: 1}}},
		"cluster without port":     {Clusters: []cloud.Cluster{{ID: "a", Endpoint: "e"}}},
		"two clusters of an id":    {Clusters: []cloud.Cluster{{ID: "a", Endpoint: "e", Port: 1}, {ID: "a", Endpoint: "f", Port: 2}}},
		"workgroup without a name": {Workgroups: []cloud.Workgroup{{Endpoint: "e", Port: 1}}},
		"two workgroups of a name": {Workgroups: []cloud.Workgroup{{Name: "abc", Endpoint: "e", Port: 1}, {Name: "abc", Endpoint: "f", Port: 2}}},
	} {
		if _, err := cloud.New(o); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	a, err := cloud.New(cloud.Options{Region: "cn-north-1", AccountID: "210987654321"})
	if err != nil {
		t.Fatal(err)
	}
	if got := a.Roles()[0]; got.Name != "AirhookDev" || got.ARN != "arn:aws-cn:iam::210987654321:role/AirhookDev" {
		t.Errorf("got %v", got)
	}
	for _, name := range []string{"", "a b", "admin", strings.Repeat("a", 65)} {
		if _, err := a.AddPrincipal(name); err == nil {
			t.Errorf("user %q: no error", name)
		}
	}
	if _, err := a.NewSession("nobody", time.Hour); err == nil {
		t.Error("a session of nobody")
	}
}
