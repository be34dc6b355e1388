package session

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/airhook-go/airhook"
)

func TestAConnectionsRoleIsAssumedAsAirflowDoes(t *testing.T) {
	f := newFake(t)
	extra := fmt.Sprintf(`{"region_name": "eu-west-1", "role_arn": %q, "service_config": {"sts": {"endpoint_url": %q}}, "endpoint_url": "http://127.0.0.1:1", "assume_role_kwargs": {
		"ExternalId": "x-7", "DurationSeconds": 1800, "Tags": [{"Key": "team", "Value": "data"}], "TransitiveTagKeys": ["team"], "SourceIdentity": "alice",
		"Policy": {"Version": "2012-10-17"}, "PolicyArns": [{"arn": "arn:aws:iam::aws:policy/ReadOnlyAccess"}]}}`, roleA, f.URL)
	s := mustOpen(t, resolver(awsConn(t, "AKID", canary, extra)), "my_aws")
	creds, err := s.Credentials(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	calls := f.seen()
	if len(calls) != 1 {
		t.Fatalf("%d calls", len(calls))
	}
	if scope := calls[0].Get("scope"); !strings.Contains(scope, "Credential=AKID/") || !strings.Contains(scope, "/eu-west-1/sts/") {
		t.Errorf("signed by %s", scope)
	}
	calls[0].Del("scope")
	want := url.Values{
		"Action": {"AssumeRole"}, "Version": {"2011-06-15"}, "RoleArn": {roleA}, "RoleSessionName": {"airflow_my_aws"}, "ExternalId": {"x-7"}, "DurationSeconds": {"1800"},
		"Tags.member.1.Key": {"team"}, "Tags.member.1.Value": {"data"}, "TransitiveTagKeys.member.1": {"team"}, "SourceIdentity": {"alice"},
		"Policy": {`{"Version":"2012-10-17"}`}, "PolicyArns.member.1.arn": {"arn:aws:iam::aws:policy/ReadOnlyAccess"},
	}
	if diff := cmp.Diff(want, calls[0]); diff != "" {
		t.Error(diff)
	}
	if creds.AccessKeyID != "ASIA-a-1" || s.RoleARN != roleA || s.Source(creds) != `connection "my_aws", role `+roleA {
		t.Errorf("got %s, role %s, source %s", creds.AccessKeyID, s.RoleARN, s.Source(creds))
	}
	if left := time.Until(creds.Expires); left < 59*time.Minute || left > time.Hour {
		t.Errorf("the keys' end is %s away, want STS's hour", left)
	}
	if _, err = s.Credentials(t.Context()); err != nil || len(f.seen()) != 1 {
		t.Errorf("asked again: %d calls, %v", len(f.seen()), err)
	}
}

func TestTheRegionThatSTSIsAskedIn(t *testing.T) {
	china := "arn:aws-cn:iam::123456789012:role/a"
	for _, c := range []struct{ extra, who, env, role, want string }{
		{`"service_config": {"sts": {"region_name": "eu-west-3"}}, "region_name": "eu-west-1", `, "us-west-2", "us-east-2", roleA, "eu-west-3"},
		{`"region_name": "eu-west-1", `, "us-west-2", "us-east-2", roleA, "eu-west-1"},
		{``, "us-west-2", "us-east-2", roleA, "us-west-2"},
		{``, "", "us-east-2", roleA, "us-east-2"},
		{``, "", "", roleA, "us-east-1"},
		{``, "", "", china, "cn-north-1"},
		{``, "", "", strings.ReplaceAll(china, "-cn", "-us-gov"), "us-gov-west-1"},
	} {
		f := newFake(t)
		t.Setenv("AWS_REGION", c.env)
		r := resolver(awsConn(t, "AKID", canary, fmt.Sprintf(`{%s"role_arn": %q, "endpoint_url": %q}`, c.extra, c.role, f.URL)))
		if _, err := openWho(t, r, Who{ConnID: "my_aws", Region: c.who}).Credentials(t.Context()); err != nil {
			t.Fatal(err)
		}
		if scope := f.seen()[0].Get("scope"); !strings.Contains(scope, "/"+c.want+"/sts/") {
			t.Errorf("%+v: signed %s", c, scope)
		}
	}
}

// TestSessionNames: the first four are what Airflow's slugify makes of them.
func TestSessionNames(t *testing.T) {
	for id, want := range map[string]string{
		"Prod_AWS": "airflow_prod_aws", "my conn/ü": "airflow_my-conn-u", "--a--": "airflow_-a", "a.b:c": "airflow_a.b-c",
		strings.Repeat("x", 80): "airflow_" + strings.Repeat("x", 56), "Жa": "airflow_-a",
		strings.Repeat("x", 55) + "/y": "airflow_" + strings.Repeat("x", 55),
	} {
		if got := sessionName(id); got != want || !validSessionName(got) {
			t.Errorf("%s: got %s, want %s", id, got, want)
		}
	}
}

func TestWhatIsWrongWithARoleIsNamed(t *testing.T) {
	role := `"role_arn": "` + roleA + `"`
	web := role + `, "assume_role_method": "assume_role_with_web_identity"`
	kwargs := func(text string) string { return role + `, "assume_role_kwargs": {` + text + `}` }
	for extra, want := range map[string]string{
		`"role_arn": "` + canary + `"`:                                 `"role_arn" is no role's ARN`,
		`"role_arn": "arn:aws:iam::123456789012:user/x"`:               `"role_arn" is no role's ARN`,
		role + `, "assume_role_method": "magic"`:                       `"assume_role_method" is unknown`,
		role + `, "assume_role_kwargs": "` + canary + `"`:              `"assume_role_kwargs" is no JSON object`,
		kwargs(`"DurationSeconds": 899`):                               `"assume_role_kwargs.DurationSeconds" is not a number from 900 to 43200`,
		kwargs(`"DurationSeconds": 43201`):                             `"assume_role_kwargs.DurationSeconds"`,
		kwargs(`"RoleSessionName": "a b"`):                             `"assume_role_kwargs.RoleSessionName" is no session's name`,
		kwargs(`"RoleSessionName": "` + strings.Repeat("x", 65) + `"`): `"assume_role_kwargs.RoleSessionName" is no session's name`,
		kwargs(`"ExternalID": "x"`):                                    `"assume_role_kwargs.ExternalID" is unknown to AssumeRole`,
		kwargs(`"SerialNumber": "x"`):                                  `"assume_role_kwargs.SerialNumber" asks for MFA`,
		kwargs(`"Tags": {"team": "data"}`):                             `"assume_role_kwargs.Tags" is no such list`,
		kwargs(`"Tags": [{"key": "team", "colour": "data"}]`):          `"assume_role_kwargs.Tags" is no such list`,
		kwargs(`"TransitiveTagKeys": "team"`):                          `"assume_role_kwargs.TransitiveTagKeys" is no such list`,
		web:                                                            `"assume_role_with_web_identity_federation" is missing`,
		web + `, "assume_role_with_web_identity_federation": "azure"`:  `"assume_role_with_web_identity_federation" is unknown`,
		web + `, "assume_role_with_web_identity_federation": "file"`:   `there is no web identity token`,
		web + `, "assume_role_with_web_identity_federation": "file", "assume_role_kwargs": {"ExternalId": "x"}`: `"assume_role_kwargs.ExternalId": AssumeRoleWithWebIdentity does not take it`,
		`"profile_name": "a", "session_kwargs": {"profile_name": "b"}`:                                          `name two profiles`,
	} {
		_, err := resolver(awsConn(t, "AKID", canary, "{"+extra+"}")).Open(t.Context(), Who{ConnID: "my_aws"})
		var e *airhook.Error
		if !errors.As(err, &e) || !errors.Is(err, airhook.ErrInvalid) || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), `"my_aws"`) || e.Hint == "" {
			t.Errorf("%s: got %v, want invalid with %q", extra, err, want)
		}
		if strings.Contains(fmt.Sprintf("%v %+v", err, err), canary) {
			t.Errorf("%s: the error shows a value: %v", extra, err)
		}
	}
	_, err := resolver().Open(t.Context(), Who{RoleARN: "<your-role-arn>"})
	if !errors.Is(err, airhook.ErrInvalid) || !strings.Contains(err.Error(), `extra "role_arn" is no role's ARN`) {
		t.Errorf("a role of the database connection: got %v", err)
	}
}

