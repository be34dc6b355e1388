package cloud_test

import (
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/redshiftserverless"
	"github.com/aws/aws-sdk-go-v2/service/redshiftserverless/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/airhook-go/airhook/devstack/cloud"
)

func TestWorkgroupPasswordIsForWhoAsks(t *testing.T) {
	s := newStand(t)
	bob, err := s.AddPrincipal("bob")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.PutRole("etl", []byte(everything), nil); err != nil {
		t.Fatal(err)
	}
	session := func(name string) cloud.Principal {
		p, err := s.NewSession(name, time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	for name, c := range map[string]struct {
		who  cloud.Principal
		user string
	}{
		"admin":                  {s.admin(), "IAM:admin"},
		"another user":           {bob, "IAM:bob"},
		"a user's session":       {session("bob"), "IAM:bob"},
		"a session of a role":    {session("AirhookDev"), "IAMR:AirhookDev"},
		"and of one made lately": {session("etl"), "IAMR:etl"},
	} {
		t.Run(name, func(t *testing.T) {
			out, err := s.serverless(c.who).GetCredentials(t.Context(), &redshiftserverless.GetCredentialsInput{WorkgroupName: aws.String("my-workgroup"), DbName: aws.String("dev"), DurationSeconds: aws.Int32(1800)})
			if err != nil {
				t.Fatal(err)
			}
			if *out.DbUser != c.user || len(*out.DbPassword) < 32 {
				t.Fatalf("got user %q and a password of %d characters, want %q", *out.DbUser, len(*out.DbPassword), c.user)
			}
			if left := time.Until(*out.Expiration); left < 29*time.Minute || left > 31*time.Minute {
				t.Errorf("lives for %s", left)
			}
			role, create, err := s.CheckWorkgroupPassword("my-workgroup", "dev", *out.DbUser, *out.DbPassword)
			if err != nil || role != c.user || !create {
				t.Errorf("got role %q, create %v, error %v", role, create, err)
			}
			if _, _, err := s.CheckWorkgroupPassword("my-workgroup", "nonesuch", *out.DbUser, *out.DbPassword); err == nil {
				t.Error("logs in to another database")
			}
			if _, _, err := s.CheckWorkgroupPassword("another", "dev", *out.DbUser, *out.DbPassword); err == nil {
				t.Error("logs in to another workgroup")
			}
			if _, _, err := s.CheckPassword("my-workgroup", "dev", *out.DbUser, *out.DbPassword); err == nil {
				t.Error("logs in to a cluster")
			}
		})
	}
}

func TestWorkgroupCredentialsAreRefused(t *testing.T) {
	s := newStand(t)
	for name, c := range map[string]struct {
		in     redshiftserverless.GetCredentialsInput
		code   string
		status int
	}{
		"unknown workgroup":          {redshiftserverless.GetCredentialsInput{WorkgroupName: aws.String("no-such-workgroup")}, "ResourceNotFoundException", 404},
		"no workgroup":               {redshiftserverless.GetCredentialsInput{}, "ValidationException", 400},
		"a name that can't be one":   {redshiftserverless.GetCredentialsInput{WorkgroupName: aws.String("My_Workgroup")}, "ValidationException", 400},
		"custom domain":              {redshiftserverless.GetCredentialsInput{CustomDomainName: aws.String("localhost")}, "ResourceNotFoundException", 404},
		"workgroup and a domain":     {redshiftserverless.GetCredentialsInput{WorkgroupName: aws.String("my-workgroup"), CustomDomainName: aws.String("")}, "ResourceNotFoundException", 404},
		"too short":                  {redshiftserverless.GetCredentialsInput{WorkgroupName: aws.String("my-workgroup"), DurationSeconds: aws.Int32(60)}, "ValidationException", 400},
		"too long":                   {redshiftserverless.GetCredentialsInput{WorkgroupName: aws.String("my-workgroup"), DurationSeconds: aws.Int32(7200)}, "ValidationException", 400},
		"a database that can't be":   {redshiftserverless.GetCredentialsInput{WorkgroupName: aws.String("my-workgroup"), DbName: aws.String("a/b")}, "ValidationException", 400},
		"a database with a bad name": {redshiftserverless.GetCredentialsInput{WorkgroupName: aws.String("my-workgroup"), DbName: aws.String("select")}, "ValidationException", 400},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := s.serverless(s.admin()).GetCredentials(t.Context(), &c.in)
			refused(t, err, c.code, c.status)
		})
	}
	_, err := s.serverless(s.admin(), func(o *redshiftserverless.Options) { o.Region = "eu-west-1" }).GetCredentials(t.Context(), &redshiftserverless.GetCredentialsInput{WorkgroupName: aws.String("my-workgroup")})
	refused(t, err, "ResourceNotFoundException", 404)
}

func TestWorkgroupIsDescribed(t *testing.T) {
	s := newStand(t)
	out, err := s.serverless(s.admin()).GetWorkgroup(t.Context(), &redshiftserverless.GetWorkgroupInput{WorkgroupName: aws.String("my-workgroup")})
	if err != nil {
		t.Fatal(err)
	}
	w := out.Workgroup
	if *w.WorkgroupName != "my-workgroup" || *w.Endpoint.Address != "my-workgroup.123456789012.us-east-1.redshift-serverless.amazonaws.com" || *w.Endpoint.Port != 40003 || w.Status != types.WorkgroupStatusAvailable {
		t.Errorf("got %+v", w)
	}
	if !strings.HasPrefix(*w.WorkgroupArn, "arn:aws:redshift-serverless:us-east-1:123456789012:workgroup/") || time.Since(*w.CreationDate) > time.Minute {
		t.Errorf("got %s of %s", *w.WorkgroupArn, *w.CreationDate)
	}
	_, err = s.serverless(s.admin()).GetWorkgroup(t.Context(), &redshiftserverless.GetWorkgroupInput{WorkgroupName: aws.String("gone")})
	refused(t, err, "ResourceNotFoundException", 404)
}

func TestCallerIdentityIsWhoSigned(t *testing.T) {
	s := newStand(t)
	user, err := s.NewSession("admin", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	role, err := s.NewSession("AirhookDev", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		who cloud.Principal
		arn string
	}{
		{s.admin(), "arn:aws:iam::123456789012:user/admin"},
		{user, "arn:aws:iam::123456789012:user/admin"},
		{role, "arn:aws:sts::123456789012:assumed-role/AirhookDev/airhook"},
	} {
		out, err := s.sts(c.who).GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{})
		if err != nil {
			t.Fatal(err)
		}
		if *out.Arn != c.arn || *out.Arn != c.who.ARN || *out.Account != "123456789012" {
			t.Errorf("got %s of %s, want %s", *out.Arn, *out.Account, c.arn)
		}
		if prefix := (*out.UserId)[:4]; prefix != "AIDA" && prefix != "AROA" {
			t.Errorf("got user id %s", *out.UserId)
		}
	}
}
