package session

import (
	"context"
	"crypto/sha1" // #nosec G505 -- AWS's name for a file
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/aws/aws-sdk-go-v2/config"

	"github.com/airhook-go/airhook"
)

func TestAProfileWithQuotedValues(t *testing.T) {
	for name, text := range map[string]string{
		"as Airflow's Redshift guide prints it": "# ~/.aws/credentials\n[analyst]\naws_access_key_id=\"AKIDQUOTED\"\naws_secret_access_key=\"" + canary + "\"\naws_session_token=\"t==\"\n",
		"single quotes and blanks":              "[ analyst ]\n aws_access_key_id = 'AKIDQUOTED' \n aws_secret_access_key = '" + canary + "'\n aws_session_token = t==\n",
		"from Windows":                          "[analyst]\r\naws_access_key_id=\"AKIDQUOTED\"\r\naws_secret_access_key=\"" + canary + "\"\r\naws_session_token=\"t==\"\r\n",
		"none":                                  "[analyst]\naws_access_key_id = AKIDQUOTED\naws_secret_access_key = " + canary + "\naws_session_token = t==\n",
	} {
		awsFolder(t, "", text)
		setenv(t, map[string]string{"AWS_ACCESS_KEY_ID": "AKIDENV", "AWS_SECRET_ACCESS_KEY": "x"}) // a named profile goes before
		s := openWho(t, resolver(), Who{ConnID: "aws_default", Profile: "analyst"})
		creds, err := s.Credentials(t.Context())
		if err != nil || creds.AccessKeyID != "AKIDQUOTED" || creds.SecretAccessKey != canary || creds.SessionToken != "t==" {
			t.Errorf("%s: got %s %s %s (%v)", name, creds.AccessKeyID, creds.SecretAccessKey, creds.SessionToken, err)
		}
		if got := s.Source(creds); got != `profile "analyst"` {
			t.Errorf("%s: source %s", name, got)
		}
	}
}

func TestAProfileAndAConnectionThatContradict(t *testing.T) {
	awsFolder(t, "", "[dev]\naws_access_key_id = AKIDDEV\naws_secret_access_key = x\n[prod]\naws_access_key_id = AKIDPROD\naws_secret_access_key = x\n")
	web := `{"role_arn": "` + roleA + `", "assume_role_method": "assume_role_with_web_identity", "assume_role_with_web_identity_federation": "file", "assume_role_with_web_identity_token_file": "/x"}`
	for _, c := range []struct{ login, extra, want string }{
		{"AKID", ``, "it has keys"}, {"AKID", `{"profile_name": "dev"}`, "it has keys"}, {"", `{"profile_name": "prod"}`, `it names profile "prod"`}, {"", web, "it has a web identity"},
	} {
		conn := awsConn(t, c.login, c.login, c.extra)
		_, err := resolver(conn).Open(t.Context(), Who{ConnID: "my_aws", Profile: "dev"})
		if !errors.Is(err, airhook.ErrInvalid) || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), `"my_aws"`) || !strings.Contains(err.Error(), `AWS profile "dev"`) {
			t.Errorf("%s %s: got %v, want invalid with %q", c.login, c.extra, err, c.want)
		}
		conn.ID = "aws_default" // which nobody names
		s := openWho(t, resolver(conn), Who{ConnID: "aws_default", Profile: "dev"})
		if creds, err := s.Credentials(t.Context()); err != nil || creds.AccessKeyID != "AKIDDEV" || s.RoleARN != "" {
			t.Errorf("%s: got %s as %q (%v), want the profile's", c.extra, creds.AccessKeyID, s.RoleARN, err)
		}
		if !strings.Contains(strings.Join(s.Warnings, "\n"), "its identity has no effect") {
			t.Errorf("%s: nobody says that aws_default yields: %q", c.extra, s.Warnings)
		}
	}
	agree := openWho(t, resolver(awsConn(t, "", "", `{"profile_name": "dev", "region_name": "eu-west-1"}`)), Who{ConnID: "my_aws", Profile: "dev"})
	if creds, err := agree.Credentials(t.Context()); err != nil || creds.AccessKeyID != "AKIDDEV" || agree.Region != "eu-west-1" {
		t.Errorf("the same profile twice: got %s in %s (%v)", creds.AccessKeyID, agree.Region, err)
	}
}

