//go:build unix

package clients

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/airhook-go/airhook/devstack"
)

// kind is one of the stack's identities.
func kind(t *testing.T, name string) devstack.Identity {
	t.Helper()
	at := slices.IndexFunc(status.AWS.Identities, func(i devstack.Identity) bool { return i.Kind == name })
	if at < 0 {
		t.Fatalf("the stack has no identity of kind %s", name)
	}
	return status.AWS.Identities[at]
}

// caller is an ARN without the name of a role's session, which each SDK chooses when nobody does.
func caller(arn string) string {
	if strings.Contains(arn, ":assumed-role/") {
		return arn[:strings.LastIndexByte(arn, '/')]
	}
	return arn
}

// TestBoto3AndAirhookAreTheSame: the same variables and files make the same caller of both.
func TestBoto3AndAirhookAreTheSame(t *testing.T) {
	account, role := stack.Account(), status.AWS.Roles[0].ARN
	admin, session := status.AWS.Principals[0], kind(t, "session").Env
	all := []byte(`{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}`)
	trusting := func(name, who, condition string) string {
		t.Helper()
		trust := fmt.Sprintf(`{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Principal": {"AWS": "%s"}, "Action": "sts:AssumeRole"%s}}`, who, condition)
		made, err := account.PutRole(name, all, []byte(trust))
		if err != nil {
			t.Fatal(err)
		}
		return made.ARN
	}
	partner := trusting("boto-partner", admin.ARN, `, "Condition": {"StringEquals": {"sts:ExternalId": "x-7"}}`)
	second := trusting("boto-second", role, "")
	web, container, imds := kind(t, "web-identity").Env, kind(t, "container").Env, kind(t, "imds").Env
	keys := fmt.Sprintf("aws_access_key_id = %s\naws_secret_access_key = %s\n", admin.AccessKeyID, admin.SecretAccessKey)
	tokenFile := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(tokenFile, []byte(container["AWS_CONTAINER_AUTHORIZATION_TOKEN"]), 0o600); err != nil {
		t.Fatal(err)
	}
	podIdentity := with(container, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", tokenFile)
	delete(podIdentity, "AWS_CONTAINER_AUTHORIZATION_TOKEN")
	files := func(profile string, more ...string) map[string]string {
		return with(map[string]string{"AWS_PROFILE": profile, "AWS_EC2_METADATA_DISABLED": "true"}, more...)
	}
	type config struct {
		env                 map[string]string
		config, credentials string // of the AWS files; "" keeps the stack's
		want                string
	}
	configs := map[string]config{
		"a default profile":             {env: map[string]string{"AWS_EC2_METADATA_DISABLED": "true"}, config: "[default]\nregion = us-east-1\n", credentials: "[default]\n" + keys, want: admin.ARN},
		"a session in the files":        {env: files("p"), config: "[profile p]\n", credentials: fmt.Sprintf("[p]\naws_access_key_id = %s\naws_secret_access_key = %s\naws_session_token = %s\n", session["AWS_ACCESS_KEY_ID"], session["AWS_SECRET_ACCESS_KEY"], session["AWS_SESSION_TOKEN"]), want: admin.ARN},
		"keys in the config file":       {env: files("p"), config: "[profile p]\n" + keys, credentials: "\n", want: admin.ARN},
		"a role with an external id":    {env: files("p"), config: "[profile p]\nrole_arn = " + partner + "\nsource_profile = base\nexternal_id = x-7\nrole_session_name = nightly\n", credentials: "[base]\n" + keys, want: assumed("boto-partner", "nightly")},
		"a chain of two roles":          {env: files("p"), config: "[profile p]\nrole_arn = " + second + "\nsource_profile = q\n[profile q]\nrole_arn = " + role + "\nsource_profile = base\n", credentials: "[base]\n" + keys, want: assumed("boto-second", "")},
		"a role of the environment":     {env: files("p", "AWS_ACCESS_KEY_ID", admin.AccessKeyID, "AWS_SECRET_ACCESS_KEY", admin.SecretAccessKey), config: "[profile p]\nrole_arn = " + role + "\ncredential_source = Environment\n", credentials: "\n", want: ""},
		"a role of the container":       {env: with(container, "AWS_PROFILE", "p"), config: "[profile p]\nrole_arn = " + second + "\ncredential_source = EcsContainer\n", credentials: "\n", want: assumed("boto-second", "")},
		"a role of the instance":        {env: with(imds, "AWS_PROFILE", "p"), config: "[profile p]\nrole_arn = " + second + "\ncredential_source = Ec2InstanceMetadata\n", credentials: "\n", want: assumed("boto-second", "")},
		"a web identity of the profile": {env: files("p"), config: "[profile p]\nrole_arn = " + role + "\nweb_identity_token_file = " + web["AWS_WEB_IDENTITY_TOKEN_FILE"] + "\nrole_session_name = pod\n", credentials: "\n", want: assumed("AirhookDev", "pod")},
		"a pod identity's token file":   {env: podIdentity, want: kind(t, "container").ARN},
		"keys beside a profile":         {env: with(kind(t, "profile").Env, "AWS_ACCESS_KEY_ID", session["AWS_ACCESS_KEY_ID"], "AWS_SECRET_ACCESS_KEY", session["AWS_SECRET_ACCESS_KEY"], "AWS_SESSION_TOKEN", session["AWS_SESSION_TOKEN"]), want: admin.ARN},
	}
	for _, i := range status.AWS.Identities {
		if i.Kind != "expired" {
			configs[i.Kind] = config{env: i.Env, want: i.ARN}
		}
	}
	if len(configs) < 12 {
		t.Errorf("only %d configurations", len(configs))
	}
	rds := named(instance(t, "rds"), "rds", map[string]any{"iam": true, "region_name": status.AWS.Region})
	for name, c := range configs {
		t.Run(name, func(t *testing.T) {
			env := identityEnv(t, c.env, c.config, c.credentials)
			theirs := python(t, env, "boto3_client.py", "identity")
			out, errs, code := airhook(t, append(env, rds), "explain", "rds", "-o", "json")
			var ours struct{ Identity struct{ ARN string } }
			if err := json.Unmarshal([]byte(out), &ours); err != nil || code != 0 {
				t.Fatalf("airhook explain: exit %d, %v: %s%s", code, err, out, errs)
			}
			if caller(ours.Identity.ARN) != caller(theirs) || theirs == "" {
				t.Errorf("airhook is %q, boto3 %q: %s", ours.Identity.ARN, theirs, out)
			}
			for _, arn := range []string{ours.Identity.ARN, theirs} {
				if named := !strings.HasSuffix(c.want, "/"); c.want != "" && (named && arn != c.want || !strings.HasPrefix(arn, c.want)) {
					t.Errorf("the caller is %q, want %q", arn, c.want)
				}
			}
		})
	}
}

// assumed is the ARN of a role's session; without a name, all before it.
func assumed(role, session string) string {
	return fmt.Sprintf("arn:aws:sts::%s:assumed-role/%s/%s", status.AWS.AccountID, role, session)
}

// with is env and more names and values.
func with(env map[string]string, more ...string) map[string]string {
	env = maps.Clone(env)
	for i := 0; i < len(more); i += 2 {
		env[more[i]] = more[i+1]
	}
	return env
}

// identityEnv is a shell with nothing but an identity's variables, and AWS files of its own where it has any.
func identityEnv(t *testing.T, own map[string]string, config, credentials string) []string {
	t.Helper()
	home := newHome(t)
	env := map[string]string{
		"HOME": home, "TMPDIR": home, "PATH": os.Getenv("PATH"), "LC_ALL": "C.UTF-8", "AIRHOOK_DEV_DIR": status.Dir,
		"AWS_REGION": status.AWS.Region, "AWS_DEFAULT_REGION": status.AWS.Region, "AWS_ENDPOINT_URL": status.AWS.EndpointURL, "AWS_ENDPOINT_URL_STS": status.AWS.EndpointURL,
	}
	maps.Copy(env, own)
	if config+credentials != "" {
		dir := t.TempDir()
		for name, text := range map[string]string{"config": config, "credentials": credentials} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		env["AWS_CONFIG_FILE"], env["AWS_SHARED_CREDENTIALS_FILE"] = filepath.Join(dir, "config"), filepath.Join(dir, "credentials")
	}
	var pairs []string
	for name, value := range env {
		pairs = append(pairs, name+"="+value)
	}
	return pairs
}
