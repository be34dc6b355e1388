//go:build unix

package clients

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/feature/rds/auth"

	"github.com/airhook-go/airhook/devstack"
	"github.com/airhook-go/airhook/devstack/sigv4"
)

// What the tests of this package share.
var (
	stack  *devstack.Stack
	status devstack.Status
	binary string // airhook
	homes  string // the folders that clients write to, kept until the end
)

func TestMain(m *testing.M) {
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (code int, err error) {
	dir, err := os.MkdirTemp("", "airhook-clients")
	if err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	binary = filepath.Join(dir, "airhook")
	build := exec.Command("go", "build", "-trimpath", "-o", binary, "../../cmd/airhook")
	build.Env = append(os.Environ(), "CGO_ENABLED=0") // as make build does, whose cached packages serve here
	if out, err := build.CombinedOutput(); err != nil {
		return 1, fmt.Errorf("build airhook: %w: %s", err, out)
	}
	homes = filepath.Join(dir, "homes")
	if err := os.Mkdir(homes, 0o700); err != nil {
		return 1, err
	}
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		return 1, err
	}
	defer func() { _ = log.Close() }()
	o := devstack.Options{Dir: filepath.Join(dir, "dev"), Issued: issued.add, Logger: slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))}
	if stack, err = devstack.Start(context.Background(), o); err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, stack.Close()) }()
	status = stack.Status()
	code = m.Run()
	return code, issued.found(log.Name(), homes)
}

// instance is the first one of a kind.
func instance(t *testing.T, kind string) devstack.Instance {
	t.Helper()
	for _, in := range status.Instances {
		if string(in.Kind) == kind {
			return in
		}
	}
	t.Fatalf("the stack has no instance of kind %s", kind)
	return devstack.Instance{}
}

// environment is what a user's shell has after `eval "$(airhook dev env)"`, and more.
func environment(t *testing.T, more ...string) []string {
	t.Helper()
	home := newHome(t)
	env := []string{"HOME=" + home, "TMPDIR=" + home, "PATH=" + os.Getenv("PATH"), "LC_ALL=C.UTF-8"}
	return append(append(env, stack.Env()...), more...)
}

// named is the variable of a connection to an instance with an IAM login.
func named(in devstack.Instance, id string, extra map[string]any) string {
	conn := map[string]any{"conn_type": "postgres", "host": in.Endpoint, "port": in.Port, "login": in.Users[0], "schema": in.Database, "extra": extra}
	text, _ := json.Marshal(conn)
	return "AIRFLOW_CONN_" + strings.ToUpper(id) + "=" + string(text)
}

// airhook runs the binary and returns both outputs.
func airhook(t *testing.T, env []string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), binary, args...)
	var out, errs bytes.Buffer
	cmd.Env, cmd.Stdout, cmd.Stderr = env, &out, &errs
	err := cmd.Run()
	issued.printed(args, out.Bytes(), errs.Bytes())
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("airhook %s: %v", strings.Join(args, " "), err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

// token is `airhook token` for the RDS instance.
func token(t *testing.T, in devstack.Instance) string {
	t.Helper()
	out, errs, code := airhook(t, environment(t, named(in, "rds", map[string]any{"iam": true})), "token", "rds")
	if code != 0 {
		t.Fatalf("airhook token: exit %d: %s", code, errs)
	}
	return strings.TrimSuffix(out, "\n")
}

// psql is a psql for an instance, by its name on AWS. Debian's is a wrapper, which a signal would not pass.
func psql(t *testing.T, in devstack.Instance, password, tls string, args ...string) *exec.Cmd {
	t.Helper()
	where := fmt.Sprintf("host=%s hostaddr=127.0.0.1 port=%d dbname=%s user=%s sslmode=%s", in.Endpoint, in.Port, in.Database, in.Users[0], tls)
	cmd := exec.CommandContext(t.Context(), psqlPath(t), append([]string{"-wXAtq", "-v", "ON_ERROR_STOP=1", where}, args...)...)
	cmd.Env = environment(t, "PGPASSWORD="+password)
	return cmd
}

func psqlPath(t *testing.T) string {
	t.Helper()
	if path := filepath.Join(status.Programs, "psql"); executable(path) {
		return path
	}
	path, err := exec.LookPath("psql")
	if err != nil {
		t.Skip("psql is not installed (Debian: apt-get install postgresql-client)")
	}
	return path
}

func executable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode()&0o111 != 0
}

