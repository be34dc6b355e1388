package session

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"

	"github.com/airhook-go/airhook"
	"github.com/airhook-go/airhook/airhooktest"
)

const canary = "canary-wJalrXUtnFEMI"

func awsConn(t testing.TB, login, password, extra string) airhook.Connection {
	t.Helper()
	e, err := airhook.ParseExtra(extra)
	if err != nil {
		t.Fatal(err)
	}
	return airhook.Connection{ID: "my_aws", Type: "aws", Login: login, Password: airhook.NewSecret(password), Extra: e}
}

func resolver(conns ...airhook.Connection) *Resolver {
	return &Resolver{Registry: airhooktest.Registry(conns...)}
}

func mustOpen(t testing.TB, r *Resolver, id string) *Session {
	t.Helper()
	s, err := r.Open(t.Context(), Who{ConnID: id})
	if err != nil {
		t.Fatalf("Open(%q): %v", id, err)
	}
	return s
}

func TestKeysComeFromTheFirstCompletePair(t *testing.T) {
	for _, c := range []struct{ name, login, password, extra, wantID, wantSecret, wantToken string }{
		{"login and password", "AKID1", "s1", ``, "AKID1", "s1", ""},
		{"extra", "", "", `{"aws_access_key_id": "AKID2", "aws_secret_access_key": "s2"}`, "AKID2", "s2", ""},
		{"session_kwargs", "", "", `{"session_kwargs": {"aws_access_key_id": "AKID3", "aws_secret_access_key": "s3", "aws_session_token": "t3"}}`, "AKID3", "s3", "t3"},
		{"session_kwargs as a URI has it", "", "", `{"session_kwargs": "{\"aws_access_key_id\": \"AKID3\", \"aws_secret_access_key\": \"s3\"}"}`, "AKID3", "s3", ""},
		{"login and password before the extra", "AKID1", "s1", `{"aws_access_key_id": "AKID2", "aws_secret_access_key": "s2"}`, "AKID1", "s1", ""},
		{"a login alone gives way", "AKID1", "", `{"aws_access_key_id": "AKID2", "aws_secret_access_key": "s2"}`, "AKID2", "s2", ""},
		{"a session token belongs to any pair", "AKID1", "s1", `{"aws_session_token": "t1"}`, "AKID1", "s1", "t1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := mustOpen(t, resolver(awsConn(t, c.login, c.password, c.extra)), "my_aws")
			creds, err := s.Credentials(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if creds.AccessKeyID != c.wantID || creds.SecretAccessKey != c.wantSecret || creds.SessionToken != c.wantToken {
				t.Errorf("got %s %s %s, want %s %s %s", creds.AccessKeyID, creds.SecretAccessKey, creds.SessionToken, c.wantID, c.wantSecret, c.wantToken)
			}
			if got, want := s.Source(creds), `connection "my_aws"`; got != want {
				t.Errorf("source %s, want %s", got, want)
			}
		})
	}
}

