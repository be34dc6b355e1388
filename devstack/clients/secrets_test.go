//go:build unix

package clients

import (
	"bytes"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// issued are the secrets that the stack gave out or let somebody in with, and all that airhook printed meanwhile. What
// TestMain scans at the end is the whole run of this package: outputs, the stack's log, and the folders of the clients.
var issued ledger

type ledger struct {
	mu      sync.Mutex
	secrets map[string]bool
	prints  []print
}

type print struct {
	args []string
	text []byte
}

func (l *ledger) add(secret string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.secrets == nil {
		l.secrets = map[string]bool{}
	}
	l.secrets[secret] = true
	l.secrets[url.QueryEscape(secret)] = true
	if _, signature, found := strings.Cut(secret, "X-Amz-Signature="); found {
		l.secrets[signature] = true
	}
}

// printed notes the outputs of a run of airhook. What `token` and --reveal print is asked for.
func (l *ledger) printed(args []string, out, errs []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(args) == 0 || args[0] != "token" && !slices.Contains(args, "--reveal") {
		l.prints = append(l.prints, print{args, out})
	}
	l.prints = append(l.prints, print{args, errs})
}

// in is what of a text is a secret, by its first letters.
func (l *ledger) in(text []byte) (found []string) {
	for secret := range l.secrets {
		if bytes.Contains(text, []byte(secret)) {
			found = append(found, secret[:4]+"…")
		}
	}
	return found
}

// found says where a secret shows: in what was printed, in the log, or in a file below one of the folders.
func (l *ledger) found(places ...string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	var where []string
	for _, p := range l.prints {
		if hit := l.in(p.text); len(hit) > 0 {
			where = append(where, fmt.Sprintf("airhook %s prints %v", strings.Join(p.args, " "), hit))
		}
	}
	for _, place := range places {
		err := filepath.WalkDir(place, func(name string, entry fs.DirEntry, err error) error {
			if err != nil || !entry.Type().IsRegular() {
				return err
			}
			text, err := os.ReadFile(name)
			if hit := l.in(text); len(hit) > 0 {
				where = append(where, fmt.Sprintf("%s holds %v", name, hit))
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	if len(where) > 0 {
		return fmt.Errorf("of %d secrets some show:\n%s", len(l.secrets), strings.Join(where, "\n"))
	}
	return nil
}

// newHome is a folder for one client that is scanned at the end.
func newHome(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp(homes, "home")
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestTheScanFindsWhatShows(t *testing.T) {
	var l ledger
	l.add("a+secret/key")
	dir := t.TempDir()
	if err := l.found(dir); err != nil {
		t.Errorf("nothing shows: %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "trace"), []byte("x a+secret/key x"), 0o600); err != nil {
		t.Fatal(err)
	}
	l.printed([]string{"token", "x"}, []byte("a+secret/key"), nil) // it is asked for
	l.printed([]string{"explain", "x"}, []byte("key=a%2Bsecret%2Fkey"), nil)
	l.printed([]string{"sql", "x"}, nil, []byte("a+secret/key"))
	if err := l.found(dir); err == nil || strings.Count(err.Error(), "\n") != 3 || strings.Contains(err.Error(), "a+secret") {
		t.Errorf("got %v, want three places and no secret", err)
	}
}

// TestNothingShowsASecret has every command talk as much as it can, in success and in failure; TestMain scans.
func TestNothingShowsASecret(t *testing.T) {
	rds, cluster, workgroup := instance(t, "rds"), instance(t, "redshift"), instance(t, "redshift-serverless")
	plain := instance(t, "postgres")
	issued.add(plain.PasswordLogin.Password)
	issued.add(cluster.PasswordLogin.Password)
	admin := status.AWS.Principals[0]
	env := environment(t,
		named(rds, "rds", map[string]any{"iam": true}), named(cluster, "red", map[string]any{"iam": true, "redshift": true}), named(workgroup, "srv", map[string]any{"iam": true, "redshift-serverless": true}),
		named(rds, "stranger", map[string]any{"iam": true, "aws_conn_id": "stranger_keys"}), named(cluster, "role", map[string]any{"iam": true, "redshift": true, "role_arn": status.AWS.Roles[0].ARN}),
		fmt.Sprintf(`AIRFLOW_CONN_STRANGER_KEYS={"conn_type": "aws", "login": %q, "password": "not+%s", "extra": {"region_name": "us-east-1"}}`, admin.AccessKeyID, admin.SecretAccessKey),
		fmt.Sprintf("AIRFLOW_CONN_PLAIN=postgres://%s:%s@localhost:%d/%s?sslmode=verify-full&sslrootcert=%s", plain.PasswordLogin.User, plain.PasswordLogin.Password, plain.Port, plain.Database, url.QueryEscape(status.CAFile)),
		fmt.Sprintf("AIRFLOW_CONN_NOWHERE=postgres://%s:%s@localhost:1/x", plain.PasswordLogin.User, plain.PasswordLogin.Password),
		fmt.Sprintf("AIRFLOW_CONN_BROKEN={%q", plain.PasswordLogin.Password),
	)
	env = append(env, "AIRHOOK_HOME="+filepath.Join(newHome(t), "airhook"))
	ids := []string{"rds", "red", "srv", "stranger", "role", "plain", "nowhere", "broken", "nobody"}
	for _, id := range ids {
		for _, args := range [][]string{
			{"explain", id},
			{"policy", id},
			{"connections", "get", id},
			{"connections", "get", id, "-o", "uri"},
			{"connections", "test", id},
			{"token", id},
			{"sql", id, "SELECT current_user"},
			{"sql", id, "SELECT 1/0"},
			{"sql", id, "SELECT pg_sleep(0), 'x' AS " + strings.Repeat("y", 80)},
		} {
			for _, format := range []string{"table", "json"} {
				if !slices.Contains(args, "-o") {
					airhook(t, env, append(args, "-o", format, "--log-level", "debug")...)
				}
			}
		}
	}
	for _, args := range [][]string{
		{"connections", "list"},
		{"connections", "list", "-o", "json"},
		{"connections", "test", "--all", "--log-level", "debug"},
		{"dev", "status"},
		{"connections", "add", "kept", "--conn-uri", "postgres://u:" + plain.PasswordLogin.Password + "@h/db"},
		{"connections", "add", "kept", "--conn-uri", "postgres://u:" + plain.PasswordLogin.Password + "@h/db"},
		{"connections", "add", "odd", "--conn-json", "{" + plain.PasswordLogin.Password},
		{"connections", "get", "kept"},
	} {
		airhook(t, env, args...)
	}
	issued.mu.Lock()
	defer issued.mu.Unlock()
	if len(issued.secrets) < 20 || len(issued.prints) < 100 {
		t.Errorf("%d secrets in %d outputs: too little to search", len(issued.secrets), len(issued.prints))
	}
}
