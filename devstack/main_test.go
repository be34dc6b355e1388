//go:build unix

package devstack_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/feature/rds/auth"
	"github.com/aws/aws-sdk-go-v2/service/redshift"
	"github.com/aws/aws-sdk-go-v2/service/redshiftserverless"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"go.uber.org/goleak"

	"github.com/airhook-go/airhook/devstack"
	"github.com/airhook-go/airhook/devstack/cloud"
	"github.com/airhook-go/airhook/devstack/postgres"
)

// runIn names the folder that this test program is to run a stack in, instead of the tests. With livesOn it outlives it.
const (
	runIn   = "DEVSTACK_TEST_RUN_IN"
	livesOn = "DEVSTACK_TEST_LIVES_ON"
)

var shared struct {
	sync.Mutex
	stack *devstack.Stack
	dir   string
}

func TestMain(m *testing.M) {
	if dir := os.Getenv(runIn); dir != "" {
		os.Exit(runStack(dir))
	}
	syscall.Umask(0o022) // a folder that the group may write to is no stack's
	code := m.Run()
	if shared.stack != nil {
		if err := errors.Join(shared.stack.Close(), os.RemoveAll(shared.dir)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// runStack is a process that is going to be killed.
func runStack(dir string) int {
	stack, err := devstack.Start(context.Background(), options(dir))
	if err != nil {
		fmt.Println(err)
		return 1
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	fmt.Println("up")
	<-ctx.Done()
	if err := stack.Close(); err != nil {
		fmt.Println(err)
		return 1
	}
	if os.Getenv(livesOn) != "" {
		_, _ = io.Copy(io.Discard, os.Stdin)
	}
	return 0
}

func options(dir string) devstack.Options {
	return devstack.Options{Dir: dir, Postgres: postgres.FindOptions{Offline: true}}
}

// start is a stack of the test's own, for those that change more than their own sessions.
func start(t *testing.T, dir string) *devstack.Stack {
	t.Helper()
	stack, err := devstack.Start(t.Context(), options(dir))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := stack.Close(); err != nil {
			t.Error(err)
		}
	})
	return stack
}

// common is a stack for all tests that leave it as it is.
func common(t *testing.T) *devstack.Stack {
	t.Helper()
	shared.Lock()
	defer shared.Unlock()
	if shared.stack != nil {
		return shared.stack
	}
	dir, err := os.MkdirTemp("", "devstack-test-")
	if err != nil {
		t.Fatal(err)
	}
	shared.dir = dir
	if shared.stack, err = devstack.Start(context.WithoutCancel(t.Context()), options(dir)); err != nil {
		t.Fatal(err)
	}
	return shared.stack
}

func instance(t *testing.T, s *devstack.Stack, id string) devstack.Instance {
	t.Helper()
	in, ok := s.Status().Instance(id)
	if !ok {
		t.Fatalf("no instance %s", id)
	}
	return in
}

// config logs in to an instance over TLS, as verify-full does.
func config(t *testing.T, s *devstack.Stack, in devstack.Instance, user, password string) *pgx.ConnConfig {
	t.Helper()
	c, err := pgx.ParseConfig("host=127.0.0.1 user=u password=p dbname=d sslmode=disable sslrootcert='' passfile=''")
	if err != nil {
		t.Fatal(err)
	}
	pem, err := os.ReadFile(s.Status().CAFile)
	roots := x509.NewCertPool()
	if err != nil || !roots.AppendCertsFromPEM(pem) {
		t.Fatalf("read the CA: %v", err)
	}
	c.Host, c.Port, c.User, c.Password, c.Database = "127.0.0.1", uint16(in.Port), user, password, in.Database
	c.TLSConfig = &tls.Config{RootCAs: roots, ServerName: in.Endpoint, MinVersion: tls.VersionTLS12}
	c.DefaultQueryExecMode = pgx.QueryExecModeExec // Redshift sessions have no standard_conforming_strings for the simple one
	return c
}

func open(t *testing.T, c *pgx.ConnConfig) (*pgx.Conn, error) {
	t.Helper()
	conn, err := pgx.ConnectConfig(t.Context(), c)
	if err == nil {
		t.Cleanup(func() { _ = conn.Close(context.WithoutCancel(t.Context())) })
	}
	return conn, err
}

func connect(t *testing.T, c *pgx.ConnConfig) *pgx.Conn {
	t.Helper()
	conn, err := open(t, c)
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

// ask returns one value.
func ask(t *testing.T, conn *pgx.Conn, sql string, args ...any) string {
	t.Helper()
	var text string
	if err := conn.QueryRow(t.Context(), sql, args...).Scan(&text); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return text
}

// refusedWith checks that a login failed, and with which SQLSTATE.
func refusedWith(t *testing.T, err error, state string) {
	t.Helper()
	var pg *pgconn.PgError
	if !errors.As(err, &pg) || pg.Code != state {
		t.Errorf("got %v, want SQLSTATE %s", err, state)
	}
}

func provider(p cloud.Principal) aws.CredentialsProvider {
	return credentials.NewStaticCredentialsProvider(p.AccessKeyID, p.SecretAccessKey, p.SessionToken)
}

func admin(s *devstack.Stack) cloud.Principal { return s.Account().Principals()[0] }

func token(t *testing.T, endpoint, region, user string, who cloud.Principal) string {
	t.Helper()
	made, err := auth.BuildAuthToken(t.Context(), endpoint, region, user, provider(who))
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func clusters(s *devstack.Stack) *redshift.Client {
	return redshift.New(redshift.Options{Region: "us-east-1", BaseEndpoint: aws.String(s.Status().AWS.EndpointURL), Credentials: provider(admin(s)), RetryMaxAttempts: 1})
}

func workgroups(s *devstack.Stack) *redshiftserverless.Client {
	return redshiftserverless.New(redshiftserverless.Options{Region: "us-east-1", BaseEndpoint: aws.String(s.Status().AWS.EndpointURL), Credentials: provider(admin(s)), RetryMaxAttempts: 1})
}
