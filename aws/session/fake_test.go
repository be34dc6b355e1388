package session

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

const (
	roleA = "arn:aws:iam::123456789012:role/a"
	roleB = "arn:aws:iam::123456789012:role/team/b"
)

// fakeAWS is STS, the metadata service (version 2 only), a container's endpoint and IAM Identity Center, as their references
// describe them. It checks no signature. The keys that it gives are named after what was asked for.
type fakeAWS struct {
	*httptest.Server
	t testing.TB

	mu     sync.Mutex
	calls  []url.Values // of STS; "scope" is what signed
	fails  map[string][2]string
	life   time.Duration
	date   time.Time // "" is now
	status int
}

func newFake(t testing.TB) *fakeAWS {
	f := &fakeAWS{t: t, fails: map[string][2]string{}, life: time.Hour, status: http.StatusForbidden}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /{$}", f.sts)
	mux.HandleFunc("PUT /latest/api/token", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Aws-Ec2-Metadata-Token-Ttl-Seconds", "300")
		_, _ = fmt.Fprint(w, "v2-token")
	})
	mux.HandleFunc("GET /latest/meta-data/iam/security-credentials/", f.imds)
	mux.HandleFunc("GET /container", f.container)
	mux.HandleFunc("GET /federation/credentials", f.sso)
	f.Server = httptest.NewServer(mux)
	t.Cleanup(f.Close)
	return f
}

// fail makes a call of STS fail; code "" heals it.
func (f *fakeAWS) fail(call, code, text string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fails[call] = [2]string{code, text}
}

func (f *fakeAWS) seen() []url.Values {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]url.Values(nil), f.calls...)
}

func (f *fakeAWS) sts(w http.ResponseWriter, r *http.Request) {
	_ = r.ParseForm()
	form := r.PostForm
	form.Set("scope", r.Header.Get("Authorization"))
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = append(f.calls, form)
	call := form.Get("Action")
	if !f.date.IsZero() {
		w.Header().Set("Date", f.date.UTC().Format(http.TimeFormat))
	}
	if fail := f.fails[call+" "+form.Get("RoleArn")]; fail[0] != "" {
		w.WriteHeader(f.status)
		_, _ = fmt.Fprintf(w, `<ErrorResponse><Error><Type>Sender</Type><Code>%s</Code><Message>%s</Message></Error><RequestId>r-1</RequestId></ErrorResponse>`, fail[0], fail[1])
		return
	}
	_, _ = fmt.Fprintf(w, `<%sResponse><%sResult><Credentials><AccessKeyId>ASIA-%s-%d</AccessKeyId><SecretAccessKey>%s-role</SecretAccessKey><SessionToken>%s-token</SessionToken><Expiration>%s</Expiration></Credentials>`+
		`<AssumedRoleUser><Arn>arn:aws:sts::123456789012:assumed-role/x/%s</Arn><AssumedRoleId>AROA:x</AssumedRoleId></AssumedRoleUser></%sResult></%sResponse>`,
		call, call, filepath.Base(form.Get("RoleArn")), len(f.calls), canary, canary, time.Now().Add(f.life).UTC().Format(time.RFC3339), form.Get("RoleSessionName"), call, call)
}

func (f *fakeAWS) imds(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.Header.Get("X-Aws-Ec2-Metadata-Token") != "v2-token":
		w.WriteHeader(http.StatusUnauthorized)
	case strings.HasSuffix(r.URL.Path, "/security-credentials/"):
		_, _ = fmt.Fprint(w, "instance-role")
	default:
		f.keys(w, "IMDS", `"Code": "Success", `)
	}
}

func (f *fakeAWS) container(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Authorization") != "pod-token" {
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = fmt.Fprint(w, "no")
		return
	}
	f.keys(w, "CONTAINER", "")
}

// sso is IAM Identity Center's GetRoleCredentials.
func (f *fakeAWS) sso(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.Header.Get("X-Amz-Sso_bearer_token") != "sso-token":
		w.Header().Set("X-Amzn-Errortype", "UnauthorizedException")
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = fmt.Fprint(w, `{"message": "Session token not found or invalid"}`)
		return
	case r.URL.Query().Get("role_name") != "Analyst":
		w.Header().Set("X-Amzn-Errortype", "ForbiddenException")
		w.WriteHeader(http.StatusForbidden)
		_, _ = fmt.Fprint(w, `{"message": "No access"}`)
		return
	}
	_, _ = fmt.Fprintf(w, `{"roleCredentials": {"accessKeyId": "ASIA-SSO", "secretAccessKey": %q, "sessionToken": %q, "expiration": %d}}`, canary, canary, time.Now().Add(f.life).UnixMilli())
}

func (f *fakeAWS) keys(w http.ResponseWriter, name, more string) {
	_, _ = fmt.Fprintf(w, `{%s"AccessKeyId": "ASIA-%s", "SecretAccessKey": %q, "Token": %q, "Expiration": %q}`, more, name, canary, canary, time.Now().Add(f.life).UTC().Format(time.RFC3339))
}

// awsFolder sets the AWS files of a test.
func awsFolder(t testing.TB, configText, credentialsText string) (configFile, credentialsFile string) {
	t.Helper()
	dir := t.TempDir()
	configFile, credentialsFile = filepath.Join(dir, "config"), filepath.Join(dir, "credentials")
	for name, text := range map[string]string{configFile: configText, credentialsFile: credentialsText} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	setenv(t, map[string]string{"AWS_CONFIG_FILE": configFile, "AWS_SHARED_CREDENTIALS_FILE": credentialsFile})
	return configFile, credentialsFile
}

func write(t testing.TB, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func setenv(t testing.TB, env map[string]string) {
	t.Helper()
	for name, value := range env {
		t.Setenv(name, value)
	}
}

func openWho(t testing.TB, r *Resolver, who Who) *Session {
	t.Helper()
	s, err := r.Open(t.Context(), who)
	if err != nil {
		t.Fatalf("Open(%+v): %v", who, err)
	}
	return s
}