func TestContradictionsAreInvalidAndNameTheKey(t *testing.T) {
	for _, c := range []struct{ name, login, password, extra, want string }{
		{"a login without a password", "AKID", "", ``, "login and password hold one half"},
		{"a password without a login", "", canary, ``, "login and password hold one half"},
		{"half of the extra's pair", "", "", `{"aws_secret_access_key": "` + canary + `"}`, "aws_access_key_id and aws_secret_access_key hold one half"},
		{"a token without a pair", "", "", `{"aws_session_token": "` + canary + `"}`, "session token without a key pair"},
		{"an endpoint without a scheme", "", "", `{"endpoint_url": "` + canary + `"}`, `"endpoint_url" is no http`},
		{"an endpoint with credentials", "", "", `{"endpoint_url": "https://u:` + canary + `@example.com"}`, `"endpoint_url" holds credentials`},
		{"an endpoint with a query", "", "", `{"service_config": {"sts": {"endpoint_url": "https://example.com/?x=` + canary + `"}}}`, `"service_config.sts.endpoint_url" holds a query`},
		{"an endpoint that is an object", "", "", `{"endpoint_url": {"a": 1}}`, `"endpoint_url" is an object`},
		{"a region that is a host", "", "", `{"region_name": "evil.example.com/` + canary + `"}`, `"region_name" is no region's name`},
		{"service_config that is no object", "", "", `{"service_config": "` + canary + `"}`, `"service_config" is no JSON object`},
		{"a service that is no object", "", "", `{"service_config": {"sts": 7}}`, `"service_config.sts" is no JSON object`},
		{"a time-out that is none", "", "", `{"config_kwargs": {"connect_timeout": "soon"}}`, `"config_kwargs.connect_timeout" is not a number of seconds`},
		{"a negative time-out", "", "", `{"config_kwargs": {"read_timeout": -1}}`, `"config_kwargs.read_timeout"`},
		{"a retry mode of its own", "", "", `{"config_kwargs": {"retries": {"mode": "` + canary + `"}}}`, `"config_kwargs.retries.mode" is unknown`},
		{"a switch that is none", "", "", `{"config_kwargs": {"use_fips_endpoint": "flase"}}`, `"config_kwargs.use_fips_endpoint" is neither true nor false`},
		{"a proxy that is none", "", "", `{"config_kwargs": {"proxies": {"https": "http://` + canary + `:x:y"}}}`, `"config_kwargs.proxies.https" is no proxy`},
		{"a CA bundle that is missing", "", "", `{"verify": "/does/not/exist.pem"}`, `"verify" names a CA bundle`},
		{"a CA bundle that is a device", "", "", `{"verify": "/dev/zero"}`, `"verify" names a CA bundle: read /dev/zero: it is no regular file`},
		{"a misspelt role", "", "", `{"role-arn": "arn:aws:iam::123456789012:role/x"}`, `"role-arn" is unknown`},
		{"a misspelt profile", "", "", `{"profileName": "x"}`, `"profileName" is unknown`},
		{"a misspelt key", "", "", `{"aws_acces_key_id": "` + canary + `"}`, `"aws_acces_key_id" is unknown`},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := resolver(awsConn(t, c.login, c.password, c.extra)).Open(t.Context(), Who{ConnID: "my_aws"})
			if !errors.Is(err, airhook.ErrInvalid) || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), `"my_aws"`) {
				t.Errorf("got %v, want invalid with %q", err, c.want)
			}
			if strings.Contains(fmt.Sprintf("%v %+v %#v", err, err, err), canary) {
				t.Errorf("the error shows a value: %v", err)
			}
		})
	}
}

func TestWithoutAConnectionTheDefaultChainSigns(t *testing.T) {
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIDENV")
	t.Setenv("AWS_SECRET_ACCESS_KEY", canary)
	for _, c := range []struct {
		id    string
		conns []airhook.Connection
		want  string
	}{
		{"", nil, `default chain (environment)`},
		{"aws_default", nil, `default chain (environment): connection "aws_default" isn't defined`},
		{"my_aws", []airhook.Connection{awsConn(t, "", "", `{"region_name": "eu-west-1"}`)}, `default chain (environment): connection "my_aws" has no keys`},
	} {
		s := mustOpen(t, resolver(c.conns...), c.id)
		creds, err := s.Credentials(t.Context())
		if err != nil || creds.AccessKeyID != "AKIDENV" {
			t.Fatalf("%q: got %s, %v", c.id, creds.AccessKeyID, err)
		}
		if got := s.Source(creds); got != c.want {
			t.Errorf("%q: source %s, want %s", c.id, got, c.want)
		}
	}
}

func TestAnUndefinedIDIsNotFound(t *testing.T) {
	_, err := resolver(awsConn(t, "a", "b", "")).Open(t.Context(), Who{ConnID: "my_awz"})
	if !errors.Is(err, airhook.ErrNotFound) || !strings.Contains(err.Error(), `"my_awz" isn't defined`) {
		t.Errorf("got %v, want not_found", err)
	}
}

// The flags are those of an identity, whatever the registry says of how it adds a connection; the nearest ids are its to know.
func TestHowToAddAnUndefinedIdentityCanBeTyped(t *testing.T) {
	for hint, want := range map[string]string{
		"":                          "add it with: airhook connections add my_awz --conn-type aws --conn-login KEY_ID --conn-password-stdin",
		"add it with: a URI":        "add it with: airhook connections add my_awz --conn-type aws --conn-login KEY_ID --conn-password-stdin",
		"did you mean my_aws_conn?": "did you mean my_aws_conn?",
	} {
		var e *airhook.Error
		if err := undefined("my_awz", &airhook.Error{Kind: airhook.ErrNotFound, Hint: hint}); !errors.As(err, &e) || e.Hint != want {
			t.Errorf("a registry that says %q: %v, hint %q, want %q", hint, err, e.Hint, want)
		}
	}
}

