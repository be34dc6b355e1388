package devstack

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/airhook-go/airhook/devstack/cloud"
)

const (
	// The profiles of the stack's own AWS files: by keys, by a role and by a program.
	profile        = "airhook-dev"
	roleProfile    = "airhook-dev-role"
	processProfile = "airhook-dev-process"
	sessionLife    = 36 * time.Hour // the longest that STS gives a user
	// webTokenLife is as long as a stack may run: nobody renews the file.
	webTokenLife = 365 * 24 * time.Hour
	workload     = "system:serviceaccount:default:airhook"
	sessionName  = "airhook"
	// The sessions of a machine are named by AWS: after the instance, or the task.
	instanceID       = "i-0a1b2c3d4e5f60718"
	containerSession = "3f2a9c0e5b7d4f1e8a6c2d9b0e4f7a15"
)

// identities are ways to be the admin or the role that it may assume, one of each kind, and one whose session has run out.
func (s *Stack) identities(account *cloud.Account) ([]Identity, error) {
	admin, role := account.Principals()[0], account.Roles()[0]
	session, err := account.NewSession(admin.Name, sessionLife)
	if err != nil {
		return nil, err
	}
	expired, err := account.NewSession(admin.Name, -time.Second)
	if err != nil {
		return nil, err
	}
	token, err := account.WebIdentityToken(workload, webTokenLife)
	if err != nil {
		return nil, err
	}
	if err := s.writeAWSFiles(admin, role, token); err != nil {
		return nil, err
	}
	assumed := fmt.Sprintf("arn:aws:sts::%s:assumed-role/%s/", accountID, role.Name)
	return []Identity{
		s.identity("keys", admin.ARN, keysOf(admin)),
		s.identity("session", session.ARN, keysOf(session)),
		s.identity("profile", admin.ARN, map[string]string{"AWS_PROFILE": profile}),
		s.identity("role-profile", assumed+sessionName, map[string]string{"AWS_PROFILE": roleProfile}),
		s.identity("process", admin.ARN, map[string]string{"AWS_PROFILE": processProfile}),
		s.identity("web-identity", assumed+sessionName, map[string]string{
			"AWS_ROLE_ARN": role.ARN, "AWS_ROLE_SESSION_NAME": sessionName, "AWS_WEB_IDENTITY_TOKEN_FILE": s.path(awsFolder, webTokenName),
		}),
		s.identity("container", assumed+containerSession, map[string]string{
			"AWS_CONTAINER_CREDENTIALS_FULL_URI": s.endpoints.container + "/v1/credentials", "AWS_CONTAINER_AUTHORIZATION_TOKEN": s.endpoints.authorization,
		}),
		s.identity("imds", assumed+instanceID, map[string]string{"AWS_EC2_METADATA_SERVICE_ENDPOINT": s.endpoints.metadata, "AWS_EC2_METADATA_DISABLED": "false"}),
		s.identity("expired", expired.ARN, keysOf(expired)),
	}, nil
}

// identity adds what every one needs, so that no other way to be somebody is found: the AWS files are the stack's, and have
// no default profile; the metadata is for whom it is alone.
func (s *Stack) identity(kind, arn string, env map[string]string) Identity {
	all := map[string]string{
		"AWS_ENDPOINT_URL": s.endpoints.aws, stsEndpoint: s.endpoints.aws, "AWS_REGION": region, "AWS_DEFAULT_REGION": region, "AWS_EC2_METADATA_DISABLED": "true",
		"AWS_CONFIG_FILE": s.path(awsFolder, "config"), "AWS_SHARED_CREDENTIALS_FILE": s.path(awsFolder, "credentials"),
	}
	maps.Copy(all, env)
	return Identity{Kind: kind, ARN: arn, Env: all}
}

func keysOf(p cloud.Principal) map[string]string {
	env := map[string]string{"AWS_ACCESS_KEY_ID": p.AccessKeyID, "AWS_SECRET_ACCESS_KEY": p.SecretAccessKey}
	if p.SessionToken != "" {
		env["AWS_SESSION_TOKEN"] = p.SessionToken
	}
	return env
}

// stsEndpoint is set besides AWS_ENDPOINT_URL: the SDK for Go assumes the roles of profiles and of web identities before it
// has read that one.
const stsEndpoint = "AWS_ENDPOINT_URL_STS"

const (
	webTokenName = "web-identity-token"
	processName  = "process.json"
)

// writeAWSFiles writes the files that a user has in ~/.aws, where nobody else finds them, and those that they lead to.
func (s *Stack) writeAWSFiles(admin cloud.Principal, role cloud.Role, token string) error {
	if err := os.Mkdir(s.path(awsFolder), 0o700); err != nil {
		return failed(s.dir, "write the stack's AWS files", err, "")
	}
	// https://docs.aws.amazon.com/sdkref/latest/guide/feature-process-credentials.html
	process, err := json.Marshal(map[string]any{"Version": 1, "AccessKeyId": admin.AccessKeyID, "SecretAccessKey": admin.SecretAccessKey})
	if err != nil {
		return err
	}
	section := func(name string, lines ...string) string {
		return fmt.Sprintf("[profile %s]\nregion = %s\nendpoint_url = %s\n%s\n", name, region, s.endpoints.aws, strings.Join(lines, "\n"))
	}
	for name, text := range map[string]string{
		"config": section(profile) +
			section(roleProfile, "role_arn = "+role.ARN, "source_profile = "+profile, "role_session_name = "+sessionName) +
			section(processProfile, "credential_process = cat "+word(s.path(awsFolder, processName))),
		"credentials": fmt.Sprintf("[%s]\naws_access_key_id = %s\naws_secret_access_key = %s\n", profile, admin.AccessKeyID, admin.SecretAccessKey),
		processName:   string(process),
		webTokenName:  token,
	} {
		if err := os.WriteFile(filepath.Join(s.path(awsFolder), name), []byte(text), 0o600); err != nil {
			return failed(s.dir, "write the stack's AWS files", err, "")
		}
	}
	return nil
}

// word is a word of a command line in an AWS file, as a shell and Python's shlex read it. What follows a blank there and
// begins with # or ; would be a comment to the SDKs.
func word(text string) string {
	quoted := "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
	for _, sign := range []string{"#", ";"} {
		for _, blank := range []string{" ", "\t"} {
			quoted = strings.ReplaceAll(quoted, blank+sign, blank+`'"`+sign+`"'`)
		}
	}
	return quoted
}
