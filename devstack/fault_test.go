//go:build unix

package devstack_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/redshift"

	"github.com/airhook-go/airhook/devstack"
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

func TestIdentitiesAreWhoTheySay(t *testing.T) {
	s := common(t)
	kinds := map[string]devstack.Identity{}
	for _, i := range s.Status().AWS.Identities {
		kinds[i.Kind] = i
	}
	for _, kind := range []string{"keys", "session", "profile", "expired"} {
		t.Run(kind, func(t *testing.T) {
			identity, found := kinds[kind]
			if !found {
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
}