func TestAnotherTypeIsInvalid(t *testing.T) {
	for _, typ := range []string{"postgres", "s3", ""} {
		conn := awsConn(t, "a", "b", "")
		conn.ID, conn.Type = "aws_default", typ
		_, err := resolver(conn).Open(t.Context(), Who{ConnID: "aws_default"})
		if !errors.Is(err, airhook.ErrInvalid) || !strings.Contains(err.Error(), "its type is") {
			t.Errorf("type %q: got %v, want invalid", typ, err)
		}
	}
}

func TestAnotherIdentityIsRefusedByName(t *testing.T) {
	const role = `"role_arn": "arn:aws:iam::123456789012:role/x"`
	for extra, want := range map[string]string{
		`{"profile": "prod"}`: "profile", `{"session_kwargs": {"profile": "prod"}}`: "session_kwargs.profile",
		`{"credential_process": "x"}`: "credential_process", `{"aws_iam_role": "x"}`: "aws_iam_role", `{"aws_account_id": "123456789012"}`: "aws_account_id",
		`{"external_id": "x", ` + role + `}`: "external_id", `{"s3_config_file": "x"}`: "s3_config_file", `{"web_identity_token_file": "x"}`: "web_identity_token_file",
		`{"config_kwargs": {"signature_version": "unsigned"}}`:                                                     "config_kwargs",
		`{` + role + `, "assume_role_method": "assume_role_with_saml", "assume_role_with_saml": {"idp_url": "x"}}`: "assume_role_method",
		`{` + role + `, "assume_role_method": "assume_role_with_web_identity", "assume_role_with_web_identity_federation": "google",
			"assume_role_with_web_identity_federation_audience": "x", "assume_role_with_web_identity_token_file": "x"}`: "assume_role_with_web_identity_federation",
	} {
		s := mustOpen(t, resolver(awsConn(t, "AKID", canary, extra)), "my_aws")
		if !strings.Contains(s.Refused, want) || !strings.Contains(s.Refused, "my_aws") || s.RefusedHint == "" {
			t.Errorf("%s: refused %q (%q), want a text that names %s", extra, s.Refused, s.RefusedHint, want)
		}
		if creds, err := s.Credentials(t.Context()); !errors.Is(err, airhook.ErrInvalid) || creds.HasKeys() {
			t.Errorf("%s: credentials %v, want none and invalid", extra, err)
		}
		if got := s.Source(aws.Credentials{}); !strings.HasPrefix(got, `connection "my_aws"`) {
			t.Errorf("%s: source %s", extra, got)
		}
	}
	for _, extra := range []string{`{"role_arn": null, "profile_name": "", "assume_role_kwargs": {}, "config_kwargs": {"signature_version": "v4"}}`} {
		if s := mustOpen(t, resolver(awsConn(t, "AKID", canary, extra)), "my_aws"); s.Refused != "" || s.RoleARN != "" {
			t.Errorf("%s asks for nothing, and is refused: %s", extra, s.Refused)
		}
	}
}

func TestWhatHasNoEffectIsSaid(t *testing.T) {
	conn := awsConn(t, "AKID", canary, `{"region": "eu-west-1", "colour": "red", "verify": false, "config_kwargs": {"max_pool_connections": 7},
		"aws_access_key_id": "AKID2", "aws_secret_access_key": "x"}`)
	conn.Host = "s3.example.com"
	want := []string{
		`several key pairs are given: login and password sign`, `"verify" is false: whoever answers in AWS's place is believed`,
		`extra "config_kwargs.max_pool_connections" has no effect`, `the host is ignored: an endpoint stands in endpoint_url`,
		`extra "region" has no effect: did you mean region_name?`, `extra "colour" has no effect`,
	}
	for i := range want {
		want[i] = `aws connection "my_aws": ` + want[i]
	}
	if diff := cmp.Diff(want, mustOpen(t, resolver(conn), "my_aws").Warnings); diff != "" {
		t.Error(diff)
	}
}

