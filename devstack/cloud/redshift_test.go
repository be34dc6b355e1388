package cloud_test

import (
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/redshift"
	"github.com/google/go-cmp/cmp"
)

// ask asks for credentials of my-cluster, with a change.
func ask(change func(*redshift.GetClusterCredentialsInput)) *redshift.GetClusterCredentialsInput {
	in := &redshift.GetClusterCredentialsInput{ClusterIdentifier: aws.String("my-cluster"), DbUser: aws.String("app"), DbName: aws.String("dev")}
	if change != nil {
		change(in)
	}
	return in
}

func TestTemporaryPasswordOfAClusterLogsInToThatClusterOnly(t *testing.T) {
	s := newStand(t)
	for name, c := range map[string]struct {
		change     func(*redshift.GetClusterCredentialsInput)
		user, role string
		create     bool
		lifetime   time.Duration
		databases  []string // that the password opens, of dev and nonesuch
	}{
		"plain":           {nil, "IAM:app", "app", false, 900 * time.Second, []string{"dev"}},
		"made on the way": {func(in *redshift.GetClusterCredentialsInput) { in.AutoCreate = aws.Bool(true) }, "IAMA:app", "app", true, 900 * time.Second, []string{"dev"}},
		"not made":        {func(in *redshift.GetClusterCredentialsInput) { in.AutoCreate = aws.Bool(false) }, "IAM:app", "app", false, 900 * time.Second, []string{"dev"}},
		"any database":    {func(in *redshift.GetClusterCredentialsInput) { in.DbName = nil }, "IAM:app", "app", false, 900 * time.Second, []string{"dev", "nonesuch"}},
		"an hour":         {func(in *redshift.GetClusterCredentialsInput) { in.DurationSeconds = aws.Int32(3600) }, "IAM:app", "app", false, time.Hour, []string{"dev"}},
		"groups":          {func(in *redshift.GetClusterCredentialsInput) { in.DbGroups = []string{"readers", "writers"} }, "IAM:app:readers,writers", "app", false, 900 * time.Second, []string{"dev"}},
		"odd user":        {func(in *redshift.GetClusterCredentialsInput) { in.DbUser = aws.String("Ann+x@example.com") }, "IAM:Ann+x@example.com", "Ann+x@example.com", false, 900 * time.Second, []string{"dev"}},
	} {
		t.Run(name, func(t *testing.T) {
			before := time.Now()
			out, err := s.redshift(s.admin()).GetClusterCredentials(t.Context(), ask(c.change))
			if err != nil {
				t.Fatal(err)
			}
			if *out.DbUser != c.user || len(*out.DbPassword) < 32 {
				t.Fatalf("got user %q and a password of %d characters", *out.DbUser, len(*out.DbPassword))
			}
			if left := out.Expiration.Sub(before); left < c.lifetime-time.Second || left > c.lifetime+10*time.Second {
				t.Errorf("lives for %s, want %s", left, c.lifetime)
			}
			role, create, err := s.CheckPassword("my-cluster", "dev", *out.DbUser, *out.DbPassword)
			if err != nil || role != c.role || create != c.create {
				t.Errorf("got role %q, create %v, error %v", role, create, err)
			}
			var opens []string
			for _, database := range []string{"dev", "nonesuch"} {
				if _, _, err := s.CheckPassword("my-cluster", database, *out.DbUser, *out.DbPassword); err == nil {
					opens = append(opens, database)
				}
			}
			if diff := cmp.Diff(c.databases, opens); diff != "" {
				t.Errorf("databases that it opens (-want +got):\n%s", diff)
			}
			for where, check := range map[string]func() (string, bool, error){
				"another cluster": func() (string, bool, error) { return s.CheckPassword("other", "dev", *out.DbUser, *out.DbPassword) },
				"another user": func() (string, bool, error) {
					return s.CheckPassword("my-cluster", "dev", "IAM:awsuser", *out.DbPassword)
				},
				"another password": func() (string, bool, error) {
					return s.CheckPassword("my-cluster", "dev", *out.DbUser, *out.DbPassword+"x")
				},
				"no password": func() (string, bool, error) { return s.CheckPassword("my-cluster", "dev", *out.DbUser, "") },
				"a workgroup": func() (string, bool, error) {
					return s.CheckWorkgroupPassword("my-cluster", "dev", *out.DbUser, *out.DbPassword)
				},
			} {
				if role, _, err := check(); err == nil {
					t.Errorf("%s: logs in as %q", where, role)
				}
			}
			if log := s.log.String(); strings.Contains(log, *out.DbPassword) {
				t.Error("the log holds the password")
			}
		})
	}
}

func TestEarlierTemporaryPasswordsStayGood(t *testing.T) {
	s := newStand(t)
	first, err := s.redshift(s.admin()).GetClusterCredentials(t.Context(), ask(nil))
	if err != nil {
		t.Fatal(err)
	}
	second, err := s.redshift(s.admin()).GetClusterCredentials(t.Context(), ask(nil))
	if err != nil {
		t.Fatal(err)
	}
	if *first.DbPassword == *second.DbPassword {
		t.Error("the same password twice")
	}
	for _, password := range []string{*first.DbPassword, *second.DbPassword} {
		if _, _, err := s.CheckPassword("my-cluster", "dev", "IAM:app", password); err != nil {
			t.Error(err)
		}
	}
}

