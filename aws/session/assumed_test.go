package session

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/airhook-go/airhook"
)

// TestASessionTellsHowItsRoleIsAssumed: the role, what STS is sent with it, and whose keys sign, down to those of no role.
func TestASessionTellsHowItsRoleIsAssumed(t *testing.T) {
	f := newFake(t)
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte(canary), 0o600); err != nil {
		t.Fatal(err)
	}
	awsFolder(t, "[profile dev]\nrole_arn = "+roleA+"\nsource_profile = keys\nexternal_id = x-9\n[profile two]\nrole_arn = "+roleB+"\nsource_profile = dev\n"+
		"[profile pod]\nrole_arn = "+roleA+"\nweb_identity_token_file = "+token+"\n"+
		"[profile run]\nrole_arn = "+roleA+"\nsource_profile = process\n[profile process]\ncredential_process = echo '{\"Version\": 1, \"AccessKeyId\": \"AKIDPROCESS\", \"SecretAccessKey\": \""+canary+"\"}'\n", "[keys]\naws_access_key_id = AKIDFILE\naws_secret_access_key = "+canary+"\n")
	t.Setenv("AWS_ENDPOINT_URL", f.URL)
	kwargs := fmt.Sprintf(`{"role_arn": %q, "assume_role_kwargs": {"ExternalId": "x-7", "SourceIdentity": "alice", "Tags": [{"Key": "team", "Value": "data"}]}}`, roleA)
	web := fmt.Sprintf(`{"role_arn": %q, "assume_role_method": "assume_role_with_web_identity", "assume_role_with_web_identity_federation": "file", "assume_role_with_web_identity_token_file": %q}`, roleA, token)
	named := awsConn(t, "AKID", canary, kwargs)
	standard := named
	standard.ID = defaultID
	pod := awsConn(t, "", "", web)
	pod.ID = "pod"
	plain := awsConn(t, "AKID", canary, "")
	plain.ID = "plain"
	r := resolver(named, standard, pod, plain)
	ofConnection := Assumption{RoleARN: roleA, ExternalID: "x-7", SourceIdentity: "alice", Tags: true}
	ofProfile := Assumption{RoleARN: roleA, ExternalID: "x-9"}
	for _, c := range []struct {
		name   string
		who    Who
		want   []Assumption
		signer string // "": nobody signs
	}{
		{"keys of their own", Who{ConnID: "plain"}, nil, "AKID"},
		{"a connection's role", Who{ConnID: "my_aws"}, []Assumption{ofConnection}, "AKID"},
		{"named by both connections", Who{ConnID: "my_aws", RoleARN: roleA}, []Assumption{ofConnection}, "AKID"},
		{"a role on top", Who{ConnID: "my_aws", RoleARN: roleB}, []Assumption{{RoleARN: roleB}, ofConnection}, "AKID"},
		{"a profile's role", Who{Profile: "dev"}, []Assumption{ofProfile}, "AKIDFILE"},
		{"a profile's role beside aws_default's", Who{ConnID: defaultID, Profile: "dev"}, []Assumption{ofProfile}, "AKIDFILE"},
		{"a chain of profiles", Who{Profile: "two"}, []Assumption{{RoleARN: roleB}, ofProfile}, "AKIDFILE"},
		{"a process that prints keys", Who{Profile: "run"}, []Assumption{{RoleARN: roleA}}, "AKIDPROCESS"},
		{"a token of a connection", Who{ConnID: "pod"}, []Assumption{{RoleARN: roleA, TokenFile: token}}, ""},
		{"a token named by both connections", Who{ConnID: "pod", RoleARN: roleA}, []Assumption{{RoleARN: roleA, TokenFile: token}}, ""},
		{"a token of a profile", Who{Profile: "pod", RoleARN: roleB}, []Assumption{{RoleARN: roleB}, {RoleARN: roleA, TokenFile: token}}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, principals := openWho(t, r, c.who), map[string]bool{}
			var got []Assumption
			for s != nil {
				if principals[s.Principal] {
					t.Errorf("the caller is the same principal as the role: %s", s.Principal)
				}
				principals[s.Principal] = true
				a, ok := s.Assumed()
				if !ok {
					break
				}
				if creds, err := s.Credentials(t.Context()); err != nil || s.RoleARN != a.RoleARN || !strings.HasPrefix(creds.AccessKeyID, "ASIA-"+filepath.Base(a.RoleARN)) {
					t.Errorf("keys %s of role %s (%v), want %s", creds.AccessKeyID, s.RoleARN, err, a.RoleARN)
				}
				s, a.Caller = a.Caller, nil
				got = append(got, a)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
			if (s == nil) != (c.signer == "") {
				t.Fatalf("signs: %v, want %q", s, c.signer)
			}
			if s == nil {
				return
			}
			if creds, err := s.Credentials(t.Context()); err != nil || creds.AccessKeyID != c.signer || s.RoleARN != "" {
				t.Errorf("%s of role %q asks (%v), want %s", creds.AccessKeyID, s.RoleARN, err, c.signer)
			}
		})
	}
}