func TestAConnectionsProfile(t *testing.T) {
	awsFolder(t, "[profile dev]\nregion = ap-south-1\n", "[dev]\naws_access_key_id = AKIDDEV\naws_secret_access_key = x\n")
	for _, c := range []struct{ login, extra, want, warning string }{
		{"", `{"profile_name": "dev"}`, "AKIDDEV", ""},
		{"", `{"session_kwargs": {"profile_name": "dev"}}`, "AKIDDEV", ""},
		{"AKID", `{"profile_name": "dev"}`, "AKID", "profile_name has no effect on who does"},
		{"", `{"profile_name": "dev", "profile": "x"}`, "AKIDDEV", `extra "profile" has no effect beside profile_name`},
	} {
		s := mustOpen(t, resolver(awsConn(t, c.login, c.login, c.extra)), "my_aws")
		creds, err := s.Credentials(t.Context())
		if region, from := s.EnvironmentRegion(); err != nil || creds.AccessKeyID != c.want || region != "ap-south-1" || from != "AWS config file" {
			t.Errorf("%s: got %s, region %s from %s (%v)", c.extra, creds.AccessKeyID, region, from, err)
		}
		if got := strings.Join(s.Warnings, "\n"); (got != "") != (c.warning != "") || !strings.Contains(got, c.warning) {
			t.Errorf("%s: warnings %q, want %q", c.extra, got, c.warning)
		}
	}
}

func TestWhatIsWrongWithAProfileIsNamed(t *testing.T) {
	role := func(name, source string) string {
		return fmt.Sprintf("[profile %s]\nrole_arn = arn:aws:iam::123456789012:role/%s\nsource_profile = %s\n", name, name, source)
	}
	for _, c := range []struct{ name, config, credentials, profile, want, hint string }{
		{"missing", "", "[prodd]\naws_access_key_id=a\naws_secret_access_key=b\n", "prod", `AWS profile "prod" is in neither CONFIG nor CREDENTIALS`, "did you mean prodd?"},
		{"without the word profile", "[prod]\nregion = us-east-1\n", "", "prod", `AWS profile "prod" is in neither`, "a section [prod]: it has to be [profile prod] there"},
		{"a circle", role("a", "b") + role("b", "a"), "", "a", `AWS profile "a" → "b" → "a": source_profile goes in a circle`, "one with keys"},
		{"a circle that begins later", role("a", "b") + role("b", "c") + role("c", "b"), "", "a", `AWS profile "a" → "b" → "c" → "b"`, "one with keys"},
		{"its own source", role("a", "a"), "", "a", `AWS profile "a" → "a"`, "one with keys"},
		{"a source that is missing", role("a", "b c"), "", "a", `AWS profile "b c", the source_profile of profile "a", is in neither`, "aws configure --profile 'b c'"},
		{"a source without credentials", role("a", "b") + "[profile b]\nregion = us-east-1\n", "", "a", `AWS profile "b", the source_profile of profile "a", holds no credentials`, "give it keys"},
		{"half a pair", "", "[a]\naws_access_key_id = \"" + canary + "\"\n", "a", `AWS profile "a" holds one half of a key pair`, "give both"},
		{"half a pair of the source", role("a", "b"), "[b]\naws_secret_access_key = " + canary + "\n", "a", `AWS profile "b" holds one half`, "give both"},
		{"MFA", role("a", "b") + "mfa_serial = arn:aws:iam::123456789012:mfa/x\n", "[b]\naws_access_key_id=a\naws_secret_access_key=" + canary + "\n", "a", `AWS profile "a" asks for MFA`, "MFA elsewhere"},
		{"no role", "[profile a]\nsource_profile = b\n", "[b]\naws_access_key_id=a\naws_secret_access_key=" + canary + "\n", "a", `load AWS profile "a": `, "check"},
		{"what the SDK can't parse", "", "[a]\naws_access_key_id = \"\naws_secret_access_key = x\n", "a", `load AWS profile "a": the AWS files can't be parsed`, "check"},
	} {
		t.Run(c.name, func(t *testing.T) {
			configFile, credentialsFile := awsFolder(t, c.config, c.credentials)
			want := strings.NewReplacer("CONFIG", configFile, "CREDENTIALS", credentialsFile).Replace(c.want)
			check := func(who Who, conns ...airhook.Connection) {
				t.Helper()
				_, err := resolver(conns...).Open(t.Context(), who)
				var e *airhook.Error
				if !errors.As(err, &e) || !errors.Is(err, airhook.ErrInvalid) || !strings.Contains(err.Error(), want) || !strings.Contains(e.Hint, c.hint) {
					t.Errorf("got %v (%v), want invalid with %q and hint %q", err, e, want, c.hint)
				}
				if strings.Contains(fmt.Sprintf("%+v", err), canary) {
					t.Error("the error shows a secret")
				}
			}
			check(Who{Profile: c.profile})
			check(Who{ConnID: "my_aws"}, awsConn(t, "", "", `{"profile_name": "`+c.profile+`"}`))
			t.Setenv("AWS_PROFILE", c.profile)
			check(Who{})
		})
	}
	t.Setenv("AWS_PROFILE", "")
	awsFolder(t, role("a", "a"), "[a]\naws_access_key_id=AKIDOWN\naws_secret_access_key=x\n")
	if s := openWho(t, resolver(), Who{Profile: "a"}); s.RoleARN != "arn:aws:iam::123456789012:role/a" {
		t.Errorf("a profile whose own keys assume its role signs as %q", s.RoleARN)
	}
}

