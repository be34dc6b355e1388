package iam

import (
	"bufio"
	"encoding/json"
	"net/url"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/google/go-cmp/cmp"

	"github.com/airhook-go/airhook"
	"github.com/airhook-go/airhook/airhooktest"
	"github.com/airhook-go/airhook/aws/session"
)

// botocoreToken is a line of testdata/tokens.jsonl, which testdata/make_tokens.py writes.
type botocoreToken struct {
	Name         string    `json:"name"`
	At           time.Time `json:"at"`
	AccessKeyID  string    `json:"access_key_id"`
	SecretKey    string    `json:"secret_access_key"`
	SessionToken string    `json:"session_token"`
	Region       string    `json:"region"`
	Host         string    `json:"host"`
	Port         int       `json:"port"`
	User         string    `json:"user"`
	Token        string    `json:"token"`
}

func botocoreTokens(t testing.TB) []botocoreToken {
	t.Helper()
	file, err := os.Open("testdata/tokens.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var cases []botocoreToken
	for lines := bufio.NewScanner(file); lines.Scan(); {
		var c botocoreToken
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			t.Fatal(err)
		}
		cases = append(cases, c)
	}
	if len(cases) < 7 {
		t.Fatalf("%d cases, want at least 7", len(cases))
	}
	return cases
}

// TestTokensCarryBotocoresSignature: the same parameters, the same signature, at the same instant. A bubble's clock
// starts in 2000 and goes where we want it.
func TestTokensCarryBotocoresSignature(t *testing.T) {
	for _, c := range botocoreTokens(t) {
		t.Run(c.Name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				<-time.After(time.Until(c.At))
				aws := airhook.Connection{ID: "my_aws", Type: "aws", Login: c.AccessKeyID, Password: airhook.NewSecret(c.SecretKey)}
				if c.SessionToken != "" {
					aws.Extra, _ = airhook.ParseExtra(`{"aws_session_token": "` + c.SessionToken + `"}`)
				}
				l := New(&session.Resolver{Registry: airhooktest.Registry(aws)})
				db := conn(t, "db", "postgres", c.Host, `{"iam": true, "aws_conn_id": "my_aws"}`)
				db.Port, db.Login = c.Port, c.User
				target := resolved(t, l, db)
				if target.Region != c.Region {
					t.Errorf("region %q, want %q", target.Region, c.Region)
				}
				cred, err := l.rds(t.Context(), target)
				if err != nil {
					t.Fatal(err)
				}
				if want := c.At.Add(15 * time.Minute); !cred.Expires.Equal(want) || cred.User != c.User || cred.Principal != c.AccessKeyID {
					t.Errorf("got expiry %v, user %q, principal %q; want %v, %q, %q", cred.Expires, cred.User, cred.Principal, want, c.User, c.AccessKeyID)
				}
				sameToken(t, cred.Password.Reveal(), c.Token)
			})
		})
	}
}

// sameToken compares what a verifier reads: host and parameters. The two SDKs differ in "/?" and in the order.
func sameToken(t *testing.T, got, want string) {
	t.Helper()
	gotHost, gotQuery := split(t, got)
	wantHost, wantQuery := split(t, want)
	if gotHost != strings.ToLower(wantHost) {
		t.Errorf("the token is for %s, want %s", gotHost, strings.ToLower(wantHost))
	}
	if diff := cmp.Diff(wantQuery, gotQuery); diff != "" {
		t.Error(diff)
	}
	if gotQuery.Get("X-Amz-Signature") == "" {
		t.Error("the token has no signature")
	}
}

func split(t *testing.T, token string) (string, url.Values) {
	t.Helper()
	host, query, _ := strings.Cut(token, "?")
	values, err := url.ParseQuery(query)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSuffix(host, "/"), values
}

func TestATokenDiesWithTheKeysThatSignedIt(t *testing.T) {
	for _, c := range []struct {
		name       string
		keysExpire time.Duration
		want       time.Duration
	}{{"keys that outlive it", time.Hour, 15 * time.Minute}, {"keys that die first", 5 * time.Minute, 5 * time.Minute}} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				now := time.Now()
				creds := aws.Credentials{CanExpire: true, Expires: now.Add(c.keysExpire)}
				if got := tokenExpiry(now, creds); !got.Equal(now.Add(c.want)) {
					t.Errorf("it lives %s, want %s", got.Sub(now), c.want)
				}
			})
		})
	}
	now := time.Now()
	if got := tokenExpiry(now, aws.Credentials{}); !got.Equal(now.Add(15 * time.Minute)) {
		t.Errorf("with keys that never expire it lives %s", got.Sub(now))
	}
}

func TestAnRDSTokenIsSignedForIAMHost(t *testing.T) {
	l := logins(t, "http://127.0.0.1:1")
	db := conn(t, "tunnel", "postgres", "localhost", `{"iam": true, "aws_conn_id": "my_aws", "iam_host": "MyDB.xyz.us-east-1.rds.amazonaws.com.", "iam_port": 5432, "region_name": "us-east-1"}`)
	db.Port = 15432
	cred, err := l.rds(t.Context(), resolved(t, l, db))
	if err != nil {
		t.Fatal(err)
	}
	if host, _ := split(t, cred.Password.Reveal()); host != "mydb.xyz.us-east-1.rds.amazonaws.com:5432" {
		t.Errorf("signed for %s", host)
	}
}

func BenchmarkRDSToken(b *testing.B) {
	l := logins(b, "http://127.0.0.1:1")
	target := resolved(b, l, rdsConn(b))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := l.rds(b.Context(), target); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkResolve(b *testing.B) {
	l := logins(b, "http://127.0.0.1:1")
	target, err := rdsConn(b).Target()
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := l.Resolve(b.Context(), target); err != nil {
			b.Fatal(err)
		}
	}
}
