//go:build unix

package devstack_test

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/airhook-go/airhook/devstack"
)

func identities(t *testing.T, s *devstack.Stack) map[string]devstack.Identity {
	t.Helper()
	kinds := map[string]devstack.Identity{}
	for _, i := range s.Status().AWS.Identities {
		kinds[i.Kind] = i
	}
	return kinds
}

var kinds = []string{"keys", "session", "profile", "role-profile", "process", "web-identity", "container", "imds", "expired"}

func TestIdentitiesAreWhoTheySay(t *testing.T) {
	s := common(t)
	found := identities(t, s)
	for _, kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			identity, ok := found[kind]
			if !ok {
				t.Fatal("there is none")
			}
			arn, err := whoIs(t, identity.Env)
			if kind == "expired" {
				wantCode(t, err, "ExpiredToken")
				return
			}
			if err != nil || arn != identity.ARN {
				t.Errorf("it is %q (%v), want %q", arn, err, identity.ARN)
			}
		})
	}
	if len(found) != len(kinds) {
		t.Errorf("%d kinds, want %d", len(found), len(kinds))
	}
}

// A folder's name may hold what a shell, Python's shlex and the readers of AWS files take for something else.
func TestAProgramsCredentialsAreFoundInAnyFolder(t *testing.T) {
	s := start(t, filepath.Join(t.TempDir(), `it's a "b" $HOME #c ;d `+"\t#é"))
	identity := identities(t, s)["process"]
	if arn, err := whoIs(t, identity.Env); err != nil || arn != identity.ARN {
		t.Errorf("it is %q (%v), want %q", arn, err, identity.ARN)
	}
}

func TestFilesOfIdentitiesAreTheUsersAlone(t *testing.T) {
	s := common(t)
	files, err := filepath.Glob(filepath.Join(s.Status().Dir, "aws", "*"))
	if err != nil || len(files) != 4 {
		t.Fatalf("files %v, %v", files, err)
	}
	for _, file := range append(files, filepath.Join(s.Status().Dir, "stack.json")) {
		if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", file, info, err)
		}
	}
}

// get asks one of the machines' endpoints.
func get(t *testing.T, method, url string, headers map[string]string) (status int, body map[string]any) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range headers {
		r.Header.Set(name, value)
	}
	r.Close = true
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	_ = json.NewDecoder(answer.Body).Decode(&body)
	return answer.StatusCode, body
}

func TestMachinesCredentialsAreNotForPassersBy(t *testing.T) {
	found := identities(t, common(t))
	container, metadata := found["container"].Env["AWS_CONTAINER_CREDENTIALS_FULL_URI"], found["imds"].Env["AWS_EC2_METADATA_SERVICE_ENDPOINT"]
	for url, headers := range map[string]map[string]string{
		container: {"Authorization": "wrong"},
		metadata + "/latest/meta-data/iam/security-credentials/AirhookDev": {"X-aws-ec2-metadata-token": "wrong"},
	} {
		for _, h := range []map[string]string{nil, headers} {
			if status, body := get(t, http.MethodGet, url, h); status != http.StatusUnauthorized || body["SecretAccessKey"] != nil {
				t.Errorf("%s with %v: %d", strings.TrimPrefix(url, "http://"), h, status)
			}
		}
	}
}