func TestClusterCredentialsAreRefused(t *testing.T) {
	s := newStand(t)
	for name, c := range map[string]struct {
		change func(*redshift.GetClusterCredentialsInput)
		code   string
		status int
	}{
		"unknown cluster":       {func(in *redshift.GetClusterCredentialsInput) { in.ClusterIdentifier = aws.String("no-such-cluster") }, "ClusterNotFound", 404},
		"cluster in other case": {func(in *redshift.GetClusterCredentialsInput) { in.ClusterIdentifier = aws.String("My-Cluster") }, "ClusterNotFound", 404},
		"no cluster":            {func(in *redshift.GetClusterCredentialsInput) { in.ClusterIdentifier = nil }, "InvalidParameterValue", 400},
		"empty cluster":         {func(in *redshift.GetClusterCredentialsInput) { in.ClusterIdentifier = aws.String("") }, "InvalidParameterValue", 400},
		"custom domain": {func(in *redshift.GetClusterCredentialsInput) {
			in.ClusterIdentifier, in.CustomDomainName = nil, aws.String("localhost")
		}, "CustomDomainAssociationNotFoundFault", 404},
		"empty custom domain": {func(in *redshift.GetClusterCredentialsInput) {
			in.ClusterIdentifier, in.CustomDomainName = nil, aws.String("")
		}, "CustomDomainAssociationNotFoundFault", 404},
		"cluster and custom domain": {func(in *redshift.GetClusterCredentialsInput) { in.CustomDomainName = aws.String("db.example.com") }, "CustomDomainAssociationNotFoundFault", 404},
		"too short":                 {func(in *redshift.GetClusterCredentialsInput) { in.DurationSeconds = aws.Int32(899) }, "InvalidParameterValue", 400},
		"too long":                  {func(in *redshift.GetClusterCredentialsInput) { in.DurationSeconds = aws.Int32(3601) }, "InvalidParameterValue", 400},
		"no user":                   {func(in *redshift.GetClusterCredentialsInput) { in.DbUser = aws.String("") }, "InvalidParameterValue", 400},
		"user with a prefix":        {func(in *redshift.GetClusterCredentialsInput) { in.DbUser = aws.String("IAM:app") }, "InvalidParameterValue", 400},
		"user with a slash":         {func(in *redshift.GetClusterCredentialsInput) { in.DbUser = aws.String("a/b") }, "InvalidParameterValue", 400},
		"user with a digit first":   {func(in *redshift.GetClusterCredentialsInput) { in.DbUser = aws.String("1a") }, "InvalidParameterValue", 400},
		"user PUBLIC":               {func(in *redshift.GetClusterCredentialsInput) { in.DbUser = aws.String("PUBLIC") }, "InvalidParameterValue", 400},
		"user is a reserved word":   {func(in *redshift.GetClusterCredentialsInput) { in.DbUser = aws.String("Select") }, "InvalidParameterValue", 400},
		"user of 65 letters":        {func(in *redshift.GetClusterCredentialsInput) { in.DbUser = aws.String(strings.Repeat("a", 65)) }, "InvalidParameterValue", 400},
		"user with a line feed":     {func(in *redshift.GetClusterCredentialsInput) { in.DbUser = aws.String("app\n") }, "InvalidParameterValue", 400},
		"database with a colon":     {func(in *redshift.GetClusterCredentialsInput) { in.DbName = aws.String("a:b") }, "InvalidParameterValue", 400},
		"group in capitals":         {func(in *redshift.GetClusterCredentialsInput) { in.DbGroups = []string{"Readers"} }, "InvalidParameterValue", 400},
	} {
		t.Run(name, func(t *testing.T) {
			out, err := s.redshift(s.admin()).GetClusterCredentials(t.Context(), ask(c.change))
			if err == nil {
				t.Fatalf("got credentials for %q", *out.DbUser)
			}
			refused(t, err, c.code, c.status)
		})
	}
}

func TestClustersAreDescribed(t *testing.T) {
	s := newStand(t)
	client := s.redshift(s.admin())
	one, err := client.DescribeClusters(t.Context(), &redshift.DescribeClustersInput{ClusterIdentifier: aws.String("my-cluster")})
	if err != nil {
		t.Fatal(err)
	}
	if len(one.Clusters) != 1 {
		t.Fatalf("got %d clusters", len(one.Clusters))
	}
	c := one.Clusters[0]
	got := []any{*c.ClusterIdentifier, *c.Endpoint.Address, *c.Endpoint.Port, *c.DBName, *c.MasterUsername, *c.ClusterStatus, *c.IamRoles[0].IamRoleArn}
	want := []any{"my-cluster", "my-cluster.xyz.us-east-1.redshift.amazonaws.com", int32(40001), "dev", "awsuser", "available", "arn:aws:iam::123456789012:role/RedshiftRole"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	all, err := client.DescribeClusters(t.Context(), nil)
	if err != nil || len(all.Clusters) != 2 || *all.Clusters[1].ClusterIdentifier != "other" {
		t.Errorf("got %v, %v", all, err)
	}
	_, err = client.DescribeClusters(t.Context(), &redshift.DescribeClustersInput{ClusterIdentifier: aws.String("gone")})
	refused(t, err, "ClusterNotFound", 404)
}

func TestAnotherRegionHasNoClusters(t *testing.T) {
	s := newStand(t)
	client := s.redshift(s.admin(), func(o *redshift.Options) { o.Region = "eu-west-1" })
	_, err := client.GetClusterCredentials(t.Context(), ask(nil))
	refused(t, err, "ClusterNotFound", 404)
	all, err := client.DescribeClusters(t.Context(), nil)
	if err != nil || len(all.Clusters) != 0 {
		t.Errorf("got %v, %v", all, err)
	}
}

func TestUnknownCustomDomainsAreNotFound(t *testing.T) {
	s := newStand(t)
	for _, domain := range []string{"localhost", "db.example.com", ""} {
		_, err := s.redshift(s.admin()).DescribeCustomDomainAssociations(t.Context(), &redshift.DescribeCustomDomainAssociationsInput{CustomDomainName: &domain})
		refused(t, err, "CustomDomainAssociationNotFoundFault", 404)
	}
}