// TestAProfileWithoutKeys goes on to the machine's role, as in boto3; that is told.
func TestAProfileWithoutKeys(t *testing.T) {
	f := newFake(t)
	awsFolder(t, "[profile dev]\nregion = us-east-1\n", "")
	_, err := openWho(t, resolver(), Who{Profile: "dev"}).Credentials(t.Context())
	if !errors.Is(err, airhook.ErrInvalid) || !strings.Contains(err.Error(), `AWS profile "dev" holds no credentials`) {
		t.Errorf("got %v", err)
	}
	setenv(t, map[string]string{"AWS_EC2_METADATA_DISABLED": "false", "AWS_EC2_METADATA_SERVICE_ENDPOINT": f.URL})
	s := openWho(t, resolver(), Who{Profile: "dev"})
	if creds, err := s.Credentials(t.Context()); err != nil || s.Source(creds) != `profile "dev" (EC2 instance role)` {
		t.Errorf("got source %s (%v)", s.Source(creds), err)
	}
}

// TestTheDefaultChain: each source of keys, on the way on which the SDK finds it.
func TestTheDefaultChain(t *testing.T) {
	f := newFake(t)
	dir := t.TempDir()
	token, pod := filepath.Join(dir, "token"), filepath.Join(dir, "pod")
	for name, text := range map[string]string{token: "jwt", pod: "pod-token"} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	process := `sh -c "echo '{\"Version\": 1, \"AccessKeyId\": \"AKIDPROCESS\", \"SecretAccessKey\": \"x\"}'"`
	for _, c := range []struct {
		name, config string
		env          map[string]string
		key, source  string
		role         string
	}{
		{"environment", "", map[string]string{"AWS_ACCESS_KEY_ID": "AKIDENV", "AWS_SECRET_ACCESS_KEY": "x"}, "AKIDENV", "default chain (environment)", ""},
		{"files", "[default]\naws_access_key_id = AKIDFILE\naws_secret_access_key = x\n", nil, "AKIDFILE", "default chain (AWS config files)", ""},
		{"process", "[default]\ncredential_process = " + process + "\n", nil, "AKIDPROCESS", "default chain (credential_process)", ""},
		{"a profile's role", "[profile r]\nrole_arn = " + roleA + "\nsource_profile = p\n[profile p]\ncredential_process = " + process + "\n", map[string]string{"AWS_PROFILE": "r"}, "ASIA-a-", "default chain (role), role " + roleA, roleA},
		{"a container's role", "[profile r]\nrole_arn = " + roleA + "\ncredential_source = EcsContainer\n", map[string]string{
			"AWS_PROFILE": "r", "AWS_CONTAINER_CREDENTIALS_FULL_URI": f.URL + "/container", "AWS_CONTAINER_AUTHORIZATION_TOKEN": "pod-token",
		}, "ASIA-a-", "default chain (role), role " + roleA, roleA},
		{"container", "", map[string]string{"AWS_CONTAINER_CREDENTIALS_FULL_URI": f.URL + "/container", "AWS_CONTAINER_AUTHORIZATION_TOKEN": "pod-token"}, "ASIA-CONTAINER", "default chain (container)", ""},
		{"pod identity", "", map[string]string{"AWS_CONTAINER_CREDENTIALS_FULL_URI": f.URL + "/container", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": pod}, "ASIA-CONTAINER", "default chain (container)", ""},
		{"web identity", "", map[string]string{"AWS_WEB_IDENTITY_TOKEN_FILE": token, "AWS_ROLE_ARN": roleB, "AWS_ROLE_SESSION_NAME": "pod"}, "ASIA-b-", "default chain (web identity), role " + roleB, roleB},
		{"a profile's web identity", "[default]\nweb_identity_token_file = " + token + "\nrole_arn = " + roleA + "\n", nil, "ASIA-a-", "default chain (web identity), role " + roleA, roleA},
		{"instance", "", map[string]string{"AWS_EC2_METADATA_DISABLED": "false", "AWS_EC2_METADATA_SERVICE_ENDPOINT": f.URL}, "ASIA-IMDS", "default chain (EC2 instance role)", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			awsFolder(t, c.config, "")
			setenv(t, map[string]string{"AWS_ENDPOINT_URL": f.URL})
			setenv(t, c.env)
			s := mustOpen(t, resolver(), "")
			creds, err := s.Credentials(t.Context())
			if err != nil || !strings.HasPrefix(creds.AccessKeyID, c.key) || s.Source(creds) != c.source || s.RoleARN != c.role {
				t.Errorf("got %s from %s as %q (%v), want %s from %s as %q", creds.AccessKeyID, s.Source(creds), s.RoleARN, err, c.key, c.source, c.role)
			}
			onTop := openWho(t, resolver(awsConn(t, "", "", fmt.Sprintf(`{"endpoint_url": %q}`, f.URL))), Who{ConnID: "my_aws", RoleARN: "arn:aws:iam::123456789012:role/top"})
			if creds, err := onTop.Credentials(t.Context()); err != nil || !strings.HasPrefix(creds.AccessKeyID, "ASIA-top-") {
				t.Errorf("a role on top: got %s (%v)", creds.AccessKeyID, err)
			}
		})
	}
}

// TestIAMIdentityCenter: the login that aws sso login made is read, of both kinds of profile, and one that is missing or has
// run out says how to renew it.
func TestIAMIdentityCenter(t *testing.T) {
	const start = "https://example.awsapps.com/start"
	const old, account = "[profile sso]\nsso_start_url = " + start + "\nsso_region = us-east-1\n", "sso_account_id = 123456789012\nsso_role_name = "
	const session = "[sso-session corp]\nsso_start_url = " + start + "\nsso_region = us-east-1\n[profile sso]\nsso_session = corp\n"
	const onTop = "\n[profile top]\nrole_arn = " + roleA + "\nsource_profile = sso\nregion = us-east-1\n"
	for _, kind := range []struct{ name, config, key string }{{"legacy", old, start}, {"sso_session", session, "corp"}} {
		for _, c := range []struct {
			name, file, role string // EXPIRES is replaced
			life             time.Duration
			key              string
			kind             error
			want, hint       string
		}{
			{"logged in", `{"accessToken": "sso-token", "expiresAt": "EXPIRES"}`, "Analyst", time.Hour, "ASIA-SSO", nil, "", ""},
			{"run out", `{"accessToken": "sso-token", "expiresAt": "EXPIRES"}`, "Analyst", -time.Hour, "", airhook.ErrTokenExpired, `the login of IAM Identity Center has run out (AWS profile "sso")`, "aws sso login --profile sso"},
			{"logged out elsewhere", `{"accessToken": "another", "expiresAt": "EXPIRES"}`, "Analyst", time.Hour, "", airhook.ErrTokenExpired, "the login of IAM Identity Center has run out", "aws sso login --profile sso"},
			{"no login", "", "Analyst", 0, "", airhook.ErrTokenExpired, `nobody has logged in to IAM Identity Center (AWS profile "sso")`, "aws sso login --profile sso"},
			{"no token", "{}", "Analyst", 0, "", airhook.ErrTokenExpired, "has run out", "aws sso login --profile sso"},
			{"another permission set", `{"accessToken": "sso-token", "expiresAt": "EXPIRES"}`, "Admin", time.Hour, "", airhook.ErrAccessDenied, `permission set "Admin" in account 123456789012`, "sso_role_name"},
		} {
			t.Run(kind.name+" "+c.name, func(t *testing.T) {
				f, home := newFake(t), t.TempDir()
				awsFolder(t, kind.config+account+c.role+onTop, "")
				setenv(t, map[string]string{"HOME": home, "AWS_ENDPOINT_URL": f.URL, "AWS_ENDPOINT_URL_SSO": f.URL, "AWS_ENDPOINT_URL_SSO_OIDC": f.URL})
				cache := filepath.Join(home, ".aws", "sso", "cache")
				if err := os.MkdirAll(cache, 0o700); err != nil {
					t.Fatal(err)
				}
				if c.file != "" {
					write(t, filepath.Join(cache, fmt.Sprintf("%x.json", sha1.Sum([]byte(kind.key)))), strings.Replace(c.file, "EXPIRES", time.Now().Add(c.life).UTC().Format(time.RFC3339), 1)) // #nosec G401 -- AWS's name for the file
				}
				before := disk(t, home)
				creds, err := openWho(t, resolver(), Who{Profile: "sso"}).Credentials(t.Context())
				if creds.AccessKeyID != c.key {
					t.Errorf("got %s, want %s", creds.AccessKeyID, c.key)
				}
				_, errTop := openWho(t, resolver(), Who{Profile: "top"}).Credentials(t.Context())
				for what, err := range map[string]error{"itself": err, "a source_profile": errTop} {
					var e *airhook.Error
					if !errors.Is(err, c.kind) || c.kind != nil && (!errors.As(err, &e) || !strings.Contains(err.Error(), c.want) || !strings.Contains(e.Hint, c.hint)) {
						t.Errorf("%s: got %v, want %q, hint %q", what, err, c.want, c.hint)
					}
				}
				if diff := cmp.Diff(before, disk(t, home)); diff != "" {
					t.Errorf("something was written: %s", diff)
				}
			})
		}
	}
}

// TestIAMIdentityCenterCanNotBeReached is no matter of the login.
func TestIAMIdentityCenterCanNotBeReached(t *testing.T) {
	f, home := newFake(t), t.TempDir()
	f.Close()
	awsFolder(t, "[sso-session corp]\nsso_start_url = https://example.awsapps.com/start\nsso_region = us-east-1\n[profile sso]\nsso_session = corp\nsso_account_id = 123456789012\nsso_role_name = Analyst\n", "")
	setenv(t, map[string]string{"HOME": home, "AWS_ENDPOINT_URL": f.URL, "AWS_ENDPOINT_URL_SSO": f.URL, "AWS_ENDPOINT_URL_SSO_OIDC": f.URL, "AWS_MAX_ATTEMPTS": "1"})
	file := filepath.Join(home, ".aws", "sso", "cache", fmt.Sprintf("%x.json", sha1.Sum([]byte("corp")))) // #nosec G401 -- AWS's name for the file
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	for life, more := range map[time.Duration]string{time.Hour: "", -time.Hour: `, "clientId": "c", "clientSecret": "s", "refreshToken": "r"`} {
		write(t, file, fmt.Sprintf(`{"accessToken": "sso-token", "expiresAt": %q%s}`, time.Now().Add(life).UTC().Format(time.RFC3339), more))
		if _, err := openWho(t, resolver(), Who{Profile: "sso"}).Credentials(t.Context()); !errors.Is(err, airhook.ErrUnreachable) {
			t.Errorf("life %s: got %v, want unreachable", life, err)
		}
	}
}

func TestAContainersEndpointThatFailsIsNamed(t *testing.T) {
	f := newFake(t)
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = closed.Close()
	for _, c := range []struct {
		url, token string
		kind       error
		want       string
	}{
		{f.URL + "/container", "wrong", airhook.ErrAccessDenied, "from the container's endpoint: access denied (HTTP 401)"},
		{f.URL + "/nothing", "pod-token", nil, "from the container's endpoint: it answered HTTP 404"},
		{"http://" + closed.Addr().String(), "", airhook.ErrUnreachable, "from the container's endpoint: it can't be reached: "},
	} {
		setenv(t, map[string]string{"AWS_MAX_ATTEMPTS": "1", "AWS_CONTAINER_CREDENTIALS_FULL_URI": c.url, "AWS_CONTAINER_AUTHORIZATION_TOKEN": c.token})
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		_, err := mustOpen(t, resolver(), "").Credentials(ctx)
		cancel()
		var e *airhook.Error
		if !errors.As(err, &e) || c.kind != nil && !errors.Is(err, c.kind) || !strings.Contains(err.Error(), c.want) || e.Hint == "" {
			t.Errorf("%s: got %v, want %q", c.url, err, c.want)
		}
	}
}

func TestASilentContainersEndpointIsNamed(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0") // takes connections and never answers
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	t.Setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://"+silent.Addr().String())
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, err = mustOpen(t, resolver(), "").Credentials(ctx)
	var e *airhook.Error
	if !errors.As(err, &e) || !errors.Is(err, airhook.ErrUnreachable) || !strings.Contains(err.Error(), "from the container's endpoint: it did not answer in time") || !strings.Contains(e.Hint, "AWS_CONTAINER_CREDENTIALS_FULL_URI") {
		t.Errorf("got %v", err)
	}
}

// FuzzAWSFiles: whatever the AWS files hold, a session opens or one error says why, without a line of theirs.
func FuzzAWSFiles(f *testing.F) {
	for _, seed := range [][2]string{
		{"[profile a]\nrole_arn = x\nsource_profile = b\n[profile b]\nrole_arn=y\nsource_profile = a\n", ""},
		{"[profile a]\nsource_profile=a", "[a]\naws_access_key_id=\"\naws_secret_access_key='"},
		{"[a]\n[profile  a ]; x\n", "[ a ] # x\n\taws_access_key_id: 1"},
		{"]\n=\n[", "[]"},
	} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, configText, credentialsText string) {
		if len(configText)+len(credentialsText) > 4096 {
			return
		}
		configFile, credentialsFile := awsFolder(t, configText, credentialsText)
		_, err := resolver().Open(t.Context(), Who{Profile: "a"})
		if err != nil && !errors.Is(err, airhook.ErrInvalid) {
			t.Errorf("got %v, want invalid", err)
		}
		env := config.EnvConfig{SharedConfigFile: configFile, SharedCredentialsFile: credentialsFile}
		if p := readProfiles(env); p.found["a"] == nil && err == nil {
			t.Errorf("the SDK finds a profile that is not seen here")
		}
	})
}
