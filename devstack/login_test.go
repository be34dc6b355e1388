//go:build unix

package devstack_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/redshift"
	"github.com/aws/aws-sdk-go-v2/service/redshiftserverless"
	"github.com/aws/smithy-go"

	"github.com/airhook-go/airhook/devstack"
	"github.com/airhook-go/airhook/devstack/cloud"
)

const host = "mydb.cluster-xyz.us-east-1.rds.amazonaws.com"

func TestRDSTokenLogsIn(t *testing.T) {
	s := common(t)
	in := instance(t, s, "mydb")
	session, err := s.Account().NewSession("AirhookDev", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	for name, who := range map[string]cloud.Principal{"user": admin(s), "session of a role": session} {
		for _, user := range in.Users {
			t.Run(name+", "+user, func(t *testing.T) {
				made := token(t, fmt.Sprintf("%s:%d", host, in.Port), "us-east-1", user, who)
				conn := connect(t, config(t, s, in, user, made))
				if got := ask(t, conn, "SELECT current_user || ' ' || session_user || ' ' || current_database()"); got != user+" "+user+" mydb" {
					t.Errorf("logged in as %q", got)
				}
				if got := ask(t, conn, "SELECT $1::text || $2", `a\b'`, "c"); got != `a\b'c` {
					t.Errorf("got %q", got)
				}
			})
		}
	}
}

// signed is a token made by the SDK's signer with another date and lifetime than BuildAuthToken gives.
func signed(t *testing.T, in devstack.Instance, who cloud.Principal, seconds int, at time.Time) string {
	t.Helper()
	url := fmt.Sprintf("http://%s:%d/?Action=connect&DBUser=%s&X-Amz-Expires=%d", host, in.Port, in.Users[0], seconds)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	keys := aws.Credentials{AccessKeyID: who.AccessKeyID, SecretAccessKey: who.SecretAccessKey, SessionToken: who.SessionToken}
	const emptyHash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	made, _, err := v4.NewSigner().PresignHTTP(t.Context(), keys, request, emptyHash, "rds-db", "us-east-1", at)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimPrefix(made, "http://")
}

func TestRDSRefusesEveryOtherToken(t *testing.T) {
	s := common(t)
	in := instance(t, s, "mydb")
	me, user := admin(s), in.Users[0]
	here := fmt.Sprintf("%s:%d", host, in.Port)
	expired, err := s.Account().NewSession(me.Name, -time.Second)
	if err != nil {
		t.Fatal(err)
	}
	stranger, other := me, me
	stranger.AccessKeyID = "AKIA" + strings.Repeat("X", 16)
	other.SecretAccessKey += "x"
	if _, err := open(t, config(t, s, in, user, signed(t, in, me, 900, time.Now().Add(-10*time.Minute)))); err != nil {
		t.Fatalf("a token of ten minutes is good, but: %v", err)
	}
	for name, made := range map[string]string{
		"expired":              signed(t, in, me, 900, time.Now().Add(-901*time.Second)),
		"Expires above 900":    signed(t, in, me, 901, time.Now()),
		"from the future":      signed(t, in, me, 900, time.Now().Add(10*time.Minute)),
		"other host":           token(t, fmt.Sprintf("other.%s:%d", host, in.Port), "us-east-1", user, me),
		"other port":           token(t, fmt.Sprintf("%s:%d", host, in.Port+1), "us-east-1", user, me),
		"other user":           token(t, here, "us-east-1", "etl", me),
		"other region":         token(t, here, "eu-west-1", user, me),
		"unknown key":          token(t, here, "us-east-1", user, stranger),
		"other secret":         token(t, here, "us-east-1", user, other),
		"session that ran out": token(t, here, "us-east-1", user, expired),
		"no token":             "",
		"no token at all":      "secret",
	} {
		t.Run(name, func(t *testing.T) {
			_, err := open(t, config(t, s, in, user, made))
			refusedWith(t, err, "28000")
		})
	}
	good := token(t, here, "us-east-1", user, me)
	t.Run("no TLS", func(t *testing.T) {
		c := config(t, s, in, user, good)
		c.TLSConfig = nil
		_, err := open(t, c)
		refusedWith(t, err, "28000")
	})
	t.Run("superuser", func(t *testing.T) {
		_, err := open(t, config(t, s, in, "rdsadmin", token(t, here, "us-east-1", "rdsadmin", me)))
		refusedWith(t, err, "28000")
	})
	t.Run("user without rds_iam", func(t *testing.T) {
		_, err := open(t, config(t, s, in, in.PasswordLogin.User, token(t, here, "us-east-1", in.PasswordLogin.User, me)))
		refusedWith(t, err, "28P01")
	})
}

func TestPasswordLogsInOnEveryInstance(t *testing.T) {
	s := common(t)
	for _, in := range s.Status().Instances {
		t.Run(in.ID, func(t *testing.T) {
			conn := connect(t, config(t, s, in, in.PasswordLogin.User, in.PasswordLogin.Password))
			if got := ask(t, conn, "SELECT current_user || ' ' || current_database()"); got != in.PasswordLogin.User+" "+in.Database {
				t.Errorf("logged in as %q", got)
			}
			for _, sql := range []string{"CREATE TABLE made AS SELECT 1 AS a", "DROP TABLE made", "CREATE SCHEMA made", "DROP SCHEMA made"} {
				if _, err := conn.Exec(t.Context(), sql); err != nil {
					t.Errorf("%s: %v", sql, err)
				}
			}
			_, err := open(t, config(t, s, in, in.PasswordLogin.User, in.PasswordLogin.Password+"x"))
			if in.Engine == "redshift" {
				refusedWith(t, err, "28000")
			} else {
				refusedWith(t, err, "28P01")
			}
		})
	}
}

func TestRedshiftTemporaryPasswordLogsIn(t *testing.T) {
	s := common(t)
	in := instance(t, s, "my-cluster")
	get := func(o redshift.GetClusterCredentialsInput) (user, password string, err error) {
		out, err := clusters(s).GetClusterCredentials(t.Context(), &o)
		if err != nil {
			return "", "", err
		}
		return *out.DbUser, *out.DbPassword, nil
	}
	user, password, err := get(redshift.GetClusterCredentialsInput{ClusterIdentifier: aws.String(in.ID), DbUser: aws.String("app"), DbName: aws.String("dev")})
	if err != nil {
		t.Fatal(err)
	}
	conn := connect(t, config(t, s, in, user, password))
	if got := ask(t, conn, "SELECT current_user"); user != "IAM:app" || got != "app" {
		t.Errorf("%s logged in as %q", user, got)
	}
	if got := ask(t, conn, "SELECT version()"); !strings.Contains(got, "PostgreSQL 8.0.2") || !strings.Contains(got, "Redshift") {
		t.Errorf("version() is %q", got)
	}
	if got := ask(t, conn, "SHOW server_version") + conn.PgConn().ParameterStatus("server_version"); got != "8.0.28.0.2" {
		t.Errorf("server_version is %q", got)
	}
	for _, id := range []string{"my-redshift-cluster", "my-workgroup", "mydb"} {
		_, err := open(t, config(t, s, instance(t, s, id), user, password))
		if err == nil {
			t.Errorf("the password of %s opens %s", in.ID, id)
		}
	}
	elsewhere := config(t, s, in, user, password)
	elsewhere.Database = "template1"
	_, err = open(t, elsewhere)
	refusedWith(t, err, "28000")
	if _, err := open(t, config(t, s, in, "IAM:etl", password)); err == nil {
		t.Error("the password of app opens etl")
	}
	plain := config(t, s, in, user, password)
	plain.TLSConfig = nil
	_, err = open(t, plain)
	refusedWith(t, err, "28000")

	user, password, err = get(redshift.GetClusterCredentialsInput{ClusterIdentifier: aws.String(in.ID), DbUser: aws.String("not_made"), DbName: aws.String("dev")})
	if err != nil {
		t.Fatal(err)
	}
	_, err = open(t, config(t, s, in, user, password))
	refusedWith(t, err, "28000")
	user, password, err = get(redshift.GetClusterCredentialsInput{ClusterIdentifier: aws.String(in.ID), DbUser: aws.String("made_now"), DbName: aws.String("dev"), AutoCreate: aws.Bool(true)})
	if err != nil {
		t.Fatal(err)
	}
	if got := ask(t, connect(t, config(t, s, in, user, password)), "SELECT current_user"); got != "made_now" {
		t.Errorf("AutoCreate logged in as %q", got)
	}
	_, _, err = get(redshift.GetClusterCredentialsInput{ClusterIdentifier: aws.String("nowhere"), DbUser: aws.String("app")})
	wantCode(t, err, "ClusterNotFound")
}

func wantCode(t *testing.T, err error, code string) {
	t.Helper()
	var api smithy.APIError
	if !errors.As(err, &api) || !strings.HasPrefix(api.ErrorCode(), code) {
		t.Errorf("got %v, want %s", err, code)
	}
}

func TestServerlessPasswordLogsIn(t *testing.T) {
	s := common(t)
	in := instance(t, s, "my-workgroup")
	out, err := workgroups(s).GetCredentials(t.Context(), &redshiftserverless.GetCredentialsInput{WorkgroupName: aws.String(in.ID), DbName: aws.String("dev")})
	if err != nil {
		t.Fatal(err)
	}
	conn := connect(t, config(t, s, in, *out.DbUser, *out.DbPassword))
	if got := ask(t, conn, "SELECT current_user"); got != in.Users[0] || *out.DbUser != in.Users[0] {
		t.Errorf("%s logged in as %q, want %q", *out.DbUser, got, in.Users[0])
	}
	elsewhere := config(t, s, in, *out.DbUser, *out.DbPassword)
	elsewhere.Database = "template1"
	_, err = open(t, elsewhere)
	refusedWith(t, err, "28000")
	if _, err := open(t, config(t, s, instance(t, s, "my-serverless-workgroup"), *out.DbUser, *out.DbPassword)); err == nil {
		t.Error("the password of one workgroup opens another")
	}
	_, err = workgroups(s).GetCredentials(t.Context(), &redshiftserverless.GetCredentialsInput{WorkgroupName: aws.String("nowhere")})
	wantCode(t, err, "ResourceNotFoundException")
}

func TestBackslashesSurviveOnRedshift(t *testing.T) {
	s := common(t)
	in := instance(t, s, "my-cluster")
	conn := connect(t, config(t, s, in, in.PasswordLogin.User, in.PasswordLogin.Password))
	if got := ask(t, conn, `SELECT 'a\\b'`); got != `a\b` {
		t.Errorf(`'a\\b' is %q: a backslash escapes on Redshift`, got)
	}
	if got := ask(t, conn, "SELECT $1::text", `a\b\\c'`); got != `a\b\\c'` {
		t.Errorf("a parameter came back as %q", got)
	}
	if got := conn.PgConn().ParameterStatus("standard_conforming_strings"); got != "" {
		t.Errorf("it tells standard_conforming_strings %q, which Redshift does not", got)
	}
}

func TestCancelEndsTheStatement(t *testing.T) {
	s := common(t)
	for _, id := range []string{"mydb", "my-cluster"} {
		t.Run(id, func(t *testing.T) {
			in := instance(t, s, id)
			conn := connect(t, config(t, s, in, in.PasswordLogin.User, in.PasswordLogin.Password))
			watch := connect(t, config(t, s, in, in.PasswordLogin.User, in.PasswordLogin.Password))
			ended := make(chan error, 1)
			go func() {
				_, err := conn.Exec(context.WithoutCancel(t.Context()), "SELECT pg_sleep(60)")
				ended <- err
			}()
			for ask(t, watch, "SELECT count(*)::text FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%' AND state = 'active'") == "0" {
			}
			if err := conn.PgConn().CancelRequest(t.Context()); err != nil {
				t.Fatal(err)
			}
			refusedWith(t, <-ended, "57014")
		})
	}
}

// A cancel request that comes when its statement is over, or its session, must not hit what runs then.
func TestLateCancelHitsNothing(t *testing.T) {
	s := common(t)
	in := instance(t, s, "mydb")
	for range 20 {
		conn := connect(t, config(t, s, in, in.PasswordLogin.User, in.PasswordLogin.Password))
		ask(t, conn, "SELECT 1::text")
		if err := conn.PgConn().CancelRequest(t.Context()); err != nil {
			t.Fatal(err)
		}
		ask(t, conn, "SELECT pg_sleep(0.005)::text")
		late := conn.PgConn()
		if err := conn.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		next := connect(t, config(t, s, in, in.PasswordLogin.User, in.PasswordLogin.Password))
		done := make(chan error, 1)
		go func() {
			_, err := next.Exec(context.WithoutCancel(t.Context()), "SELECT pg_sleep(0.02)")
			done <- err
		}()
		_ = late.CancelRequest(t.Context()) // its session is closed: pgconn may refuse to send it
		if err := <-done; err != nil {
			t.Fatalf("a late cancel hit another session: %v", err)
		}
	}
}

func TestWrongCertificateFailsTheName(t *testing.T) {
	s := common(t)
	in := instance(t, s, "mypg")
	if err := s.WrongCertificate("mypg", true); err != nil {
		t.Fatal(err)
	}
	_, err := open(t, config(t, s, in, "app", in.PasswordLogin.Password))
	var name x509.HostnameError
	var verify *tls.CertificateVerificationError
	if !errors.As(err, &verify) || !errors.As(err, &name) {
		t.Errorf("got %v, want a certificate for another name", err)
	}
	if err := s.WrongCertificate("mypg", false); err != nil {
		t.Fatal(err)
	}
	connect(t, config(t, s, in, "app", in.PasswordLogin.Password))
	if err := s.WrongCertificate("nowhere", true); err == nil {
		t.Error("an unknown instance is no error")
	}
}