func TestPlainHTTPToAnotherMachineIsSaid(t *testing.T) {
	for extra, want := range map[string]string{
		`{"endpoint_url": "http://redshift.corp.example"}`:                           `extra "endpoint_url" is plain http to another machine`,
		`{"service_config": {"sts": {"endpoint_url": "http://192.0.2.7:8080"}}}`:     `extra "service_config.sts.endpoint_url" is plain http`,
		`{"endpoint_url": "https://redshift.corp.example"}`:                          "",
		`{"endpoint_url": "http://127.0.0.1:4566"}`:                                  "",
		`{"endpoint_url": "http://[::1]:4566"}`:                                      "",
		`{"service_config": {"redshift": {"endpoint_url": "HTTP://LOCALHOST:123"}}}`: "",
	} {
		warnings := strings.Join(mustOpen(t, resolver(awsConn(t, "AKID", canary, extra)), "my_aws").Warnings, "\n")
		if want == "" && warnings != "" || !strings.Contains(warnings, want) {
			t.Errorf("%s: warnings %q, want %q", extra, warnings, want)
		}
	}
}

func TestEndpoints(t *testing.T) {
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIDENV")
	t.Setenv("AWS_SECRET_ACCESS_KEY", canary)
	s := mustOpen(t, resolver(awsConn(t, "", "", `{"endpoint_url": "https://all.example.com", "service_config": {
		"sts": {"endpoint_url": "http://sts.example.com:8080", "region_name": "eu-west-3"}, "redshift": {"endpoint_url": null}, "s3": {"bucket_name": "b"}}}`)), "my_aws")
	env := aws.String("https://env.example.com")
	for service, want := range map[string]string{"sts": "http://sts.example.com:8080", "redshift": *env, "redshift-serverless": "https://all.example.com"} {
		if got := s.Endpoint(service, env); got == nil || *got != want {
			t.Errorf("%s: %v, want %s", service, got, want)
		}
	}
	if got := s.ServiceRegion("sts", "us-east-1"); got != "eu-west-3" {
		t.Errorf("region of sts %s", got)
	}
	if got := s.ServiceRegion("redshift", "us-east-1"); got != "us-east-1" {
		t.Errorf("region of redshift %s", got)
	}
	if got := mustOpen(t, resolver(), "").Endpoint("sts", nil); got != nil {
		t.Errorf("without any setting the endpoint is %s", *got)
	}
}

func TestClientSettings(t *testing.T) {
	s := mustOpen(t, resolver(awsConn(t, "a", canary, `{"config_kwargs": {"connect_timeout": 2.5, "read_timeout": "7", "region_name": "eu-north-1",
		"retries": {"max_attempts": 4, "mode": "adaptive"}, "proxies": {"https": "proxy.example.com:3128"}}}`)), "my_aws")
	if s.Region != "eu-north-1" || s.Config.RetryMaxAttempts != 5 || s.Config.RetryMode != aws.RetryModeAdaptive {
		t.Errorf("got region %s, %d attempts, mode %s", s.Region, s.Config.RetryMaxAttempts, s.Config.RetryMode)
	}
	client := s.Config.HTTPClient.(*awshttp.BuildableClient)
	if client.GetTimeout() != 7*time.Second || client.GetDialer().Timeout != 2500*time.Millisecond {
		t.Errorf("got time-outs %s, %s", client.GetTimeout(), client.GetDialer().Timeout)
	}
	req := httptest.NewRequest(http.MethodGet, "https://sts.amazonaws.com/", nil)
	if proxy, err := client.GetTransport().Proxy(req); err != nil || proxy.String() != "http://proxy.example.com:3128" {
		t.Errorf("proxy %v, %v", proxy, err)
	}
	if client.GetTransport().TLSClientConfig.InsecureSkipVerify {
		t.Error("certificates are not checked")
	}
	insecure := mustOpen(t, resolver(awsConn(t, "a", canary, `{"verify": "False"}`)), "my_aws").Config.HTTPClient.(*awshttp.BuildableClient)
	if !insecure.GetTransport().TLSClientConfig.InsecureSkipVerify {
		t.Error(`"verify": "False" has no effect`)
	}
}