func TestWhatHasNoEffectOnARoleIsSaid(t *testing.T) {
	conn := awsConn(t, "AKID", canary, `{"assume_role_method": "assume_role", "assume_role_kwargs": {"ExternalId": "x"}, "session_kwargs": {"region_name": "us-east-1"}}`)
	want := []string{
		`extra "assume_role_method" has no effect without role_arn`, `extra "assume_role_kwargs" has no effect without role_arn`, `extra "session_kwargs.region_name" has no effect`,
	}
	for i := range want {
		want[i] = `aws connection "my_aws": ` + want[i]
	}
	if diff := cmp.Diff(want, mustOpen(t, resolver(conn), "my_aws").Warnings); diff != "" {
		t.Error(diff)
	}
	conn = awsConn(t, "AKID", canary, `{"role_arn": "`+roleA+`", "assume_role_with_web_identity_federation": "file", "assume_role_kwargs": {"RoleArn": "x"}}`)
	got := strings.Join(mustOpen(t, resolver(conn), "my_aws").Warnings, "\n")
	for _, want := range []string{`"assume_role_kwargs.RoleArn" has no effect: role_arn`, `"assume_role_with_web_identity_federation" has no effect: assume_role_method`} {
		if !strings.Contains(got, want) {
			t.Errorf("warnings %q, want %q", got, want)
		}
	}
}

