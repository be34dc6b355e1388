package cloud_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/redshift"
	"github.com/aws/aws-sdk-go-v2/service/redshiftserverless"
)

func TestACustomDomainIsAClustersOtherName(t *testing.T) {
	s := newStand(t)
	client := s.redshift(s.admin())
	for _, domain := range []*string{aws.String("warehouse.example.com"), aws.String("WAREHOUSE.example.com"), nil} {
		out, err := client.DescribeCustomDomainAssociations(t.Context(), &redshift.DescribeCustomDomainAssociationsInput{CustomDomainName: domain})
		if err != nil || len(out.Associations) != 1 || *out.Associations[0].CertificateAssociations[0].ClusterIdentifier != "my-cluster" || *out.Associations[0].CertificateAssociations[0].CustomDomainName != "warehouse.example.com" {
			t.Errorf("got %+v, %v", out, err)
		}
	}
	out, err := client.GetClusterCredentials(t.Context(), ask(func(in *redshift.GetClusterCredentialsInput) {
		in.ClusterIdentifier, in.CustomDomainName = nil, aws.String("warehouse.example.com")
	}))
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.CheckPassword("my-cluster", "dev", *out.DbUser, *out.DbPassword); err != nil {
		t.Error(err)
	}
	mine, err := client.GetClusterCredentialsWithIAM(t.Context(), &redshift.GetClusterCredentialsWithIAMInput{CustomDomainName: aws.String("warehouse.example.com"), DbName: aws.String("dev")})
	if err != nil || *mine.DbUser != "IAM:admin" {
		t.Errorf("got %v, %v", mine, err)
	}
	_, err = client.GetClusterCredentials(t.Context(), ask(func(in *redshift.GetClusterCredentialsInput) {
		in.ClusterIdentifier, in.CustomDomainName = aws.String("other"), aws.String("warehouse.example.com")
	}))
	refused(t, err, "InvalidParameterCombination", 400)
	one, err := client.DescribeClusters(t.Context(), &redshift.DescribeClustersInput{ClusterIdentifier: aws.String("my-cluster")})
	if err != nil || *one.Clusters[0].CustomDomainName != "warehouse.example.com" {
		t.Errorf("got %+v, %v", one, err)
	}
	elsewhere := s.redshift(s.admin(), func(o *redshift.Options) { o.Region = "eu-west-1" })
	_, err = elsewhere.DescribeCustomDomainAssociations(t.Context(), &redshift.DescribeCustomDomainAssociationsInput{CustomDomainName: aws.String("warehouse.example.com")})
	refused(t, err, "CustomDomainAssociationNotFoundFault", 404)
}

func TestACustomDomainIsAWorkgroupsOtherName(t *testing.T) {
	s := newStand(t)
	client := s.serverless(s.admin())
	list, err := client.ListCustomDomainAssociations(t.Context(), &redshiftserverless.ListCustomDomainAssociationsInput{CustomDomainName: aws.String("lakehouse.example.com")})
	if err != nil || len(list.Associations) != 1 || *list.Associations[0].WorkgroupName != "my-workgroup" || list.Associations[0].CustomDomainCertificateExpiryTime == nil {
		t.Errorf("got %+v, %v", list, err)
	}
	none, err := client.ListCustomDomainAssociations(t.Context(), &redshiftserverless.ListCustomDomainAssociationsInput{CustomDomainName: aws.String("nowhere.example.com")})
	if err != nil || len(none.Associations) != 0 {
		t.Errorf("got %+v, %v", none, err)
	}
	one, err := client.GetCustomDomainAssociation(t.Context(), &redshiftserverless.GetCustomDomainAssociationInput{CustomDomainName: aws.String("lakehouse.example.com"), WorkgroupName: aws.String("my-workgroup")})
	if err != nil || *one.CustomDomainName != "lakehouse.example.com" {
		t.Errorf("got %+v, %v", one, err)
	}
	_, err = client.GetCustomDomainAssociation(t.Context(), &redshiftserverless.GetCustomDomainAssociationInput{CustomDomainName: aws.String("lakehouse.example.com"), WorkgroupName: aws.String("another")})
	refused(t, err, "ResourceNotFoundException", 404)
	out, err := client.GetCredentials(t.Context(), &redshiftserverless.GetCredentialsInput{CustomDomainName: aws.String("lakehouse.example.com"), DbName: aws.String("dev")})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.CheckWorkgroupPassword("my-workgroup", "dev", *out.DbUser, *out.DbPassword); err != nil {
		t.Error(err)
	}
	_, err = client.GetCredentials(t.Context(), &redshiftserverless.GetCredentialsInput{CustomDomainName: aws.String("lakehouse.example.com"), WorkgroupName: aws.String("another")})
	refused(t, err, "ResourceNotFoundException", 404)
}

func TestWorkgroupsAreListed(t *testing.T) {
	s := newStand(t)
	out, err := s.serverless(s.admin()).ListWorkgroups(t.Context(), nil)
	if err != nil || len(out.Workgroups) != 2 || *out.Workgroups[1].WorkgroupName != "another" || *out.Workgroups[0].CustomDomainName != "lakehouse.example.com" {
		t.Errorf("got %+v, %v", out, err)
	}
	elsewhere := s.serverless(s.admin(), func(o *redshiftserverless.Options) { o.Region = "eu-west-1" })
	if out, err := elsewhere.ListWorkgroups(t.Context(), nil); err != nil || len(out.Workgroups) != 0 {
		t.Errorf("in another region: %+v, %v", out, err)
	}
	_, err = s.serverless(s.user(t, "newcomer", nil)).ListWorkgroups(t.Context(), nil)
	refused(t, err, "AccessDeniedException", 403)
}
