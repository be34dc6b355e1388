package session

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/airhook-go/airhook"
)

// giver gives keys of a certain life and counts how often it was asked.
type giver struct {
	life  time.Duration
	calls int
	err   error
}

func (g *giver) Retrieve(context.Context) (aws.Credentials, error) {
	g.calls++
	if g.err != nil {
		return aws.Credentials{}, g.err
	}
	return aws.Credentials{AccessKeyID: fmt.Sprint("ASIA", g.calls), SecretAccessKey: "x", CanExpire: true, Expires: time.Now().Add(g.life)}, nil
}

func TestARolesKeysAreRenewedAheadOfTheirEnd(t *testing.T) {
	for _, life := range []time.Duration{15 * time.Minute, time.Hour, 12 * time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			g := &giver{life: life}
			e := newEarly(g)
			ends := time.Now().Add(life)
			last := max(0, min(5*time.Minute, life/3)) // in which they are renewed for certain
			for g.calls < 2 {
				creds, err := e.Retrieve(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				if g.calls == 1 && !creds.Expires.Equal(ends) {
					t.Fatalf("life %s: the end is %s, want %s", life, creds.Expires, ends)
				}
				if g.calls == 1 {
					<-time.After(time.Second)
				}
			}
			if left := time.Until(ends); left < last-2*time.Second || left > 2*last+time.Second {
				t.Errorf("life %s: renewed %s before the end", life, left)
			}
		})
	}
}

func TestARolesKeysLastThroughAnOutageOfSTS(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &giver{life: time.Hour}
		e := newEarly(g)
		first, err := e.Retrieve(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		g.err = errors.New("throttled")
		for time.Until(first.Expires) > 15*time.Second {
			if creds, err := e.Retrieve(t.Context()); err != nil || creds != first {
				t.Fatalf("%s before their end: got %v, %v", time.Until(first.Expires), creds.AccessKeyID, err)
			}
			<-time.After(time.Second)
		}
		if most := 1 + int(2*renewAhead/renewAgain); g.calls > most+1 {
			t.Errorf("%d calls in an outage, want at most %d", g.calls, most)
		}
		<-time.After(15 * time.Second)
		if _, err := e.Retrieve(t.Context()); !errors.Is(err, g.err) {
			t.Errorf("after their end: got %v", err)
		}
		g.err = nil
		if creds, err := e.Retrieve(t.Context()); err != nil || creds.AccessKeyID == first.AccessKeyID {
			t.Errorf("when STS is back: got %s, %v", creds.AccessKeyID, err)
		}
		<-time.After(8 * time.Hour) // asleep
		if creds, err := e.Retrieve(t.Context()); err != nil || time.Until(creds.Expires) != time.Hour {
			t.Errorf("after eight hours of sleep: got keys that end in %s, %v", time.Until(creds.Expires), err)
		}
	})
}

func TestWhoeverSignsOtherwiseIsAnotherPrincipal(t *testing.T) {
	role := func(kwargs string) string { return `{"role_arn": "` + roleA + `"` + kwargs + `}` }
	awsFolder(t, "", "[dev]\naws_access_key_id = AKIDDEV\naws_secret_access_key = x\n[prod]\naws_access_key_id = AKIDPROD\naws_secret_access_key = x\n")
	other := awsConn(t, "AKID", canary, role(""))
	other.ID = "other" // its session is named after it
	seen := map[string]string{}
	for _, c := range []struct {
		conn airhook.Connection
		who  Who
	}{
		{awsConn(t, "AKID", canary, "{}"), Who{}},
		{awsConn(t, "AKID", canary, role("")), Who{}},
		{other, Who{ConnID: "other"}},
		{awsConn(t, "AKID", canary, strings.Replace(role(""), "role/a", "role/b", 1)), Who{}},
		{awsConn(t, "AKID", canary, role(`, "assume_role_kwargs": {"ExternalId": "x"}`)), Who{}},
		{awsConn(t, "AKID", canary, role(`, "assume_role_kwargs": {"RoleSessionName": "nightly"}`)), Who{}},
		{awsConn(t, "AKID", canary, role(`, "assume_role_kwargs": {"Policy": "{}"}`)), Who{}},
		{awsConn(t, "AKID", canary, ""), Who{RoleARN: roleA}},
		{awsConn(t, "AKID", canary, ""), Who{RoleARN: roleB}},
		{awsConn(t, "", "", ""), Who{Profile: "dev"}},
		{awsConn(t, "", "", ""), Who{Profile: "prod"}},
		{awsConn(t, "", "", ""), Who{Profile: "prod", RoleARN: roleA}},
		{awsConn(t, "", "", `{"profile_name": "dev"}`), Who{}},
	} {
		if c.who.ConnID == "" {
			c.who.ConnID = "my_aws"
		}
		r := resolver(c.conn)
		s, name := openWho(t, r, c.who), fmt.Sprintf("%s%s %+v", c.conn.Login, c.conn.Extra.Reveal(), c.who)
		if before, taken := seen[s.Principal]; taken {
			t.Errorf("%s has the principal of %s", name, before)
		}
		seen[s.Principal] = name
		if again := openWho(t, r, c.who).Principal; again != s.Principal {
			t.Errorf("%s: another principal without a change", name)
		}
	}
}