// TestRolesStandOnEachOther: a profile's role, a connection's role and the database connection's, each on the one before.
func TestRolesStandOnEachOther(t *testing.T) {
	f := newFake(t)
	awsFolder(t, "[profile dev]\nrole_arn = "+roleA+"\nsource_profile = keys\nexternal_id = x-9\nregion = us-west-1\n", "[keys]\naws_access_key_id = AKIDFILE\naws_secret_access_key = "+canary+"\n")
	long := awsConn(t, "", "", fmt.Sprintf(`{"profile_name": "dev", "role_arn": %q, "endpoint_url": %q, "assume_role_kwargs": {"DurationSeconds": 7200}}`, roleB, f.URL))
	r := resolver(long)
	s := openWho(t, r, Who{ConnID: "my_aws", RoleARN: roleA})
	creds, err := s.Credentials(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, c := range f.seen() {
		_, key, _ := strings.Cut(c.Get("scope"), "Credential=")
		key, _, _ = strings.Cut(key, "/")
		got = append(got, strings.Join([]string{key, c.Get("RoleArn"), c.Get("RoleSessionName"), c.Get("DurationSeconds"), c.Get("ExternalId")}, " "))
	}
	got[0] = strings.Replace(got[0], f.seen()[0].Get("RoleSessionName"), "?", 1) // the SDK's own
	want := []string{
		"AKIDFILE " + roleA + " ? 3600 x-9", "ASIA-a-1 " + roleB + " airflow_my_aws 3600 ", "ASIA-b-2 " + roleA + " airhook 3600 ",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if creds.AccessKeyID != "ASIA-a-3" || s.RoleARN != roleA || s.Source(creds) != `connection "my_aws", profile "dev", role `+roleA {
		t.Errorf("got %s, role %s, source %s", creds.AccessKeyID, s.RoleARN, s.Source(creds))
	}
	if !slices.ContainsFunc(s.Warnings, func(w string) bool { return strings.Contains(w, "DurationSeconds is cut to 3600") }) {
		t.Errorf("nobody says that the duration is cut: %q", s.Warnings)
	}
	if again := openWho(t, r, Who{ConnID: "my_aws", RoleARN: roleB}); again != openWho(t, r, Who{ConnID: "my_aws"}) {
		t.Error("the connection's own role is assumed twice")
	}
	if openWho(t, r, Who{ConnID: "my_aws", RoleARN: roleA}) != s {
		t.Error("the role is assumed anew")
	}
}

// TestAProfileMayAssumeAConnectionsRole: the database connection says who asks, the aws connection for what.
func TestAProfileMayAssumeAConnectionsRole(t *testing.T) {
	f := newFake(t)
	awsFolder(t, "", "[dev]\naws_access_key_id = AKIDDEV\naws_secret_access_key = x\n")
	s := openWho(t, resolver(awsConn(t, "", "", fmt.Sprintf(`{"role_arn": %q, "endpoint_url": %q}`, roleA, f.URL))), Who{ConnID: "my_aws", Profile: "dev"})
	if creds, err := s.Credentials(t.Context()); err != nil || creds.AccessKeyID != "ASIA-a-1" || !strings.Contains(f.seen()[0].Get("scope"), "Credential=AKIDDEV/") {
		t.Errorf("got %s (%v), asked by %v", creds.AccessKeyID, err, f.seen())
	}
	if s.RoleARN != roleA || s.Source(aws.Credentials{}) != `profile "dev", role `+roleA {
		t.Errorf("role %s, source %s", s.RoleARN, s.Source(aws.Credentials{}))
	}
}

func TestWebIdentityReadsItsFileForEveryCall(t *testing.T) {
	f := newFake(t)
	f.life = 0 // so that every call asks
	file := filepath.Join(t.TempDir(), "token")
	extra := fmt.Sprintf(`{"role_arn": %q, "endpoint_url": %q, "assume_role_method": "assume_role_with_web_identity", "assume_role_with_web_identity_federation": "file", "assume_role_kwargs": {"DurationSeconds": 900}}`, roleA, f.URL)
	t.Setenv("AWS_WEB_IDENTITY_TOKEN_FILE", file)
	s := mustOpen(t, resolver(awsConn(t, "", "", extra)), "my_aws")
	for _, token := range []string{"first", "renewed"} {
		if err := os.WriteFile(file, []byte(token+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Credentials(t.Context()); err != nil {
			t.Fatal(err)
		}
		calls := f.seen()
		if last := calls[len(calls)-1]; last.Get("WebIdentityToken") != token || last.Get("RoleSessionName") != "airflow_my_aws" || last.Get("DurationSeconds") != "900" || last.Get("scope") != "" {
			t.Errorf("sent %v, want token %s, unsigned", last, token)
		}
	}
	if got, want := s.Source(aws.Credentials{}), `connection "my_aws", web identity `+file+`, role `+roleA; got != want {
		t.Errorf("source %s, want %s", got, want)
	}
}

func TestAWebIdentityFileThatIsNoneIsNamed(t *testing.T) {
	f := newFake(t)
	dir := t.TempDir()
	empty := filepath.Join(dir, "empty")
	if err := os.WriteFile(empty, []byte(" \n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string]string{empty: "is empty", filepath.Join(dir, "missing"): "no such file", dir: "no regular file"} {
		setenv(t, map[string]string{"AWS_ENDPOINT_URL": f.URL, "AWS_ROLE_ARN": roleA, "AWS_WEB_IDENTITY_TOKEN_FILE": file, "AWS_REGION": "us-east-1"})
		_, err := mustOpen(t, resolver(), "").Credentials(t.Context())
		if !errors.Is(err, airhook.ErrInvalid) || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), file) {
			t.Errorf("%s: got %v, want invalid with %q", file, err, want)
		}
	}
	if len(f.seen()) != 0 {
		t.Error("STS was asked without a token")
	}
	t.Setenv("AWS_ROLE_ARN", "")
	if _, err := resolver().Open(t.Context(), Who{}); !errors.Is(err, airhook.ErrInvalid) || !strings.Contains(err.Error(), "AWS_ROLE_ARN is not") {
		t.Errorf("without a role: got %v", err)
	}
}

func TestWhySTSRefusesARole(t *testing.T) {
	const denial = "User: arn:aws:iam::123456789012:user/alice is not authorized to perform: sts:AssumeRole on resource: " + roleA
	for _, c := range []struct {
		call, code, text string
		kind             error
		want             string
	}{
		{"AssumeRole", "AccessDenied", denial, airhook.ErrAccessDenied, "assume role " + roleA + ": access denied: user/alice may not sts:AssumeRole on role/a"},
		{"AssumeRole", "AccessDenied", "Roles may not be assumed by root accounts.", airhook.ErrAccessDenied, "access denied: Roles may not be assumed by root accounts. (sts:AssumeRole)"},
		{"AssumeRole", "RegionDisabledException", "STS is not activated", airhook.ErrInvalid, "STS is not activated in this region"},
		{"AssumeRole", "MalformedPolicyDocument", "Syntax errors in policy", airhook.ErrInvalid, "the session policy is malformed"},
		{"AssumeRole", "PackedPolicyTooLarge", "210%", airhook.ErrInvalid, "policies and tags are too large"},
		{"AssumeRole", "ExpiredToken", "The security token included in the request is expired", airhook.ErrTokenExpired, "assume role " + roleA + ": the session token of the AWS credentials has expired"},
		{"AssumeRole", "ValidationError", "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.", airhook.ErrInvalid, "exceeds the MaxSessionDuration"},
		{"AssumeRoleWithWebIdentity", "AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity", airhook.ErrAccessDenied, "(sts:AssumeRoleWithWebIdentity)"},
		{"AssumeRoleWithWebIdentity", "ExpiredTokenException", "Token expired: current date/time 1 must be before the expiration date/time 0", airhook.ErrTokenExpired, "the web identity token in FILE has expired"},
		{"AssumeRoleWithWebIdentity", "InvalidIdentityToken", "No OpenIDConnect provider found in your account", airhook.ErrAccessDenied, "AWS doesn't accept the web identity token in FILE: No OpenIDConnect provider"},
		{"AssumeRoleWithWebIdentity", "IDPRejectedClaim", "rejected", airhook.ErrAccessDenied, "AWS doesn't accept the web identity token in FILE"},
		{"AssumeRoleWithWebIdentity", "IDPCommunicationError", "timeout", airhook.ErrUnreachable, "can't ask the issuer"},
	} {
		f := newFake(t)
		f.status = 400
		file := filepath.Join(t.TempDir(), "token")
		if err := os.WriteFile(file, []byte(canary+".b.c"), 0o600); err != nil {
			t.Fatal(err)
		}
		f.fail(c.call+" "+roleA, c.code, c.text)
		extra := fmt.Sprintf(`{"role_arn": %q, "endpoint_url": %q, "config_kwargs": {"retries": {"total_max_attempts": 1}}`, roleA, f.URL)
		if c.call != "AssumeRole" {
			extra += fmt.Sprintf(`, "assume_role_method": "assume_role_with_web_identity", "assume_role_with_web_identity_federation": "file", "assume_role_with_web_identity_token_file": %q`, file)
		}
		_, err := mustOpen(t, resolver(awsConn(t, "AKID", canary, extra+"}")), "my_aws").Credentials(t.Context())
		var e *airhook.Error
		if !errors.As(err, &e) || !errors.Is(err, c.kind) || e.Resource != roleA || e.Hint == "" || e.Stage != airhook.StageCredential {
			t.Errorf("%s %s: got %#v", c.call, c.code, err)
			continue
		}
		if want := strings.Replace(c.want, "FILE", file, 1); !strings.Contains(err.Error(), want) || strings.Contains(fmt.Sprintf("%+v", err), canary) {
			t.Errorf("%s %s: got %v, want %q", c.call, c.code, err, want)
		}
		policy, principal := "", ""
		if c.call == "AssumeRole" && c.code == "AccessDenied" {
			policy = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:AssumeRole","Resource":["` + roleA + `"]}]}`
		}
		if c.text == denial {
			principal = "arn:aws:iam::123456789012:user/alice"
		}
		if string(e.Policy) != policy || e.Principal != principal {
			t.Errorf("%s %s: policy %s, principal %s", c.call, c.code, e.Policy, e.Principal)
		}
	}
}

// TestTheRoleThatFailedIsNamed: in a chain not the last one, and not for want of keys.
func TestTheRoleThatFailedIsNamed(t *testing.T) {
	f := newFake(t)
	f.fail("AssumeRole "+roleA, "AccessDenied", "no")
	r := resolver(awsConn(t, "AKID", canary, fmt.Sprintf(`{"role_arn": %q, "endpoint_url": %q}`, roleA, f.URL)), airhook.Connection{ID: "aws_default", Type: "aws"})
	_, err := openWho(t, r, Who{ConnID: "my_aws", RoleARN: roleB}).Credentials(t.Context())
	if !errors.Is(err, airhook.ErrAccessDenied) || !strings.Contains(err.Error(), "assume role "+roleA+": access denied") {
		t.Errorf("got %v, want role a", err)
	}
	_, err = openWho(t, r, Who{ConnID: "aws_default", RoleARN: roleB}).Credentials(t.Context())
	if !errors.Is(err, airhook.ErrInvalid) || !strings.Contains(err.Error(), "no AWS credentials found") {
		t.Errorf("without keys: got %v", err)
	}
}

// TestAPolicyAllowsAllThatAssumingTheRoleNeeds: tags and a source identity are permissions of their own.
func TestAPolicyAllowsAllThatAssumingTheRoleNeeds(t *testing.T) {
	f := newFake(t)
	f.fail("AssumeRole "+roleA, "AccessDenied", "not authorized")
	extra := fmt.Sprintf(`{"role_arn": %q, "endpoint_url": %q, "assume_role_kwargs": {"Tags": [{"Key": "team", "Value": "data"}], "SourceIdentity": "alice"}}`, roleA, f.URL)
	_, err := mustOpen(t, resolver(awsConn(t, "AKID", canary, extra)), "my_aws").Credentials(t.Context())
	var e *airhook.Error
	if !errors.As(err, &e) {
		t.Fatal(err)
	}
	allow := func(action string) string {
		return `{"Effect":"Allow","Action":"` + action + `","Resource":["` + roleA + `"]}`
	}
	want := `{"Version":"2012-10-17","Statement":[` + allow("sts:AssumeRole") + "," + allow("sts:TagSession") + "," + allow("sts:SetSourceIdentity") + "]}"
	if string(e.Policy) != want {
		t.Errorf("got %s\nwant %s", e.Policy, want)
	}
}
