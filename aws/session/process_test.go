//go:build unix

package session

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials/processcreds"
	"github.com/google/go-cmp/cmp"

	"github.com/airhook-go/airhook"
)

// hanging makes profiles whose credential_process starts another process and waits for it. started waits until it runs,
// ended until all that was started is gone.
func hanging(t *testing.T) (started, ended func()) {
	t.Helper()
	dir := t.TempDir()
	pipe, script := filepath.Join(dir, "pipe"), filepath.Join(dir, "hang.sh")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	write(t, script, "exec 3>"+pipe+"\nsleep 30 &\necho started >&3\nwait\n")
	awsFolder(t, fmt.Sprintf("[profile slow]\ncredential_process = sh %s\n[profile role]\nrole_arn = %s\nsource_profile = slow\nregion = us-east-1\n", script, roleA), "")
	var reader *bufio.Reader
	return func() {
			file, err := os.Open(pipe) // as soon as somebody writes
			if err != nil {
				t.Error(err)
				return
			}
			t.Cleanup(func() { _ = file.Close() })
			reader = bufio.NewReader(file)
			if _, err := reader.ReadString('\n'); err != nil {
				t.Error(err)
			}
			if err := file.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
				t.Error(err)
			}
		}, func() {
			t.Helper()
			if _, err := io.Copy(io.Discard, reader); err != nil { // its end is there when nobody is left who could write
				t.Errorf("what the credential_process started still runs: %v", err)
			}
		}
}

// TestAHangingCredentialProcessIsKilled with all that it started, also that of a source_profile, and the profile is named.
func TestAHangingCredentialProcessIsKilled(t *testing.T) {
	for _, profile := range []string{"slow", "role"} {
		started, ended := hanging(t)
		s := openWho(t, resolver(), Who{Profile: profile})
		s.at.process.timeout = 100 * time.Millisecond
		running := make(chan struct{})
		go func() { started(); close(running) }()
		_, err := s.Credentials(t.Context())
		<-running
		var e *airhook.Error
		if !errors.As(err, &e) || !errors.Is(err, airhook.ErrUnreachable) || !strings.Contains(err.Error(), `the credential_process of AWS profile "slow" did not end within 100ms and was killed`) || e.Hint == "" {
			t.Errorf("%s: got %v", profile, err)
		}
		ended()
	}
}

// TestACredentialProcessThatIsNotWaitedForIsNamed, where whoever asks has less time than it has.
func TestACredentialProcessThatIsNotWaitedForIsNamed(t *testing.T) {
	for profile, want := range map[string]string{"slow": `the credential_process of AWS profile "slow" did not end in time`, "role": `neither STS nor the credential_process of AWS profile "slow" answered in time`} {
		started, ended := hanging(t)
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		running := make(chan struct{})
		go func() { started(); close(running) }()
		_, err := openWho(t, resolver(), Who{Profile: profile}).Credentials(ctx)
		cancel()
		if <-running; !errors.Is(err, airhook.ErrUnreachable) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", profile, err, want)
		}
		ended()
	}
}

// TestNobodyWaitsForACredentialProcess any more: it is ended. Whoever still waits gets what it prints.
func TestNobodyWaitsForACredentialProcess(t *testing.T) {
	for _, who := range []Who{{Profile: "slow"}, {Profile: "role"}, {Profile: "slow", RoleARN: roleB}, {Profile: "role", RoleARN: roleB}} {
		nobodyWaits(t, who)
	}
}

func nobodyWaits(t *testing.T, who Who) {
	t.Helper()
	started, ended := hanging(t)
	s := openWho(t, resolver(), who)
	ctx, cancel := context.WithCancel(t.Context())
	results := make(chan error)
	for range 3 {
		go func() {
			_, err := s.Credentials(ctx)
			results <- err
		}()
	}
	one, leave := context.WithCancel(t.Context())
	go func() {
		_, err := s.Credentials(one)
		results <- err
	}()
	started()
	leave()
	if err := <-results; !errors.Is(err, airhook.ErrCancelled) {
		t.Errorf("who gave up got %v", err)
	}
	select {
	case err := <-results:
		t.Errorf("who still waits got %v", err)
	default:
	}
	cancel()
	for range 3 {
		if err := <-results; !errors.Is(err, airhook.ErrCancelled) {
			t.Errorf("got %v, want cancelled", err)
		}
	}
	ended()
}