// TestAnAnswerThatRepeatsTheTokenIsNotShown: a web identity token logs in whoever has it.
func TestAnAnswerThatRepeatsTheTokenIsNotShown(t *testing.T) {
	const token = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJ4In0.canary-signature"
	for _, echo := range []string{token, token[len(token)-20:]} {
		for _, code := range []string{"ValidationError", "InvalidIdentityToken", "AccessDenied", "IDPCommunicationError", "MalformedPolicyDocument", "ExpiredTokenException", "RegionDisabledException", "Weird", token} {
			f := newFake(t)
			f.status = 400
			file := filepath.Join(t.TempDir(), "token")
			if err := os.WriteFile(file, []byte(token), 0o600); err != nil {
				t.Fatal(err)
			}
			f.fail("AssumeRoleWithWebIdentity "+roleA, code, "Value '"+echo+"' at 'webIdentityToken' failed to satisfy a constraint")
			extra := fmt.Sprintf(`{"role_arn": %q, "endpoint_url": %q, "assume_role_method": "assume_role_with_web_identity", "assume_role_with_web_identity_federation": "file",
				"assume_role_with_web_identity_token_file": %q, "config_kwargs": {"retries": {"total_max_attempts": 1}}}`, roleA, f.URL, file)
			_, err := mustOpen(t, resolver(awsConn(t, "", "", extra)), "my_aws").Credentials(t.Context())
			if err == nil || !strings.Contains(err.Error(), roleA) {
				t.Fatalf("%s: got %v, want an error that names the role", code, err)
			}
			e := err.(*airhook.Error)
			if all := fmt.Sprintf("%+v %s %s", err, e.Hint, e.Policy); strings.Contains(all, "signature") {
				t.Errorf("%s: the token is in the error: %s", code, all)
			}
			if code == "ValidationError" && (!strings.Contains(err.Error(), code) || !strings.Contains(err.Error(), file)) {
				t.Errorf("got %v, want AWS's code and the file", err)
			}
		}
	}
}

// TestAnotherFileOfTheSameSizeAndTimeIsRead: in a Nix store or an image's layer every file is of 1970.
func TestAnotherFileOfTheSameSizeAndTimeIsRead(t *testing.T) {
	dir := t.TempDir()
	link := filepath.Join(dir, "credentials")
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", link)
	r, before := resolver(), ""
	for _, id := range []string{"AKIDALICE", "AKIDBOBBY"} {
		file := filepath.Join(dir, id)
		if err := os.WriteFile(file, []byte("[default]\naws_access_key_id = "+id+"\naws_secret_access_key = "+canary+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(file, time.Unix(1, 0), time.Unix(1, 0)); err != nil {
			t.Fatal(err)
		}
		_ = os.Remove(link)
		if err := os.Symlink(file, link); err != nil {
			t.Fatal(err)
		}
		s := mustOpen(t, r, "")
		if creds, err := s.Credentials(t.Context()); err != nil || creds.AccessKeyID != id || s.Principal == before {
			t.Errorf("got %s (%v), want %s and another principal than before", creds.AccessKeyID, err, id)
		}
		before = s.Principal
	}
}

// TestSTSIsNotAskedAtTheEndpointOfOtherServices: what is sent there logs in, and a VPC endpoint of Redshift is no STS.
func TestSTSIsNotAskedAtTheEndpointOfOtherServices(t *testing.T) {
	const elsewhere, warning = "https://vpce-1.redshift.us-east-1.vpce.amazonaws.com", `extra "endpoint_url" has no effect on STS`
	for _, c := range []struct {
		name, extra string
		who         Who
		want        string // asked; FAKE is the environment's
		warned      bool
	}{
		{"a role", `"endpoint_url": "` + elsewhere + `", "role_arn": "` + roleA + `"`, Who{}, "FAKE", true},
		{"a role of the database connection", `"endpoint_url": "` + elsewhere + `"`, Who{RoleARN: roleB}, "FAKE", true},
		{"two roles", `"endpoint_url": "` + elsewhere + `", "role_arn": "` + roleA + `"`, Who{RoleARN: roleB}, "FAKE", true},
		{"no role", `"endpoint_url": "` + elsewhere + `"`, Who{}, "", false},
		{"STS's own", `"endpoint_url": "` + elsewhere + `", "service_config": {"sts": {"endpoint_url": "OTHER"}}, "role_arn": "` + roleA + `"`, Who{}, "OTHER", false},
		{"this machine", `"endpoint_url": "OTHER", "role_arn": "` + roleA + `"`, Who{}, "OTHER", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			fake, other := newFake(t), newFake(t)
			t.Setenv("AWS_ENDPOINT_URL_STS", fake.URL)
			c.who.ConnID = "my_aws"
			conn := awsConn(t, "AKID", canary, "{"+strings.ReplaceAll(c.extra, "OTHER", other.URL)+"}")
			s := openWho(t, resolver(conn), c.who)
			if _, err := s.Credentials(t.Context()); err != nil {
				t.Error(err)
			}
			if asked := len(fake.seen()) > 0; asked != (c.want == "FAKE") {
				t.Errorf("the environment's STS is asked: %v, want %s", asked, c.want)
			}
			if asked := len(other.seen()) > 0; asked != (c.want == "OTHER") {
				t.Errorf("the connection's STS is asked: %v, want %s", asked, c.want)
			}
			if n := strings.Count(strings.Join(s.Warnings, "\n"), warning); n > 1 || (n == 1) != c.warned {
				t.Errorf("warnings %q, want one: %v", s.Warnings, c.warned)
			}
			if got := s.Endpoint("redshift", nil); got == nil || !strings.Contains(conn.Extra.Reveal(), *got) {
				t.Errorf("Redshift is asked at %v", got)
			}
			told, err := Check(conn)
			if said := strings.Contains(strings.Join(told, "\n"), warning); err != nil || said != (c.warned && strings.Contains(c.extra, "role_arn")) {
				t.Errorf("Check says it: %v (%v)", said, err)
			}
		})
	}
}
