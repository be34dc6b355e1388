package sigv4_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/feature/rds/auth"

	"github.com/airhook-go/airhook/devstack/sigv4"
)

// sdkToken is a token of the AWS SDK for Go, by the bubble's clock.
func sdkToken(t *testing.T, all vectors, vector tokenVector) string {
	t.Helper()
	keys := credentials.NewStaticCredentialsProvider(all.AccessKeyID, all.SecretAccessKey, vector.SessionToken)
	token, err := auth.BuildAuthToken(t.Context(), fmt.Sprintf("%s:%d", vector.Host, vector.Port), vector.Region, vector.User, keys)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// at runs f in a bubble whose clock says when.
func at(t *testing.T, when time.Time, f func(*testing.T)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		<-time.After(time.Until(when)) // a bubble begins in the year 2000
		f(t)
	})
}

func TestTokensOfTheSDKAreAcceptedAndCarryTheSignatureOfBotocore(t *testing.T) {
	all := readVectors(t)
	for _, vector := range all.Tokens {
		t.Run(vector.Name, func(t *testing.T) {
			at(t, all.Now, func(t *testing.T) {
				token := sdkToken(t, all, vector)
				if _, err := all.verifier(vector.SessionToken, time.Now()).VerifyToken(token, vector.endpoint()); err != nil {
					t.Error(err)
				}
				if vector.Host != strings.ToLower(vector.Host) {
					return // the SDK signs such a host as it is, botocore in lower case
				}
				if got, want := signatureOf(t, token), signatureOf(t, vector.Token); got != want {
					t.Errorf("got signature %s, botocore has %s", got, want)
				}
			})
		})
	}
}

// TestTokensThatLiveTooLongAreRefused signs them for as long as they say, so that nothing but their life is wrong.
func TestTokensThatLiveTooLongAreRefused(t *testing.T) {
	all := readVectors(t)
	endpoint := all.Tokens[0].endpoint()
	keys := aws.Credentials{AccessKeyID: all.AccessKeyID, SecretAccessKey: all.SecretAccessKey}
	for seconds, good := range map[int]bool{1: true, 900: true, 901: false, 604800: false} {
		address := fmt.Sprintf("http://%s:%d/?Action=connect&DBUser=%s&X-Amz-Expires=%d", endpoint.Host, endpoint.Port, endpoint.User, seconds)
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
		if err != nil {
			t.Fatal(err)
		}
		token, _, err := v4.NewSigner().PresignHTTP(t.Context(), keys, request, sigv4.PayloadHash(nil), "rds-db", endpoint.Region, all.Now)
		if err != nil {
			t.Fatal(err)
		}
		_, err = all.verifier("", all.Now).VerifyToken(strings.TrimPrefix(token, "http://"), endpoint)
		if good && err != nil {
			t.Errorf("a token of %d s: %v", seconds, err)
		} else if !good {
			wantCode(t, err, "SignatureDoesNotMatch", all)
			if want := "longer than"; !strings.Contains(err.Error(), want) {
				t.Errorf("a token of %d s: %v, want %q", seconds, err, want)
			}
		}
	}
}

func signatureOf(t *testing.T, token string) string {
	t.Helper()
	_, query, _ := strings.Cut(token, "?")
	values, err := url.ParseQuery(query)
	if err != nil {
		t.Fatal(err)
	}
	return values.Get("X-Amz-Signature")
}

// TestRequestsOfTheSDKAreAccepted goes through a real server, which moves some headers and leaves others out.
func TestRequestsOfTheSDKAreAccepted(t *testing.T) {
	all := readVectors(t)
	credentials := aws.Credentials{AccessKeyID: all.AccessKeyID, SecretAccessKey: all.SecretAccessKey, SessionToken: "session"}
	var failure error
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		_, failure = all.verifier("session", time.Now()).VerifyRequest(r, sigv4.PayloadHash(body))
	}))
	defer server.Close()
	for _, c := range []struct{ service, method, path, body string }{
		{"sts", http.MethodPost, "/", "Action=GetCallerIdentity&Version=2011-06-15"},
		{"redshift-serverless", http.MethodPost, "/", "{}"},
		{"sts", http.MethodGet, "/?a=%20+b&c&d=%C3%B1&a=~", ""},
		{"execute-api", http.MethodGet, "/a%20b/c%2Fd/~e", ""},
		{"s3", http.MethodPut, "/bucket/a%20b/c%2Bd", "content"},
		{"s3", http.MethodGet, "/bucket?list-type=2&prefix=a%2Fb", ""},
		{"s3", http.MethodGet, "/", ""},
	} {
		for _, presign := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s %s%s presigned %v", c.service, c.method, c.path, presign), func(t *testing.T) {
				request, err := http.NewRequestWithContext(t.Context(), c.method, server.URL+c.path, strings.NewReader(c.body))
				if err != nil {
					t.Fatal(err)
				}
				request.Header.Set("X-Amz-Meta-Note", "  two   words ")
				signer := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = c.service == "s3" })
				hash := sigv4.PayloadHash([]byte(c.body))
				if presign {
					request.URL.RawQuery += "&X-Amz-Expires=60"
					signed, header, err := signer.PresignHTTP(t.Context(), credentials, request, hash, c.service, "us-east-1", time.Now())
					if err != nil {
						t.Fatal(err)
					}
					request.Header = header
					if request.URL, err = url.Parse(signed); err != nil {
						t.Fatal(err)
					}
				} else if err := signer.SignHTTP(t.Context(), credentials, request, hash, c.service, "us-east-1", time.Now()); err != nil {
					t.Fatal(err)
				}
				response, err := server.Client().Do(request)
				if err != nil {
					t.Fatal(err)
				}
				_ = response.Body.Close()
				if failure != nil {
					t.Error(failure)
				}
			})
		}
	}
}
