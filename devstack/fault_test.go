//go:build unix

package devstack_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/redshift"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/airhook-go/airhook"
	"github.com/airhook-go/airhook/airhooktest"
)

func TestFaults(t *testing.T) {
	s := common(t)
	in, cluster := instance(t, s, "mydb"), instance(t, s, "my-cluster")
	credentials := func() (*redshift.GetClusterCredentialsOutput, error) {
		return clusters(s).GetClusterCredentials(t.Context(), &redshift.GetClusterCredentialsInput{ClusterIdentifier: aws.String(cluster.ID), DbUser: aws.String("app"), DbName: aws.String("dev")})
	}
	made := func() string { return token(t, fmt.Sprintf("%s:%d", host, in.Port), "us-east-1", "app", admin(s)) }
	loginRDS := func(token string) error { _, err := open(t, config(t, s, in, "app", token)); return err }

	t.Run("throttle", func(t *testing.T) {
		s.Account().Throttle("GetClusterCredentials", 1)
		_, err := credentials()
		wantCode(t, err, "Throttling")
		if _, err := credentials(); err != nil {
			t.Errorf("the second call: %v", err)
		}
	})
	t.Run("deny", func(t *testing.T) {
		s.Account().Deny("admin", "redshift:GetClusterCredentials")
		s.Account().Deny("admin", "rds-db:connect")
		_, err := credentials()
		wantCode(t, err, "AccessDenied")
		refusedWith(t, loginRDS(made()), "28000")
		s.Account().Allow("admin", "*")
		if err := loginRDS(made()); err != nil {
			t.Errorf("allowed again: %v", err)
		}
	})
	t.Run("expire", func(t *testing.T) {
		before := made()
		s.Account().Expire(time.Nanosecond)
		refusedWith(t, loginRDS(before), "28000")
		out, err := credentials()
		if err != nil {
			t.Fatal(err)
		}
		_, err = open(t, config(t, s, cluster, *out.DbUser, *out.DbPassword))
		refusedWith(t, err, "28000")
		s.Account().Expire(0)
		if err := loginRDS(before); err != nil {
			t.Errorf("back to normal: %v", err)
		}
	})
	t.Run("skew", func(t *testing.T) {
		s.Account().Skew(time.Hour)
		refusedWith(t, loginRDS(made()), "28000")
		_, err := credentials()
		if err == nil {
			t.Error("a request that is an hour old passes")
		}
		s.Account().Skew(0)
		if err := loginRDS(made()); err != nil {
			t.Errorf("back to normal: %v", err)
		}
	})
}

func TestAPausedClusterLetsNobodyIn(t *testing.T) {
	s := common(t)
	in := instance(t, s, "my-redshift-cluster")
	login := func() error {
		_, err := open(t, config(t, s, in, in.PasswordLogin.User, in.PasswordLogin.Password))
		return err
	}
	if err := s.Account().SetClusterStatus(in.ID, "paused"); err != nil {
		t.Fatal(err)
	}
	var answered *pgconn.PgError
	if err := login(); err == nil || errors.As(err, &answered) {
		t.Errorf("got %v, want no answer", err)
	}
	extra, err := airhook.ParseExtra(`{"sslmode": "require"}`)
	if err != nil {
		t.Fatal(err)
	}
	client := airhooktest.Client(t, airhook.Connection{
		ID: "paused", Type: "postgres", Host: "127.0.0.1", Port: in.Port, Login: in.PasswordLogin.User, Password: airhook.NewSecret(in.PasswordLogin.Password),
		Schema: in.Database, Extra: extra,
	})
	if _, err := client.Dial(t.Context(), "paused", nil); !errors.Is(err, airhook.ErrUnreachable) {
		t.Errorf("got %v, want unreachable", err)
	}
	out, err := clusters(s).DescribeClusters(t.Context(), &redshift.DescribeClustersInput{ClusterIdentifier: aws.String(in.ID)})
	if err != nil || *out.Clusters[0].ClusterStatus != "paused" {
		t.Errorf("described as %v, %v", out, err)
	}
	if err := s.Account().SetClusterStatus(in.ID, "available"); err != nil {
		t.Fatal(err)
	}
	if err := login(); err != nil {
		t.Errorf("back to normal: %v", err)
	}
}