func TestTheEnvironmentsRegion(t *testing.T) {
	file := filepath.Join(t.TempDir(), "config")
	if err := os.WriteFile(file, []byte("[profile dev]\nregion = ap-south-1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	check := func(r *Resolver, id, wantRegion, wantFrom string) {
		t.Helper()
		if region, from := mustOpen(t, r, id).EnvironmentRegion(); region != wantRegion || !strings.HasPrefix(from, wantFrom) {
			t.Errorf("got %q from %q, want %q from %q", region, from, wantRegion, wantFrom)
		}
	}
	r := resolver(awsConn(t, "a", canary, `{"region_name": "eu-west-1"}`))
	check(r, "", "", "")
	t.Setenv("AWS_CONFIG_FILE", file)
	t.Setenv("AWS_PROFILE", "dev")
	check(r, "", "ap-south-1", "AWS config file")
	t.Setenv("AWS_DEFAULT_REGION", "us-west-1")
	check(r, "", "us-west-1", "environment AWS_REGION or AWS_DEFAULT_REGION")
	check(r, "my_aws", "", "") // the connection has its own
	t.Setenv("AWS_PROFILE", "prod")
	if _, err := r.Open(t.Context(), Who{}); !errors.Is(err, airhook.ErrInvalid) || !strings.Contains(err.Error(), `"prod"`) {
		t.Errorf("a missing profile: got %v, want invalid that names it", err)
	}
}

func TestSessionsAreKeptUntilSomethingChanges(t *testing.T) {
	registry := airhooktest.Registry(awsConn(t, "AKID", canary, ""))
	r := &Resolver{Registry: registry}
	was := mustOpen(t, r, "my_aws")
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			if s, err := r.Open(t.Context(), Who{ConnID: "my_aws"}); s != was || err != nil {
				t.Errorf("got another session (%v)", err)
			}
		})
	}
	wg.Wait()
	if err := registry.Put(t.Context(), awsConn(t, "AKID", "another", "")); err != nil {
		t.Fatal(err)
	}
	now := mustOpen(t, r, "my_aws")
	if now == was || now.Principal == was.Principal {
		t.Error("another secret gives the same session or principal")
	}
	if strings.Contains(now.Principal, "another") || strings.Contains(now.Principal, "AKID") {
		t.Errorf("the principal shows what it was made from: %s", now.Principal)
	}
}

func TestRenewedFilesAreRead(t *testing.T) {
	file := filepath.Join(t.TempDir(), "credentials")
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", file)
	r := resolver()
	for _, want := range []string{"AKIDOLD", "AKIDRENEWED"} {
		text := "[default]\naws_access_key_id = " + want + "\naws_secret_access_key = " + canary + "\n"
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		creds, err := mustOpen(t, r, "").Credentials(t.Context())
		if err != nil || creds.AccessKeyID != want {
			t.Errorf("got %s (%v), want %s", creds.AccessKeyID, err, want)
		}
	}
}

