package devstack

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"time"

	"github.com/airhook-go/airhook/devstack/cloud"
)

const (
	// profile is the one of the stack's own AWS files.
	profile     = "airhook-dev"
	sessionLife = 36 * time.Hour // the longest that STS gives a user
)

// identities are ways to be the admin, one of each kind, and one whose session has run out.
func (s *Stack) identities(account *cloud.Account) ([]Identity, error) {
	admin := account.Principals()[0]
	session, err := account.NewSession(admin.Name, sessionLife)
	if err != nil {
		return nil, err
	}
	expired, err := account.NewSession(admin.Name, -time.Second)
	if err != nil {
		return nil, err
	}
	if err := s.writeAWSFiles(admin); err != nil {
		return nil, err
	}
	common := map[string]string{
		"AWS_ENDPOINT_URL": s.endpointURL(), "AWS_REGION": region, "AWS_DEFAULT_REGION": region, "AWS_EC2_METADATA_DISABLED": "true",
		"AWS_CONFIG_FILE": s.path(awsFolder, "config"), "AWS_SHARED_CREDENTIALS_FILE": s.path(awsFolder, "credentials"),
	}
	identity := func(kind string, who cloud.Principal, env map[string]string) Identity {
		maps.Copy(env, common)
		return Identity{Kind: kind, ARN: who.ARN, Env: env}
	}
	return []Identity{
		identity("keys", admin, keysOf(admin)), identity("session", session, keysOf(session)),
		identity("profile", admin, map[string]string{"AWS_PROFILE": profile}), identity("expired", expired, keysOf(expired)),
	}, nil
}

func keysOf(p cloud.Principal) map[string]string {
	env := map[string]string{"AWS_ACCESS_KEY_ID": p.AccessKeyID, "AWS_SECRET_ACCESS_KEY": p.SecretAccessKey}
	if p.SessionToken != "" {
		env["AWS_SESSION_TOKEN"] = p.SessionToken
	}
	return env
}

// writeAWSFiles writes the files that a user has in ~/.aws, where nobody else finds them.
func (s *Stack) writeAWSFiles(admin cloud.Principal) error {
	if err := os.Mkdir(s.path(awsFolder), 0o700); err != nil {
		return failed(s.dir, "write the stack's AWS files", err, "")
	}
	for name, text := range map[string]string{
		"config":      fmt.Sprintf("[profile %s]\nregion = %s\nendpoint_url = %s\n", profile, region, s.endpointURL()),
		"credentials": fmt.Sprintf("[%s]\naws_access_key_id = %s\naws_secret_access_key = %s\n", profile, admin.AccessKeyID, admin.SecretAccessKey),
	} {
		if err := os.WriteFile(filepath.Join(s.path(awsFolder), name), []byte(text), 0o600); err != nil {
			return failed(s.dir, "write the stack's AWS files", err, "")
		}
	}
	return nil
}