// TestACredentialProcessHasNoTerminal: it reads nothing of what airhook is given, and its keys are kept until they end.
func TestACredentialProcessHasNoTerminal(t *testing.T) {
	dir := t.TempDir()
	script, count := filepath.Join(dir, "keys.sh"), filepath.Join(dir, "count")
	write(t, script, `read line && exit 9
echo once >>`+count+`
echo '{"Version": 1, "AccessKeyId": "AKIDPROCESS", "SecretAccessKey": "`+canary+`"}'
`)
	awsFolder(t, "[profile p]\ncredential_process = sh "+script+"\n", "")
	s := openWho(t, resolver(), Who{Profile: "p"})
	for range 2 {
		if creds, err := s.Credentials(t.Context()); err != nil || creds.AccessKeyID != "AKIDPROCESS" || s.Source(creds) != `profile "p"` {
			t.Errorf("got %s from %s (%v)", creds.AccessKeyID, s.Source(creds), err)
		}
	}
	if text, err := os.ReadFile(count); err != nil || string(text) != "once\n" {
		t.Errorf("it ran %q (%v)", text, err)
	}
}

// TestWhatACredentialProcessLeavesRunningHidesNoKeys: an agent that it started in the background may hold its output open.
func TestWhatACredentialProcessLeavesRunningHidesNoKeys(t *testing.T) {
	const keys = `{"Version": 1, "AccessKeyId": "AKIDPROCESS", "SecretAccessKey": "` + canary + `", "SessionToken": "token", "AccountId": "123456789012", "Expiration": "2199-01-02T03:04:05Z"}`
	for _, c := range []struct{ name, printed, exit, want string }{
		{"keys", keys, "0", ""},
		{"no keys", "not-json " + canary, "0", "printed no credentials"},
		{"another version", strings.Replace(keys, "1", "2", 1), "0", "printed no credentials"},
		{"keys, but it failed", keys, "7", "failed: exit status 7"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			script, left := filepath.Join(dir, "keys.sh"), filepath.Join(dir, "left")
			write(t, script, "sleep 60 &\necho $! >"+left+"\necho '"+c.printed+"'\nexit "+c.exit+"\n")
			t.Cleanup(func() { endLeft(t, left) })
			awsFolder(t, "[profile p]\ncredential_process = sh "+script+"\n", "")
			creds, err := openWho(t, resolver(), Who{Profile: "p"}).Credentials(t.Context())
			if c.want != "" {
				if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(fmt.Sprintf("%+v", err), canary) {
					t.Errorf("got %v, want %q", err, c.want)
				}
				return
			}
			want := aws.Credentials{
				AccessKeyID: "AKIDPROCESS", SecretAccessKey: canary, SessionToken: "token", AccountID: "123456789012", Source: processcreds.ProviderName,
				CanExpire: true, Expires: time.Date(2199, 1, 2, 3, 4, 5, 0, time.UTC).Add(-expiryWindow),
			}
			if diff := cmp.Diff(want, creds); err != nil || diff != "" {
				t.Errorf("%v %s", err, diff)
			}
		})
	}
}

// endLeft ends what a script left running, as it should have been left.
func endLeft(t *testing.T, file string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Errorf("what it left is not its to end: %v", err)
	}
}

// TestNoProcessIsBlamedWhereKeysSign: the environment's come before those of the default profile.
func TestNoProcessIsBlamedWhereKeysSign(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0") // it takes connections and never answers
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = silent.Close() }()
	awsFolder(t, "[default]\ncredential_process = false\n", "")
	setenv(t, map[string]string{"AWS_ACCESS_KEY_ID": "AKIDENV", "AWS_SECRET_ACCESS_KEY": canary, "AWS_REGION": "us-east-1", "AWS_ENDPOINT_URL": "http://" + silent.Addr().String()})
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	_, err = openWho(t, resolver(), Who{RoleARN: roleA}).Credentials(ctx)
	if !errors.Is(err, airhook.ErrUnreachable) || !strings.Contains(err.Error(), roleA) || strings.Contains(err.Error(), "credential_process") {
		t.Errorf("got %v, want the role's STS blamed", err)
	}
}