func TestARoleFollowsItsFilesAndConnection(t *testing.T) {
	f := newFake(t)
	_, file := awsFolder(t, "", "[dev]\naws_access_key_id = AKIDOLD\naws_secret_access_key = x\n")
	t.Setenv("AWS_ENDPOINT_URL", f.URL)
	r, who := resolver(), Who{Profile: "dev", RoleARN: roleA}
	was := openWho(t, r, who)
	if err := os.WriteFile(file, []byte("[dev]\naws_access_key_id = AKIDROTATED\naws_secret_access_key = x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	now := openWho(t, r, who)
	if _, err := now.Credentials(t.Context()); err != nil || was.Principal == now.Principal {
		t.Fatalf("the same principal after the keys were rotated (%v)", err)
	}
	if scope := f.seen()[0].Get("scope"); !strings.Contains(scope, "Credential=AKIDROTATED/") {
		t.Errorf("the role is asked for by %s", scope)
	}
}

// TestCredentialsLiveInMemoryOnly: nothing is written where an SDK or a program may write, over a login with each kind of role.
func TestCredentialsLiveInMemoryOnly(t *testing.T) {
	f := newFake(t)
	home := t.TempDir()
	t.Chdir(home)
	token := filepath.Join(home, "jwt")
	for name, text := range map[string]string{
		token: "jwt", filepath.Join(home, ".aws", "credentials"): "[default]\naws_access_key_id = AKIDFILE\naws_secret_access_key = x\n",
		filepath.Join(home, ".aws", "config"): "[profile r]\nrole_arn = " + roleA + "\nsource_profile = default\n",
	} {
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	setenv(t, map[string]string{
		"HOME": home, "TMPDIR": home, "XDG_CACHE_HOME": home, "AWS_ENDPOINT_URL": f.URL,
		"AWS_CONFIG_FILE": filepath.Join(home, ".aws", "config"), "AWS_SHARED_CREDENTIALS_FILE": filepath.Join(home, ".aws", "credentials"),
	})
	before := disk(t, home)
	web := awsConn(t, "", "", fmt.Sprintf(`{"role_arn": %q, "assume_role_method": "assume_role_with_web_identity", "assume_role_with_web_identity_federation": "file", "assume_role_with_web_identity_token_file": %q}`, roleB, token))
	for _, who := range []Who{{}, {RoleARN: roleB}, {Profile: "r"}, {Profile: "r", RoleARN: roleB}, {ConnID: "my_aws"}} {
		if _, err := openWho(t, resolver(web), who).Credentials(t.Context()); err != nil {
			t.Fatalf("%+v: %v", who, err)
		}
	}
	if diff := cmp.Diff(before, disk(t, home)); diff != "" {
		t.Errorf("something was written: %s", diff)
	}
	if len(f.seen()) < 4 {
		t.Errorf("only %d roles were assumed", len(f.seen()))
	}
}

// disk is every file below a folder with its content.
func disk(t *testing.T, dir string) map[string]string {
	t.Helper()
	found := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			found[path] = "folder"
			return err
		}
		text, err := os.ReadFile(path)
		found[path] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestAClockThatIsOffIsTold(t *testing.T) {
	now := time.Now()
	stamp := func(d time.Duration) string { return now.Add(d).UTC().Format("20060102T150405Z") }
	early := "Signature expired: " + stamp(-10*time.Minute) + " is now earlier than " + stamp(-5*time.Minute) + " (" + stamp(0) + " - 5 min.)"
	late := "Signature not yet current: " + stamp(11*time.Minute) + " is still later than " + stamp(5*time.Minute) + " (" + stamp(0) + " + 5 min.)"
	for _, c := range []struct {
		code, text string
		date       time.Duration // of AWS's answer
		kind       error
		want, hint string
	}{
		{"SignatureDoesNotMatch", early, 0, airhook.ErrAccessDenied, "the signature's time is wrong", "clock is 10m0s behind AWS's"},
		{"SignatureDoesNotMatch", late, 0, airhook.ErrAccessDenied, "the signature's time is wrong", "clock is 11m0s ahead of AWS's"},
		{"RequestTimeTooSkewed", "The difference between the request time and the current time is too large.", 10 * time.Minute, airhook.ErrAccessDenied, "the signature is wrong", "behind AWS's"},
		{"ExpiredToken", "The security token included in the request is expired", -10 * time.Minute, airhook.ErrTokenExpired, "session token", "ahead of AWS's"},
		{"ExpiredToken", "The security token included in the request is expired", 0, airhook.ErrTokenExpired, "session token", "renew the temporary keys"},
		{"SignatureDoesNotMatch", "The request signature we calculated does not match", 0, airhook.ErrAccessDenied, "the signature is wrong", "check the secret access key"},
	} {
		f := newFake(t)
		f.date = now.Add(c.date)
		f.fail("AssumeRole "+roleA, c.code, c.text)
		extra := fmt.Sprintf(`{"role_arn": %q, "endpoint_url": %q, "config_kwargs": {"retries": {"total_max_attempts": 1}}}`, roleA, f.URL)
		_, err := mustOpen(t, resolver(awsConn(t, "AKID", canary, extra)), "my_aws").Credentials(t.Context())
		var e *airhook.Error
		if !errors.As(err, &e) || !errors.Is(err, c.kind) || !strings.Contains(err.Error(), c.want) || !strings.Contains(e.Hint, c.hint) {
			t.Errorf("%s %s: got %v, hint %q; want %q, hint %q", c.code, c.text, err, e.Hint, c.want, c.hint)
		}
	}
}

func TestRoleOfKeysThatNeverEnd(t *testing.T) {
	fixed := credentials.NewStaticCredentialsProvider("AKID", "x", "")
	e := newEarly(fixed)
	for range 3 {
		if creds, err := e.Retrieve(t.Context()); err != nil || creds.CanExpire || creds.AccessKeyID != "AKID" {
			t.Errorf("got %v, %v", creds.AccessKeyID, err)
		}
	}
}