func TestPsqlLogsInWithAToken(t *testing.T) {
	in := instance(t, "rds")
	script := `PREPARE p(int, text) AS SELECT $1 + 2, $2, current_user;
EXECUTE p(40, 'back\slash ''quote''');
SELECT count(*), sum(length(s)) FROM (SELECT 'row ' || g AS s FROM generate_series(1, 100000) g) x;
SELECT g FROM generate_series(1, 100000) g;
`
	cmd := psql(t, in, token(t, in), "verify-full", "-f", "-")
	cmd.Stdin = strings.NewReader(script)
	out, err := cmd.CombinedOutput()
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if err != nil || len(lines) != 100_002 {
		t.Fatalf("%v, %d lines: %.300s", err, len(lines), out)
	}
	if want := `42|back\slash 'quote'|` + in.Users[0]; lines[0] != want {
		t.Errorf("got %q, want %q", lines[0], want)
	}
	if lines[100_001] != "100000" {
		t.Errorf("the last line is %q", lines[100_001])
	}
}

func TestPsqlLogsInToRedshift(t *testing.T) {
	for kind, extra := range map[string]map[string]any{
		"redshift": {"iam": true, "redshift": true}, "redshift-serverless": {"iam": true, "redshift-serverless": true},
	} {
		in := instance(t, kind)
		out, errs, code := airhook(t, environment(t, named(in, "wh", extra)), "token", "wh", "-o", "json")
		var got struct{ User, Token string }
		if err := json.Unmarshal([]byte(out), &got); code != 0 || err != nil {
			t.Fatalf("%s: airhook token: exit %d, %v: %s", kind, code, err, errs)
		}
		in.Users = []string{got.User}
		answer, err := psql(t, in, got.Token, "verify-full", "-c", `SELECT version() LIKE '%Redshift%', '\\', length('\\')`).CombinedOutput()
		if err != nil || strings.TrimSpace(string(answer)) != `t|\|1` {
			t.Errorf("%s: %v: %s", kind, err, answer)
		}
	}
}

