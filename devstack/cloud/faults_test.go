package cloud_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/feature/rds/auth"
	"github.com/aws/aws-sdk-go-v2/service/redshift"
	"github.com/aws/aws-sdk-go-v2/service/redshiftserverless"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/airhook-go/airhook/devstack/cloud"
)

const (
	rdsHost = "mydb.cluster-xyz.us-east-1.rds.amazonaws.com"
	rdsPort = 40005
)

// patient makes a client of the SDK try again, as it does unless it is told not to.
func patient(o *redshift.Options) {
	o.Retryer = retry.NewStandard(func(o *retry.StandardOptions) { o.MaxBackoff = time.Millisecond })
}

func token(t *testing.T, who cloud.Principal) string {
	t.Helper()
	made, err := auth.BuildAuthToken(t.Context(), fmt.Sprintf("%s:%d", rdsHost, rdsPort), "us-east-1", "app", keys(who))
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func checkToken(s stand, made string) error {
	return s.CheckToken(rdsHost, rdsPort, "us-east-1", "cluster-ABC", "app", made)
}

func TestThrottledCallsAreRefusedSoManyTimes(t *testing.T) {
	s := newStand(t)
	s.Throttle("GetClusterCredentials", 2)
	s.Throttle("GetCredentials", 1)
	for range 2 {
		_, err := s.redshift(s.admin()).GetClusterCredentials(t.Context(), ask(nil))
		refused(t, err, "Throttling", 400)
	}
	if _, err := s.redshift(s.admin()).GetClusterCredentials(t.Context(), ask(nil)); err != nil {
		t.Error(err)
	}
	in := &redshiftserverless.GetCredentialsInput{WorkgroupName: aws.String("my-workgroup")}
	_, err := s.serverless(s.admin()).GetCredentials(t.Context(), in)
	refused(t, err, "ThrottlingException", 400)
	if _, err := s.serverless(s.admin()).GetCredentials(t.Context(), in); err != nil {
		t.Error(err)
	}
	if calls := s.Calls(); calls["GetClusterCredentials"] != 3 || calls["GetCredentials"] != 2 || calls["GetCallerIdentity"] != 0 {
		t.Errorf("counted %v", calls)
	}
}

func TestClientOfTheSDKRidesOutThrottling(t *testing.T) {
	s := newStand(t)
	s.Throttle("GetClusterCredentials", 1)
	if _, err := s.redshift(s.admin(), patient).GetClusterCredentials(t.Context(), ask(nil)); err != nil {
		t.Fatal(err)
	}
	if n := s.Calls()["GetClusterCredentials"]; n != 2 {
		t.Errorf("counted %d calls, want 2", n)
	}
}

func TestDeniedPrincipalIsToldWhoMayNotDoWhat(t *testing.T) {
	s := newStand(t)
	bob, err := s.AddPrincipal("bob")
	if err != nil {
		t.Fatal(err)
	}
	clusterCredentials := func(change func(*redshift.GetClusterCredentialsInput)) func() error {
		return func() error {
			_, err := s.redshift(bob).GetClusterCredentials(t.Context(), ask(change))
			return err
		}
	}
	for action, c := range map[string]struct {
		call     func() error
		code     string
		resource string
	}{
		"redshift:GetClusterCredentials": {clusterCredentials(nil), "AccessDenied", "arn:aws:redshift:us-east-1:123456789012:dbuser:my-cluster/app"},
		"redshift:CreateClusterUser": {
			clusterCredentials(func(in *redshift.GetClusterCredentialsInput) { in.AutoCreate = aws.Bool(true) }), "AccessDenied",
			"arn:aws:redshift:us-east-1:123456789012:dbuser:my-cluster/app",
		},
		"redshift:JoinGroup": {
			clusterCredentials(func(in *redshift.GetClusterCredentialsInput) { in.DbGroups = []string{"readers"} }), "AccessDenied",
			"arn:aws:redshift:us-east-1:123456789012:dbgroup:my-cluster/readers",
		},
		"redshift:DescribeClusters": {func() error {
			_, err := s.redshift(bob).DescribeClusters(t.Context(), nil)
			return err
		}, "AccessDenied", "arn:aws:redshift:us-east-1:123456789012:cluster:*"},
		"redshift:DescribeCustomDomainAssociations": {func() error {
			_, err := s.redshift(bob).DescribeCustomDomainAssociations(t.Context(), nil)
			return err
		}, "AccessDenied", "*"},
		"redshift-serverless:GetCredentials": {func() error {
			_, err := s.serverless(bob).GetCredentials(t.Context(), &redshiftserverless.GetCredentialsInput{WorkgroupName: aws.String("my-workgroup")})
			return err
		}, "AccessDeniedException", "arn:aws:redshift-serverless:us-east-1:123456789012:workgroup/"},
		"redshift-serverless:GetWorkgroup": {func() error {
			_, err := s.serverless(bob).GetWorkgroup(t.Context(), &redshiftserverless.GetWorkgroupInput{WorkgroupName: aws.String("my-workgroup")})
			return err
		}, "AccessDeniedException", "arn:aws:redshift-serverless:us-east-1:123456789012:workgroup/"},
	} {
		t.Run(action, func(t *testing.T) {
			if err := c.call(); err != nil {
				t.Fatalf("before: %v", err)
			}
			s.Deny("bob", action)
			message := refused(t, c.call(), c.code, 403).ErrorMessage()
			before := "User: arn:aws:iam::123456789012:user/bob is not authorized to perform: " + action + " on resource: " + c.resource
			after := " because no identity-based policy allows the " + action + " action"
			if !strings.HasPrefix(message, before) || !strings.HasSuffix(message, after) {
				t.Errorf("got  %s\nwant %s…%s", message, before, after)
			}
			s.Allow("bob", action)
			if err := c.call(); err != nil {
				t.Errorf("after Allow: %v", err)
			}
		})
	}
}

func TestDenyReachesSessionsAndTokensAndNobodyElse(t *testing.T) {
	s := newStand(t)
	bob, err := s.AddPrincipal("bob")
	if err != nil {
		t.Fatal(err)
	}
	session, err := s.NewSession("bob", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	tokens := map[string]string{"user": token(t, bob), "session": token(t, session)}
	for _, action := range []string{"rds-db:connect", "RDS-DB:Connect", "connect", "*"} {
		s.Deny("bob", action)
		for who, made := range tokens {
			err := checkToken(s, made)
			if err == nil || !strings.Contains(err.Error(), "not authorized to perform: rds-db:connect on resource: arn:aws:rds-db:us-east-1:123456789012:dbuser:cluster-ABC/app") {
				t.Errorf("%s without %s: %v", who, action, err)
			}
		}
		if err := checkToken(s, token(t, s.admin())); err != nil {
			t.Errorf("admin, when bob has not %s: %v", action, err)
		}
		if _, err := s.sts(bob).GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{}); err != nil {
			t.Errorf("GetCallerIdentity without %s: %v", action, err)
		}
		s.Allow("bob", "*")
		for who, made := range tokens {
			if err := checkToken(s, made); err != nil {
				t.Errorf("%s after Allow: %v", who, err)
			}
		}
	}
	if n := s.Calls()["rds-db:connect"]; n != 20 {
		t.Errorf("counted %d tokens, want 20", n)
	}
}

func TestClientOfTheSDKCorrectsASkewedClock(t *testing.T) {
	s := newStand(t)
	for _, skew := range []time.Duration{time.Hour, -time.Hour} {
		s.Skew(skew)
		_, err := s.redshift(s.admin()).GetClusterCredentials(t.Context(), ask(nil))
		message := refused(t, err, "SignatureDoesNotMatch", 403).ErrorMessage()
		if want := map[bool]string{true: "Signature expired: ", false: "Signature not yet current: "}[skew > 0]; !strings.HasPrefix(message, want) {
			t.Errorf("got %q, want %q…", message, want)
		}
		if err := checkToken(s, token(t, s.admin())); err == nil {
			t.Errorf("skew of %s: a token is good", skew)
		}
		if _, err := s.redshift(s.admin(), patient).GetClusterCredentials(t.Context(), ask(nil)); err != nil {
			t.Errorf("skew of %s: %v", skew, err)
		}
	}
	s.Skew(0)
	if err := checkToken(s, token(t, s.admin())); err != nil {
		t.Error(err)
	}
}

func TestConcurrentUse(t *testing.T) {
	s := newStand(t)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			out, err := s.redshift(s.admin()).GetClusterCredentials(t.Context(), ask(nil))
			if err != nil {
				t.Error(err)
				return
			}
			if _, _, err := s.CheckPassword("my-cluster", "dev", *out.DbUser, *out.DbPassword); err != nil {
				t.Error(err)
			}
			if err := checkToken(s, token(t, s.admin())); err != nil {
				t.Error(err)
			}
		})
		wg.Go(func() {
			name := fmt.Sprintf("user%d", i)
			if _, err := s.AddPrincipal(name); err != nil {
				t.Error(err)
			}
			if _, err := s.NewSession(name, time.Hour); err != nil {
				t.Error(err)
			}
			s.Deny(name, "*")
			s.Throttle("DescribeClusters", i)
			s.Expire(time.Hour)
			s.Skew(time.Second)
			s.Calls()
			s.Roles()
			s.Allow(name, "*")
		})
	}
	wg.Wait()
	if n := len(s.Principals()); n != 9 {
		t.Errorf("got %d principals, want 9", n)
	}
}
