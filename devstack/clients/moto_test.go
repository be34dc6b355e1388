//go:build unix

package clients

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

// moto starts moto's server, an AWS that shares no code with ours, and returns its address. It checks no signature.
func moto(t *testing.T) (url string) {
	t.Helper()
	program := os.Getenv("AIRHOOK_TEST_PYTHON")
	if program == "" {
		t.Skip("AIRHOOK_TEST_PYTHON names no Python with testdata/requirements.txt; make test-clients makes one")
	}
	cmd := exec.CommandContext(t.Context(), program, "-u", "-m", "moto.server", "-H", "127.0.0.1", "-p", "0")
	cmd.Env = []string{"HOME=" + t.TempDir(), "PATH=" + os.Getenv("PATH")}
	out, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout = cmd.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-ended
		_ = cmd.Wait()
	})
	address := regexp.MustCompile(`http://127\.0\.0\.1:[0-9]+`)
	lines := bufio.NewScanner(out)
	for url == "" && lines.Scan() {
		url = address.FindString(lines.Text())
	}
	go func() { // it must never wait for a reader
		defer close(ended)
		for lines.Scan() {
			continue
		}
	}()
	if url == "" {
		t.Fatalf("moto did not say where it listens: %v", lines.Err())
	}
	return url
}

func TestMotoIsAnAWSToo(t *testing.T) {
	url := moto(t)
	const role = "arn:aws:iam::123456789012:role/loader"
	var endpoint struct {
		Address string
		Port    int
	}
	if err := json.Unmarshal([]byte(python(t, environment(t), "moto_cluster.py", url, "warehouse")), &endpoint); err != nil || endpoint.Address == "" {
		t.Fatalf("moto's cluster is %+v: %v", endpoint, err)
	}
	env := []string{
		"HOME=" + t.TempDir(), "PATH=" + os.Getenv("PATH"), "AWS_EC2_METADATA_DISABLED=true",
		fmt.Sprintf(`AIRFLOW_CONN_MOTO={"conn_type": "aws", "login": "AKIAANY", "password": "any", "extra": {"region_name": "us-east-1", "endpoint_url": %q, "role_arn": %q, "assume_role_kwargs": {"RoleSessionName": "nightly"}}}`, url, role),
		`AIRFLOW_CONN_WH={"conn_type": "redshift", "login": "app", "schema": "dev", "extra": {"iam": true, "cluster_identifier": "warehouse", "aws_conn_id": "moto"}}`,
		`AIRFLOW_CONN_NONE={"conn_type": "redshift", "login": "app", "extra": {"iam": true, "cluster_identifier": "warehose", "aws_conn_id": "moto"}}`,
	}
	out, errs, code := airhook(t, env, "explain", "wh", "-o", "json")
	var x struct {
		Host     string
		Port     int
		Identity struct{ ARN string }
	}
	if err := json.Unmarshal([]byte(out), &x); err != nil || code != 0 {
		t.Fatalf("explain: exit %d, %v: %s", code, err, errs)
	}
	if x.Host != endpoint.Address || x.Port != endpoint.Port {
		t.Errorf("the endpoint is %s:%d, want %+v", x.Host, x.Port, endpoint)
	}
	if want := "arn:aws:sts::123456789012:assumed-role/loader/nightly"; x.Identity.ARN != want {
		t.Errorf("the caller is %q, want %q", x.Identity.ARN, want)
	}
	out, errs, code = airhook(t, env, "token", "wh", "-o", "json")
	var token struct{ User, Token, Host string }
	if err := json.Unmarshal([]byte(out), &token); err != nil || code != 0 || token.User != "IAM:app" || token.Token == "" || token.Host != endpoint.Address {
		t.Errorf("token: exit %d, %v, user %q for %q: %s", code, err, token.User, token.Host, errs)
	}
	_, errs, code = airhook(t, env, "token", "none", "-o", "json")
	if code != 4 || !strings.Contains(errs, `"cluster_not_found"`) || !strings.Contains(errs, "warehouse") {
		t.Errorf("a misspelt cluster: exit %d: %s", code, errs)
	}
}
