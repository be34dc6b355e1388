package cloud_test

import (
	"fmt"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/feature/rds/auth"

	"github.com/airhook-go/airhook/devstack/cloud"
	"github.com/airhook-go/airhook/devstack/sigv4"
)

// quiet is an account without an address: the clock of a bubble stands still while a socket is waited for.
func quiet(t *testing.T) *cloud.Account {
	t.Helper()
	account, err := cloud.New(cloud.Options{Clusters: []cloud.Cluster{{ID: "my-cluster", Endpoint: "my-cluster.xyz.us-east-1.redshift.amazonaws.com", Port: 5439}}})
	if err != nil {
		t.Fatal(err)
	}
	return account
}

// call asks in the way of the Query protocol, and returns the status and the body.
func call(t *testing.T, a *cloud.Account, who cloud.Principal, service string, form url.Values) (int, string) {
	t.Helper()
	body := form.Encode()
	r := httptest.NewRequest("POST", "http://127.0.0.1:4000/", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	credentials := aws.Credentials{AccessKeyID: who.AccessKeyID, SecretAccessKey: who.SecretAccessKey, SessionToken: who.SessionToken}
	if err := v4.NewSigner().SignHTTP(t.Context(), credentials, r, sigv4.PayloadHash([]byte(body)), service, "us-east-1", time.Now()); err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	a.ServeHTTP(w, r)
	return w.Code, w.Body.String()
}

var answer = regexp.MustCompile(`<DbUser>(.*)</DbUser><DbPassword>(.*)</DbPassword><Expiration>(.*)</Expiration>`)

func temporaryPassword(t *testing.T, a *cloud.Account, lifetime string) (user, password string, expires time.Time) {
	t.Helper()
	form := url.Values{"Action": {"GetClusterCredentials"}, "Version": {"2012-12-01"}, "ClusterIdentifier": {"my-cluster"}, "DbUser": {"app"}, "DurationSeconds": {lifetime}}
	status, body := call(t, a, a.Principals()[0], "redshift", form)
	found := answer.FindStringSubmatch(body)
	if status != 200 || found == nil {
		t.Fatalf("got %d: %s", status, body)
	}
	expires, err := time.Parse(time.RFC3339, found[3])
	if err != nil {
		t.Fatal(err)
	}
	return found[1], found[2], expires
}

func TestTemporaryPasswordsRunOut(t *testing.T) {
	for name, c := range map[string]struct {
		asked  string
		expire time.Duration
		want   time.Duration
	}{
		"as asked":            {"1200", 0, 20 * time.Minute},
		"sooner, by a fault":  {"1200", 3 * time.Second, 3 * time.Second},
		"the fault is undone": {"900", -1, 15 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := quiet(t)
				a.Expire(c.expire)
				user, password, expires := temporaryPassword(t, a, c.asked)
				if got := time.Until(expires); got != c.want {
					t.Errorf("said to live for %s, want %s", got, c.want)
				}
				<-time.After(c.want - time.Second)
				if _, _, err := a.CheckPassword("my-cluster", "dev", user, password); err != nil {
					t.Errorf("a second before: %v", err)
				}
				<-time.After(time.Second)
				if _, _, err := a.CheckPassword("my-cluster", "dev", user, password); err == nil || !strings.Contains(err.Error(), "expired") {
					t.Errorf("at its end: %v", err)
				}
				<-time.After(2 * time.Hour)
				temporaryPassword(t, a, "900")
				if _, _, err := a.CheckPassword("my-cluster", "dev", user, password); err == nil || strings.Contains(err.Error(), password) {
					t.Errorf("long after: %v", err)
				}
			})
		})
	}
}

func TestSessionsRunOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := quiet(t)
		session := func(ttl time.Duration) cloud.Principal {
			p, err := a.NewSession("AirhookDev", ttl)
			if err != nil {
				t.Fatal(err)
			}
			return p
		}
		identity := url.Values{"Action": {"GetCallerIdentity"}, "Version": {"2011-06-15"}}
		hour, past := session(time.Hour), session(-time.Hour)
		if status, body := call(t, a, past, "sts", identity); status != 403 || !strings.Contains(body, "<Code>ExpiredToken</Code>") {
			t.Errorf("one that has run out: %d %s", status, body)
		}
		if status, body := call(t, a, hour, "sts", identity); status != 200 {
			t.Errorf("got %d %s", status, body)
		}
		a.Expire(time.Minute)
		minute := session(time.Hour)
		<-time.After(time.Minute)
		made, err := auth.BuildAuthToken(t.Context(), "db:5432", "us-east-1", "app", keys(hour))
		if err != nil {
			t.Fatal(err)
		}
		if status, _ := call(t, a, minute, "sts", identity); status != 403 {
			t.Errorf("cut short by a fault: %d", status)
		}
		a.Expire(0)
		if err := a.CheckToken("db", 5432, "us-east-1", "i", "app", made); err != nil {
			t.Error(err)
		}
		<-time.After(59*time.Minute - time.Second)
		made, err = auth.BuildAuthToken(t.Context(), "db:5432", "us-east-1", "app", keys(hour))
		if err != nil {
			t.Fatal(err)
		}
		<-time.After(time.Second) // the token has 15 minutes, its key has none
		if err := a.CheckToken("db", 5432, "us-east-1", "i", "app", made); err == nil || !strings.Contains(err.Error(), "ExpiredToken") {
			t.Errorf("token of a session that has run out: %v", err)
		}
	})
}

func TestTokensRunOutSoonerByAFault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := quiet(t)
		made, err := auth.BuildAuthToken(t.Context(), fmt.Sprintf("%s:%d", rdsHost, rdsPort), "us-east-1", "app", keys(a.Principals()[0]))
		if err != nil {
			t.Fatal(err)
		}
		check := func() error { return a.CheckToken(rdsHost, rdsPort, "us-east-1", "i", "app", made) }
		a.Expire(3 * time.Second)
		<-time.After(2 * time.Second)
		if err := check(); err != nil {
			t.Error(err)
		}
		<-time.After(time.Second)
		if err := check(); err == nil || !strings.Contains(err.Error(), "expired") {
			t.Errorf("after three seconds: %v", err)
		}
		a.Expire(0)
		<-time.After(896 * time.Second)
		if err := check(); err != nil {
			t.Errorf("after 899 seconds: %v", err)
		}
		<-time.After(time.Second)
		if err := check(); err == nil {
			t.Error("good after 900 seconds")
		}
	})
}
