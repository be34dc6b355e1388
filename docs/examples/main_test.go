//go:build unix

package examples_test

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"go.uber.org/goleak"

	"github.com/airhook-go/airhook"
	"github.com/airhook-go/airhook/airflow"
	"github.com/airhook-go/airhook/defaults"
	"github.com/airhook-go/airhook/devstack"
	"github.com/airhook-go/airhook/devstack/postgres"
)

// What every cell has: ctx and client, as the page's first Go cell makes them, and the stack that client logs in to.
var (
	ctx    = context.Background()
	client *airhook.Client
	stack  *devstack.Stack
)

// log is what cells know as the package log, but that Fatal panics: the stack is ended on the way.
var log fatal

type fatal struct{}

func (fatal) Fatal(args ...any) { panic(fmt.Sprint(args...)) }

func TestMain(m *testing.M) {
	flag.Parse()
	if testing.Short() {
		fmt.Println("the examples start a dev stack, and -short asks for none")
		os.Exit(0)
	}
	syscall.Umask(0o022) // a folder that the group may write to is no stack's
	code := 1
	err := withStack(func() { code = m.Run() })
	if err == nil && code == 0 {
		err = goleak.Find()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = max(code, 1)
	}
	os.Exit(code)
}

// withStack runs what has nothing of the user's: a home of its own, and a dev stack's AWS.
func withStack(run func()) (err error) {
	dir, err := os.MkdirTemp("", "airhook-examples-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if stack, err = devstack.Start(ctx, devstack.Options{Dir: dir + "/dev", Postgres: postgres.FindOptions{Offline: os.Getenv("AIRHOOK_TEST_FETCH") == ""}}); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stack.Close()) }()
	for _, pair := range os.Environ() {
		name, _, _ := strings.Cut(pair, "=")
		for _, prefix := range []string{"AIRFLOW", "AIRHOOK_", "AWS_", "PG", "XDG_"} {
			if strings.HasPrefix(name, prefix) {
				err = errors.Join(err, os.Unsetenv(name))
			}
		}
	}
	admin := stack.Status().AWS.Principals[0]
	file := fmt.Sprintf("[analyst]\naws_access_key_id=%q\naws_secret_access_key=%q\n", admin.AccessKeyID, admin.SecretAccessKey)
	if err := os.WriteFile(dir+"/credentials", []byte(file), 0o600); err != nil {
		return err
	}
	env := append(stack.Env(), "AIRHOOK_HOME="+dir+"/home", "AWS_SHARED_CREDENTIALS_FILE="+dir+"/credentials")
	for _, pair := range append(env, connections(stack.Status())...) {
		name, value, _ := strings.Cut(pair, "=")
		err = errors.Join(err, os.Setenv(name, value))
	}
	if err != nil {
		return err
	}
	if client, err = defaults.Client(ctx); err != nil {
		return err
	}
	defer client.Close()
	run()
	return nil
}

// connections are those that the cells use, as variables.
func connections(s devstack.Status) (env []string) {
	for _, c := range []struct{ id, typ, instance, login, extra string }{
		{"rds_postgres_iam", "postgres", "mydb", "app", `{"iam": true, "aws_conn_id": "aws_default"}`},
		{"rds_iam", "postgres", "mydb", "app", `{"iam": true, "aws_conn_id": "aws_default"}`},
		{"redshift_iam", "postgres", "my-redshift-cluster", "app", `{"iam": true, "redshift": true, "cluster-identifier": "my-redshift-cluster", "aws_conn_id": "my_aws_conn"}`},
		{"redshift_serverless_iam", "postgres", "my-serverless-workgroup", "", `{"iam": true, "redshift-serverless": true, "workgroup-name": "my-serverless-workgroup", "aws_conn_id": "my_aws_conn"}`},
		{"both_overrides", "postgres", "mydb", "app", `{"iam": true, "redshift": false, "redshift-serverless": false, "cluster-identifier": "optional-override", "workgroup-name": "optional-override", "aws_conn_id": "aws_default", "region_name": "us-east-1"}`},
		{"prod_redshift", "redshift", "my-cluster", "app", `{"iam": true}`},
		{"staging_redshift", "redshift", "my-redshift-cluster", "app", `{"iam": true}`},
		{"redshift_misspelt", "redshift", "my-cluster", "app", `{"iam": true, "cluster_identifier": "my-clusster"}`},
		{"serverless_misspelt", "redshift", "my-workgroup", "", `{"iam": true, "is_serverless": true, "serverless_work_group": "my-workgrup"}`},
		{"redshift_by_role", "redshift", "my-cluster", "", `{"role_arn": "arn:aws:iam::123456789012:role/AirhookDev", "region_name": "us-east-1"}`},
		{"my_aws_conn", "aws", "", s.AWS.Principals[0].AccessKeyID, `{"region_name": "us-east-1", "endpoint_url": "` + s.AWS.EndpointURL + `"}`},
	} {
		conn := map[string]any{"conn_type": c.typ, "login": c.login, "extra": json.RawMessage(c.extra)}
		if in, found := s.Instance(c.instance); found {
			maps.Copy(conn, map[string]any{"host": in.Endpoint, "port": in.Port, "schema": in.Database})
		} else {
			conn["password"] = s.AWS.Principals[0].SecretAccessKey
		}
		text, err := json.Marshal(conn)
		if err != nil {
			log.Fatal(err)
		}
		env = append(env, airflow.EnvName(c.id)+"="+string(text))
	}
	return env
}

// onStack gives a connection that a cell has just written the stack's port, in place of 5439, and the password of that instance.
func onStack(id, instance string) {
	in, found := stack.Status().Instance(instance)
	conn, err := client.Get(ctx, id)
	if err != nil || !found {
		log.Fatal(id, instance, err)
	}
	if conn.Port != 0 {
		conn.Port = in.Port
	}
	if conn.Password != (airhook.Secret{}) {
		conn.Password = airhook.NewSecret(in.PasswordLogin.Password)
	}
	if !conn.Extra.IsZero() {
		if conn.Extra, err = airhook.ParseExtra(strings.ReplaceAll(conn.Extra.Reveal(), "5439", strconv.Itoa(in.Port))); err != nil {
			log.Fatal(err)
		}
	}
	if err := client.Put(ctx, conn); err != nil {
		log.Fatal(err)
	}
}