// living is a token that is right but for the seconds that it lives; the SDK's BuildAuthToken gives 900 only.
func living(t *testing.T, in devstack.Instance, seconds int) string {
	t.Helper()
	url := fmt.Sprintf("http://%s:%d/?Action=connect&DBUser=%s&X-Amz-Expires=%d", in.Endpoint, in.Port, in.Users[0], seconds)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	key := status.AWS.Principals[0]
	keys := aws.Credentials{AccessKeyID: key.AccessKeyID, SecretAccessKey: key.SecretAccessKey}
	made, _, err := v4.NewSigner().PresignHTTP(t.Context(), keys, request, sigv4.PayloadHash(nil), "rds-db", status.AWS.Region, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimPrefix(made, "http://")
}

func TestPsqlIsRefused(t *testing.T) {
	in := instance(t, "rds")
	sign := func(host string, port int, region, user string) string {
		key := status.AWS.Principals[0]
		made, err := auth.BuildAuthToken(t.Context(), host+":"+strconv.Itoa(port), region, user, aws.NewCredentialsCache(credentials.NewStaticCredentialsProvider(key.AccessKeyID, key.SecretAccessKey, "")))
		if err != nil {
			t.Fatal(err)
		}
		return made
	}
	region := status.AWS.Region
	good := sign(in.Endpoint, in.Port, region, in.Users[0])
	for _, test := range []struct{ name, token, tls, want string }{
		{"the right token", good, "verify-full", ""},
		{"no TLS", good, "disable", "no encryption"},
		{"another host", sign("other."+in.Endpoint, in.Port, region, in.Users[0]), "verify-full", "PAM authentication failed"},
		{"another port", sign(in.Endpoint, in.Port+1, region, in.Users[0]), "verify-full", "PAM authentication failed"},
		{"another region", sign(in.Endpoint, in.Port, "eu-west-1", in.Users[0]), "verify-full", "PAM authentication failed"},
		{"another user", sign(in.Endpoint, in.Port, region, "somebody"), "verify-full", "PAM authentication failed"},
		{"the longest life", living(t, in, 900), "verify-full", ""},
		{"a longer life", living(t, in, 901), "verify-full", "PAM authentication failed"},
		{"a longer life than was signed", strings.Replace(living(t, in, 600), "X-Amz-Expires=600", "X-Amz-Expires=900", 1), "verify-full", "PAM authentication failed"},
		{"a password", "hunter2", "verify-full", "PAM authentication failed"},
	} {
		out, err := psql(t, in, test.token, test.tls, "-c", "SELECT 1").CombinedOutput()
		if refused := err != nil; refused != (test.want != "") || !strings.Contains(string(out), test.want) {
			t.Errorf("%s: %v: %s", test.name, err, out)
		}
	}
	stack.Account().Skew(16 * time.Minute)
	defer stack.Account().Skew(0)
	if out, err := psql(t, in, good, "verify-full", "-c", "SELECT 1").CombinedOutput(); err == nil || !strings.Contains(string(out), "PAM authentication failed") {
		t.Errorf("a token of 16 minutes ago: %v: %s", err, out)
	}
}

func TestConnectionsTestNamesTheStage(t *testing.T) {
	in := instance(t, "rds")
	other := in
	other.Users = []string{"nobody_here"}
	env := environment(t, named(in, "good", map[string]any{"iam": true}), named(other, "wrong_user", map[string]any{"iam": true}),
		named(in, "wrong_region", map[string]any{"iam": true, "region_name": "eu-west-1"}), named(in, "wrong_host", map[string]any{"iam": true, "iam_host": "other." + in.Endpoint}))
	for id, want := range map[string]string{"good": "connected as " + in.Users[0], "wrong_user": "failed at login", "wrong_region": "failed at login", "wrong_host": "failed at login"} {
		out, errs, code := airhook(t, env, "connections", "test", id)
		if !strings.Contains(out, want) || (code == 0) != (id == "good") {
			t.Errorf("%s: exit %d, want %q: %s%s", id, code, want, out, errs)
		}
	}
}

// running counts the statements on the RDS instance that hold a mark.
func running(t *testing.T, in devstack.Instance, mark string) string {
	t.Helper()
	sql := "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND pid <> pg_backend_pid() AND query LIKE '%" + mark + "%'"
	out, err := psql(t, in, token(t, in), "verify-full", "-c", sql).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return strings.TrimSpace(string(out))
}

func TestPsqlCancels(t *testing.T) {
	in := instance(t, "rds")
	cmd := psql(t, in, token(t, in), "verify-full", "-c", "SELECT pg_sleep(60) /* mark of the cancelled one */")
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for running(t, in, "mark of the cancelled one") != "1" { // it ends with the test's time limit
		if err := t.Context().Err(); err != nil {
			t.Fatal(err)
		}
	}
	started := time.Now()
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err == nil || !strings.Contains(out.String(), "canceling statement due to user request") || time.Since(started) > 30*time.Second {
		t.Errorf("after %s: %v: %s", time.Since(started), err, out.String())
	}
	if n := running(t, in, "mark of the cancelled one"); n != "0" {
		t.Errorf("%s still run", n)
	}
}

// python runs one of the scripts in testdata.
func python(t *testing.T, env []string, script string, args ...string) string {
	t.Helper()
	program := os.Getenv("AIRHOOK_TEST_PYTHON")
	if program == "" {
		t.Skip("AIRHOOK_TEST_PYTHON names no Python with testdata/requirements.txt; make test-clients makes one")
	}
	cmd := exec.CommandContext(t.Context(), program, append([]string{filepath.Join("testdata", script)}, args...)...)
	cmd.Env = env
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v: %s", script, err, errs.String())
	}
	return strings.TrimSpace(string(out))
}

