package sigv4_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/airhook-go/airhook/devstack/sigv4"
)

// FuzzToken: whatever comes as a password, nothing panics, what is accepted names the endpoint's user and region and
// is in time, and nothing is accepted with another secret.
func FuzzToken(f *testing.F) {
	all := readVectors(f)
	for _, vector := range all.Tokens {
		f.Add(vector.Token, vector.Host, vector.Port, vector.Region, vector.User, vector.SessionToken)
	}
	f.Add("", "", 0, "", "", "")
	f.Add("host:5432?Action=connect&Action=connect&X-Amz-Signature=", "host", 5432, "us-east-1", "app", "")
	f.Fuzz(func(t *testing.T, token, host string, port int, region, user, session string) {
		endpoint := sigv4.Endpoint{Host: host, Port: port, Region: region, User: user}
		result, err := all.verifier(session, all.Now).VerifyToken(token, endpoint)
		if err == nil {
			_, query, _ := strings.Cut(token, "?")
			values, parseErr := url.ParseQuery(query)
			if parseErr != nil || values.Get("DBUser") != user || len(values["DBUser"]) != 1 || result.Region != region || result.Service != "rds-db" || !result.Expires.After(all.Now) {
				t.Errorf("accepted %q for %+v: %+v", token, endpoint, result)
			}
		}
		wrong := all
		wrong.SecretAccessKey = "another"
		if _, err := wrong.verifier(session, all.Now).VerifyToken(token, endpoint); err == nil {
			t.Errorf("accepted %q without the key", token)
		}
	})
}

// FuzzRequest: the same for requests.
func FuzzRequest(f *testing.F) {
	all := readVectors(f)
	for _, vector := range all.Requests {
		r := vector.request()
		f.Add(vector.Method, r.Host, r.RequestURI, r.Header.Get("Authorization"), r.Header.Get("X-Amz-Date"), r.Header.Get("X-Amz-Target"), vector.Body)
	}
	f.Fuzz(func(t *testing.T, method, host, uri, authorization, date, target, body string) {
		address, err := url.ParseRequestURI(uri)
		if err != nil {
			return
		}
		r := &http.Request{Method: method, Host: host, URL: address, RequestURI: uri, Header: http.Header{}}
		for name, value := range map[string]string{"Authorization": authorization, "X-Amz-Date": date, "X-Amz-Target": target} {
			if value != "" {
				r.Header.Set(name, value)
			}
		}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
		payload := sigv4.PayloadHash([]byte(body))
		result, err := all.verifier("", all.Now).VerifyRequest(r, payload)
		if err == nil && (result.AccessKeyID != all.AccessKeyID || result.Service == "" || result.Date.Sub(all.Now).Abs() > 15*time.Minute && result.Expires.IsZero()) {
			t.Errorf("accepted %s %s: %+v", method, uri, result)
		}
		wrong := all
		wrong.SecretAccessKey = "another"
		if _, err := wrong.verifier("", all.Now).VerifyRequest(r, payload); err == nil {
			t.Errorf("accepted %s %s without the key", method, uri)
		}
	})
}
