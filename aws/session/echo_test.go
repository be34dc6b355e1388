package session

import (
	"crypto/sha1" // #nosec G505 -- AWS's name for a file
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/airhook-go/airhook"
)

// TestAnAnswerThatRepeatsABearerTokenIsNotShown, whole or in part: whoever has the token is let in. Code and status are kept.
func TestAnAnswerThatRepeatsABearerTokenIsNotShown(t *testing.T) {
	const token = "FwoGZXIvYXdzCanaryBearer0123456789+/="
	keys := map[string]string{"AWS_ACCESS_KEY_ID": "AKIDENV", "AWS_SECRET_ACCESS_KEY": canary, "AWS_SESSION_TOKEN": token}
	for name, c := range map[string]struct {
		header string
		env    map[string]string
		who    Who
		answer func(w http.ResponseWriter, echo string)
		kind   error
		want   string
	}{
		"a session token": {"X-Amz-Security-Token", keys, Who{RoleARN: roleA}, stsSays("SignatureDoesNotMatch"), airhook.ErrAccessDenied, "the signature is wrong (SignatureDoesNotMatch); the key is AKIDENV"},
		"a session token, of a code that says nothing": {"X-Amz-Security-Token", keys, Who{RoleARN: roleA}, stsSays("InvalidRequest"), nil, "the answer repeats the session token, so it is not shown (InvalidRequest)"},
		"IAM Identity Center": {"X-Amz-Sso_bearer_token", nil, Who{Profile: "sso"}, func(w http.ResponseWriter, echo string) {
			w.Header().Set("X-Amzn-Errortype", "InvalidRequestException")
			w.WriteHeader(http.StatusBadRequest)
			_, _ = fmt.Fprintf(w, `{"message": "bad token %s"}`, echo)
		}, nil, "the answer repeats the access token of IAM Identity Center, so it is not shown (InvalidRequestException)"},
		"a container's endpoint": {"Authorization", nil, Who{}, func(w http.ResponseWriter, echo string) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusBadRequest)
			_, _ = fmt.Fprintf(w, `{"code": "Weird", "message": "bad token %s"}`, echo)
		}, nil, "it answered HTTP 400"},
		"a container's endpoint that denies": {"Authorization", nil, Who{}, func(w http.ResponseWriter, echo string) {
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = fmt.Fprint(w, "bad token "+echo)
		}, airhook.ErrAccessDenied, "access denied (HTTP 401)"},
		"a container's endpoint that says why it denies": {"Authorization", nil, Who{}, func(w http.ResponseWriter, echo string) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusForbidden)
			_, _ = fmt.Fprintf(w, `{"code": "AccessDenied", "message": "bad token %s"}`, echo)
		}, airhook.ErrAccessDenied, "access denied: the answer repeats the authorization token, so it is not shown"},
	} {
		for _, part := range []string{"whole", "part"} {
			t.Run(name+" "+part, func(t *testing.T) {
				server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					echo := r.Header.Get(c.header)
					if echo != token {
						t.Errorf("%s is %q", c.header, echo)
					}
					if part == "part" {
						echo = echo[8:28]
					}
					c.answer(w, echo)
				}))
				defer server.Close()
				login(t, token)
				setenv(t, map[string]string{"AWS_ENDPOINT_URL": server.URL, "AWS_ENDPOINT_URL_SSO": server.URL, "AWS_REGION": "us-east-1", "AWS_MAX_ATTEMPTS": "1"})
				if c.header == "Authorization" {
					setenv(t, map[string]string{"AWS_CONTAINER_CREDENTIALS_FULL_URI": server.URL + "/keys", "AWS_CONTAINER_AUTHORIZATION_TOKEN": token})
				}
				setenv(t, c.env)
				_, err := openWho(t, resolver(), c.who).Credentials(t.Context())
				if err == nil || c.kind != nil && !errors.Is(err, c.kind) || !strings.Contains(err.Error(), c.want) {
					t.Errorf("got %v, want %q", err, c.want)
				}
				if all := fmt.Sprintf("%+v", err); strings.Contains(all, token[8:28]) {
					t.Errorf("the token is shown: %s", all)
				}
			})
		}
	}
}

// TestAnAnswerThatRepeatsNoTokenIsShown: AWS repeats parts of a signature to say what is wrong with it.
func TestAnAnswerThatRepeatsNoTokenIsShown(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		stsSays("Weird")(w, r.Header.Get("Authorization")[:40])
	}))
	defer server.Close()
	setenv(t, map[string]string{"AWS_ENDPOINT_URL": server.URL, "AWS_REGION": "us-east-1", "AWS_MAX_ATTEMPTS": "1", "AWS_ACCESS_KEY_ID": "AKIDENV", "AWS_SECRET_ACCESS_KEY": canary, "AWS_SESSION_TOKEN": canary + "-token"})
	_, err := sts.NewFromConfig(openWho(t, resolver(), Who{}).Config).GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{})
	if e := Failure(t.Context(), "ask", err); !strings.Contains(e.Error(), "AWS4-HMAC-SHA256 Credential=AKIDENV") {
		t.Errorf("got %v, want AWS's text", e)
	}
}

func stsSays(code string) func(w http.ResponseWriter, echo string) {
	return func(w http.ResponseWriter, echo string) {
		w.WriteHeader(http.StatusBadRequest)
		_, _ = fmt.Fprintf(w, `<ErrorResponse><Error><Code>%s</Code><Message>bad %s</Message></Error></ErrorResponse>`, code, echo)
	}
}

// login is what aws sso login writes, with the profile that it is for.
func login(t *testing.T, token string) {
	t.Helper()
	home := t.TempDir()
	t.Setenv("HOME", home)
	awsFolder(t, "[sso-session corp]\nsso_start_url = https://example.awsapps.com/start\nsso_region = us-east-1\n[profile sso]\nsso_session = corp\nsso_account_id = 123456789012\nsso_role_name = Analyst\n", "")
	file := filepath.Join(home, ".aws", "sso", "cache", fmt.Sprintf("%x.json", sha1.Sum([]byte("corp")))) // #nosec G401 -- AWS's name for the file
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, file, fmt.Sprintf(`{"accessToken": %q, "expiresAt": %q}`, token, time.Now().Add(time.Hour).UTC().Format(time.RFC3339)))
}