// TestAnotherFileIsAnotherPrincipal: also the files of before, because in between others were signed for. Who signs with
// keys of a connection stays the same.
func TestAnotherFileIsAnotherPrincipal(t *testing.T) {
	dir := t.TempDir()
	link := filepath.Join(dir, "credentials")
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", link)
	r := resolver(awsConn(t, "AKID", canary, ""))
	signer, seen := mustOpen(t, r, "my_aws").Principal, map[string]string{}
	for _, name := range []string{"alice", "bob", "alice"} {
		file := filepath.Join(dir, name)
		text := "[default]\naws_access_key_id = AKID" + name + "\naws_secret_access_key = " + canary + "\n"
		if _, err := os.Stat(file); err != nil {
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		_ = os.Remove(link)
		if err := os.Symlink(file, link); err != nil {
			t.Fatal(err)
		}
		s := mustOpen(t, r, "")
		if before, twice := seen[s.Principal]; twice {
			t.Errorf("%s is the same principal as %s before", name, before)
		}
		seen[s.Principal] = name
		if again := mustOpen(t, r, "").Principal; again != s.Principal {
			t.Errorf("%s is another principal without a change", name)
		}
		if now := mustOpen(t, r, "my_aws").Principal; now != signer {
			t.Errorf("the connection's keys are another principal after %s's file", name)
		}
	}
}

func TestACredentialProcessThatFailsShowsNoOutput(t *testing.T) {
	for command, want := range map[string]string{
		`sh -c "echo not-json ` + canary + `"`:           `the credential_process of AWS profile "default" printed no credentials`,
		`sh -c "echo ` + canary + ` >&2; exit 7"`:        "failed: exit status 7",
		`sh -c "echo '{\"Version\": 7}' ` + canary + `"`: "printed no credentials",
	} {
		file := filepath.Join(t.TempDir(), "config")
		if err := os.WriteFile(file, []byte("[default]\ncredential_process = "+command+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		t.Setenv("AWS_CONFIG_FILE", file)
		_, err := mustOpen(t, resolver(), "").Credentials(t.Context())
		if !errors.Is(err, airhook.ErrInvalid) || !strings.Contains(err.Error(), want) || strings.Contains(fmt.Sprintf("%v %+v", err, err), canary) {
			t.Errorf("%s: got %v, want invalid with %q and no output", command, err, want)
		}
	}
}

func TestNoCredentialsSaysWhatWasTried(t *testing.T) {
	_, err := mustOpen(t, resolver(), "aws_default").Credentials(t.Context())
	var e *airhook.Error
	if !errors.As(err, &e) || !errors.Is(err, airhook.ErrInvalid) || !strings.Contains(err.Error(), "no AWS credentials found: tried") || e.Hint == "" {
		t.Errorf("got %v, want what was tried", err)
	}
}

func TestASilentMetadataServiceDoesNotHang(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0") // takes connections and never answers
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	t.Setenv("AWS_EC2_METADATA_DISABLED", "false")
	t.Setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://"+silent.Addr().String())
	started := time.Now()
	_, err = mustOpen(t, resolver(), "").Credentials(t.Context())
	if took := time.Since(started); took > credentialTimeout+time.Second {
		t.Errorf("it took %s", took)
	} else {
		t.Logf("gave up after %s", took.Round(time.Millisecond))
	}
	if err == nil || !strings.Contains(err.Error(), "no AWS credentials found") {
		t.Errorf("got %v", err)
	}
}

func TestCancelledIsCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := resolver(awsConn(t, "a", canary, "")).Open(ctx, Who{ConnID: "my_aws"}); !errors.Is(err, airhook.ErrCancelled) {
		t.Errorf("got %v, want cancelled", err)
	}
}

// FuzzExtra: whatever an extra holds, a session is opened or the connection is named as invalid, and no value is shown.
func FuzzExtra(f *testing.F) {
	for _, seed := range []string{
		`{"aws_access_key_id": "AKID", "aws_secret_access_key": "s"}`, `{"service_config": {"sts": {"endpoint_url": null}}}`,
		`{"config_kwargs": {"retries": {"max_attempts": 3}, "proxies": {"https": "p:1"}}}`, `{"verify": false, "region_name": "us-east-1"}`,
		`{"session_kwargs": "{}", "role_arn": ["x"]}`, `{"endpoint_url": "https://a@b"}`, `{"config_kwargs": {"read_timeout": NaN}}`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		extra, err := airhook.ParseExtra(text)
		if err != nil {
			return
		}
		set, err := read(airhook.Connection{ID: "my_aws", Type: "aws", Login: "AKID", Password: airhook.NewSecret(canary), Extra: extra})
		if err != nil && !errors.Is(err, airhook.ErrInvalid) {
			t.Errorf("%q: %v, want invalid", text, err)
		}
		if err != nil && strings.Contains(err.Error(), canary) {
			t.Errorf("%q: the error shows a secret", text)
		}
		if err == nil && (set.keys.id == "" || set.keys.secret.IsZero() || set.region != "" && !ValidRegion(set.region)) {
			t.Errorf("%q: got keys %v, region %q", text, set.keys, set.region)
		}
	})
}

func BenchmarkOpen(b *testing.B) {
	r := resolver(awsConn(b, "AKID", canary, ""))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.Open(b.Context(), Who{ConnID: "my_aws"}); err != nil {
			b.Fatal(err)
		}
	}
}

// TestARegionMakesNoOtherPrincipal: a target's region may be known only once its endpoint was looked up, and who signs is
// the same before and after, however often the files had changed.
func TestARegionMakesNoOtherPrincipal(t *testing.T) {
	file := filepath.Join(t.TempDir(), "credentials")
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", file)
	r := resolver()
	for _, key := range []string{"AKIDALICE", "AKIDBOB"} {
		if err := os.WriteFile(file, []byte("[default]\naws_access_key_id = "+key+"\naws_secret_access_key = "+canary+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := r.Open(t.Context(), Who{Region: "us-east-1"}); err != nil { // only this one sees every file
			t.Fatal(err)
		}
	}
	seen := map[string]bool{}
	for _, region := range []string{"", "us-east-1", "eu-west-1"} {
		seen[openWho(t, r, Who{Region: region}).Principal] = true
	}
	if len(seen) != 1 {
		t.Errorf("one identity in three regions has %d principals", len(seen))
	}
}