// Each of them prepares a statement, reads 100,000 rows, keeps backslashes as they are, and cancels.
func TestPythonsDriversLogInToRDS(t *testing.T) {
	in := instance(t, "rds")
	port := strconv.Itoa(in.Port)
	named, rest := []string{in.Endpoint, port}, []string{in.Database, in.Users[0], status.CAFile}
	for script, args := range map[string][]string{
		"psycopg_client.py": append(named, rest...), "psycopg2_client.py": append(named, rest...), "asyncpg_client.py": append([]string{port}, rest...),
	} {
		t.Run(script, func(t *testing.T) {
			if got := python(t, environment(t, "PGPASSWORD="+token(t, in)), script, args...); got != "ok" {
				t.Errorf("got %q", got)
			}
		})
	}
}

func TestSQLAlchemyTakesANewTokenForEverySession(t *testing.T) {
	in := instance(t, "rds")
	env := environment(t, named(in, "rds", map[string]any{"iam": true}))
	got := python(t, env, "sqlalchemy_client.py", binary, "rds", in.Endpoint, strconv.Itoa(in.Port), in.Database, in.Users[0], status.CAFile)
	if got != "ok" {
		t.Errorf("got %q", got)
	}
}

func TestRedshiftConnector(t *testing.T) {
	in := instance(t, "redshift")
	for name, c := range map[string]struct {
		env, args []string
	}{
		"its own IAM login": {nil, []string{in.Users[0], in.ID, status.AWS.Region, status.AWS.EndpointURL}},
		"a database user":   {[]string{"PGPASSWORD=" + in.PasswordLogin.Password}, []string{in.PasswordLogin.User}},
	} {
		t.Run(name, func(t *testing.T) {
			env := environment(t, append(c.env, "SSL_CERT_FILE="+status.CAFile)...)
			if got := python(t, env, "redshift_client.py", append([]string{strconv.Itoa(in.Port), in.Database}, c.args...)...); got != "ok" {
				t.Errorf("got %q", got)
			}
		})
	}
}

func TestBoto3(t *testing.T) {
	env := environment(t)
	if got := python(t, env, "boto3_client.py", "identity"); got != status.AWS.Principals[0].ARN {
		t.Errorf("boto3 is %q, want %q", got, status.AWS.Principals[0].ARN)
	}
	rds := instance(t, "rds")
	signed := python(t, env, "boto3_client.py", "rds", rds.Endpoint, strconv.Itoa(rds.Port), rds.Users[0], status.AWS.Region)
	if out, err := psql(t, rds, signed, "verify-full", "-c", "SELECT 42").CombinedOutput(); err != nil || strings.TrimSpace(string(out)) != "42" {
		t.Errorf("a token of boto3: %v: %s", err, out)
	}
	cluster, workgroup := instance(t, "redshift"), instance(t, "redshift-serverless")
	for _, test := range []struct {
		in   devstack.Instance
		args []string
	}{
		{cluster, []string{"redshift", cluster.ID, cluster.Users[0], cluster.Database}}, {workgroup, []string{"serverless", workgroup.ID, workgroup.Database}},
	} {
		var credential [2]string
		if err := json.Unmarshal([]byte(python(t, env, "boto3_client.py", test.args...)), &credential); err != nil {
			t.Fatal(err)
		}
		in := test.in
		in.Users = credential[:1]
		if out, err := psql(t, in, credential[1], "verify-full", "-c", "SELECT 42").CombinedOutput(); err != nil || strings.TrimSpace(string(out)) != "42" {
			t.Errorf("a password of boto3 for %s: %v: %s", in.ID, err, out)
		}
	}
}
