package cloud_test

import (
	"bytes"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/redshift"
	"github.com/aws/aws-sdk-go-v2/service/redshiftserverless"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"

	"github.com/airhook-go/airhook/devstack/cloud"
)

// stand is an account at an address.
type stand struct {
	*cloud.Account
	url  string
	http *http.Client
	log  *logged
}

func newStand(t *testing.T) stand {
	t.Helper()
	log := &logged{}
	account, err := cloud.New(cloud.Options{
		Databases: []cloud.Database{
			{ID: "mydb", Endpoint: "mydb.cluster-xyz.us-east-1.rds.amazonaws.com", Port: 40005, Database: "mydb", MasterUser: "postgres"},
			{ID: "other", Endpoint: "other.cluster-xyz.us-east-1.rds.amazonaws.com", Port: 40006, Database: "mydb", MasterUser: "postgres"},
		},
		Clusters: []cloud.Cluster{
			{ID: "my-cluster", Endpoint: "my-cluster.xyz.us-east-1.redshift.amazonaws.com", Port: 40001, Database: "dev", MasterUser: "awsuser", CustomDomain: "warehouse.example.com"},
			{ID: "other", Endpoint: "other.xyz.us-east-1.redshift.amazonaws.com", Port: 40002, Database: "dev", MasterUser: "awsuser"},
		},
		Workgroups: []cloud.Workgroup{
			{Name: "my-workgroup", Endpoint: "my-workgroup.123456789012.us-east-1.redshift-serverless.amazonaws.com", Port: 40003, Database: "dev", CustomDomain: "lakehouse.example.com"},
			{Name: "another", Endpoint: "another.123456789012.us-east-1.redshift-serverless.amazonaws.com", Port: 40004, Database: "dev"},
		},
		Logger: slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(account)
	t.Cleanup(server.Close)
	return stand{account, server.URL, server.Client(), log}
}

// logged is what the account wrote to its log.
type logged struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func (s stand) admin() cloud.Principal { return s.Principals()[0] }

func keys(p cloud.Principal) aws.CredentialsProvider {
	return credentials.NewStaticCredentialsProvider(p.AccessKeyID, p.SecretAccessKey, p.SessionToken)
}

func (s stand) sts(p cloud.Principal) *sts.Client {
	return sts.New(sts.Options{Region: "us-east-1", BaseEndpoint: &s.url, Credentials: keys(p), HTTPClient: s.http, Retryer: aws.NopRetryer{}})
}

func (s stand) redshift(p cloud.Principal, opts ...func(*redshift.Options)) *redshift.Client {
	return redshift.New(redshift.Options{Region: "us-east-1", BaseEndpoint: &s.url, Credentials: keys(p), HTTPClient: s.http, Retryer: aws.NopRetryer{}}, opts...)
}

func (s stand) serverless(p cloud.Principal, opts ...func(*redshiftserverless.Options)) *redshiftserverless.Client {
	return redshiftserverless.New(redshiftserverless.Options{Region: "us-east-1", BaseEndpoint: &s.url, Credentials: keys(p), HTTPClient: s.http, Retryer: aws.NopRetryer{}}, opts...)
}

// refused checks that err is AWS's error of that code and HTTP status.
func refused(t *testing.T, err error, code string, status int) smithy.APIError {
	t.Helper()
	var api smithy.APIError
	if !errors.As(err, &api) {
		t.Fatalf("got %v, want %s", err, code)
	}
	if api.ErrorCode() != code {
		t.Fatalf("got %s (%s), want %s", api.ErrorCode(), api.ErrorMessage(), code)
	}
	var response interface{ HTTPStatusCode() int }
	if !errors.As(err, &response) || response.HTTPStatusCode() != status {
		t.Errorf("%s: want HTTP status %d: %v", code, status, err)
	}
	return api
}
