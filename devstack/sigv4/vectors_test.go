package sigv4_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/airhook-go/airhook/devstack/sigv4"
)

// vectors were signed by botocore: testdata/make_vectors.py.
type vectors struct {
	Now             time.Time
	AccessKeyID     string `json:"access_key_id"`
	SecretAccessKey string `json:"secret_access_key"`
	Tokens          []tokenVector
	Requests        []requestVector
}

type tokenVector struct {
	Name, Host, User, Region, Token string
	Port                            int
	SessionToken                    string `json:"session_token"`
}

type requestVector struct {
	Name, Service, Region, Method, URL, Body string
	Headers                                  map[string]string
	SessionToken                             string `json:"session_token"`
}

func readVectors(t testing.TB) vectors {
	t.Helper()
	text, err := os.ReadFile("testdata/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var v vectors
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// verifier knows the vectors' key, with that session token, at that time.
func (v vectors) verifier(sessionToken string, now time.Time) sigv4.Verifier {
	return sigv4.Verifier{
		Find: func(id string) (sigv4.Key, bool) {
			return sigv4.Key{AccessKeyID: v.AccessKeyID, SecretAccessKey: v.SecretAccessKey, SessionToken: sessionToken}, id == v.AccessKeyID
		},
		Now: func() time.Time { return now },
	}
}

func (t tokenVector) endpoint() sigv4.Endpoint {
	return sigv4.Endpoint{Host: t.Host, Port: t.Port, Region: t.Region, User: t.User}
}

// request is the vector as a server reads it.
func (r requestVector) request() *http.Request {
	request := httptest.NewRequest(r.Method, r.URL, strings.NewReader(r.Body))
	for name, value := range r.Headers {
		request.Header.Set(name, value)
	}
	return request
}

func (r requestVector) payload() string {
	if said := r.Headers["X-Amz-Content-SHA256"]; said != "" {
		return said
	}
	if r.Service == "s3" {
		return sigv4.UnsignedPayload
	}
	return sigv4.PayloadHash([]byte(r.Body))
}

func TestTokensOfBotocoreAreAccepted(t *testing.T) {
	all := readVectors(t)
	if len(all.Tokens) < 7 {
		t.Fatalf("only %d tokens", len(all.Tokens))
	}
	for _, vector := range all.Tokens {
		t.Run(vector.Name, func(t *testing.T) {
			result, err := all.verifier(vector.SessionToken, all.Now).VerifyToken(vector.Token, vector.endpoint())
			if err != nil {
				t.Fatal(err)
			}
			want := sigv4.Result{AccessKeyID: all.AccessKeyID, Service: "rds-db", Region: vector.Region, Date: all.Now, Expires: all.Now.Add(15 * time.Minute)}
			if result != want {
				t.Errorf("got %+v, want %+v", result, want)
			}
		})
	}
}

func TestRequestsOfBotocoreAreAccepted(t *testing.T) {
	all := readVectors(t)
	for _, vector := range all.Requests {
		t.Run(vector.Name, func(t *testing.T) {
			result, err := all.verifier(vector.SessionToken, all.Now).VerifyRequest(vector.request(), vector.payload())
			if err != nil {
				t.Fatal(err)
			}
			if result.AccessKeyID != all.AccessKeyID || result.Service != vector.Service || result.Region != vector.Region || !result.Date.Equal(all.Now) {
				t.Errorf("got %+v", result)
			}
		})
	}
}
