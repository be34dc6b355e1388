package iam

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/airhook-go/airhook"
	"github.com/airhook-go/airhook/airhooktest"
	"github.com/airhook-go/airhook/aws/session"
)

const (
	canary    = "canary-wJalrXUtnFEMI"
	canaryTok = "canary-session-token"
	callerARN = "arn:aws:iam::123456789012:user/alice"

	roleARN      = "arn:aws:iam::123456789012:role/team/etl"
	roleSession  = "arn:aws:sts::123456789012:assumed-role/etl/airhook"
	workgroupARN = "arn:aws:redshift-serverless:us-east-1:123456789012:workgroup/2d1f-uuid"
)

// call is one request that the fake AWS saw: the operation, its parameters or JSON, and the credential scope.
type call struct {
	op    string
	form  url.Values
	json  string
	scope string
}

// fakeAWS speaks the protocols of STS, Redshift and Redshift Serverless as AWS's API references show them. Codes and
// texts of failures are set by the test.
type fakeAWS struct {
	*httptest.Server
	t       testing.TB
	expires time.Time

	mu     sync.Mutex
	calls  []call
	code   string // the next failures' code; "" is success
	text   string
	status int
	raw    string                                      // an answer as it stands
	hook   func(w http.ResponseWriter, op string) bool // takes over when it returns true
	knows  map[string]string                           // what is in the answers of the calls that look something up, by operation; of others it knows nothing
}

func newFake(t testing.TB) *fakeAWS {
	f := &fakeAWS{t: t, expires: time.Now().Add(20 * time.Minute).UTC().Truncate(time.Second), status: http.StatusForbidden}
	f.Server = httptest.NewServer(http.HandlerFunc(f.serve))
	t.Cleanup(f.Close)
	return f
}

func (f *fakeAWS) fail(status int, code, text string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.status, f.code, f.text = status, code, text
}

func (f *fakeAWS) seen(op string) []call {
	f.mu.Lock()
	defer f.mu.Unlock()
	var seen []call
	for _, c := range f.calls {
		if c.op == op {
			seen = append(seen, c)
		}
	}
	return seen
}

func (f *fakeAWS) serve(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	c := call{scope: r.Header.Get("Authorization")}
	_, target, isJSON := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	if isJSON {
		c.op, c.json = target, string(body)
	} else {
		c.form, _ = url.ParseQuery(string(body))
		c.op = c.form.Get("Action")
	}
	f.mu.Lock()
	f.calls = append(f.calls, c)
	status, code, text, raw, hook := f.status, f.code, f.text, f.raw, f.hook
	known, knows := f.knows[c.op]
	f.mu.Unlock()
	switch {
	case hook != nil && hook(w, c.op):
	case knows && isJSON:
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		_, _ = io.WriteString(w, known)
	case knows:
		_, _ = fmt.Fprintf(w, "<%sResponse><%[1]sResult>%s</%[1]sResult></%[1]sResponse>", c.op, known)
	case raw != "":
		_, _ = io.WriteString(w, raw)
	case code != "" && c.op != "GetCallerIdentity" && isJSON:
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		w.WriteHeader(status)
		_, _ = fmt.Fprintf(w, `{"__type": %q, "message": %q}`, code, text)
	case code != "" && c.op != "GetCallerIdentity":
		w.WriteHeader(status)
		_, _ = fmt.Fprintf(w, `<ErrorResponse><Error><Type>Sender</Type><Code>%s</Code><Message>%s</Message></Error><RequestId>r-1</RequestId></ErrorResponse>`, code, text)
	default:
		f.succeed(w, c)
	}
}

func (f *fakeAWS) succeed(w http.ResponseWriter, c call) {
	switch c.op {
	case "GetCallerIdentity":
		arn := callerARN
		if strings.Contains(c.scope, "ASIAROLE/") {
			arn = roleSession
		}
		_, _ = fmt.Fprintf(w, `<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>%s</Arn><UserId>AIDA</UserId><Account>123456789012</Account></GetCallerIdentityResult></GetCallerIdentityResponse>`, arn)
	case "AssumeRole":
		_, _ = fmt.Fprintf(w, `<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>ASIAROLE</AccessKeyId><SecretAccessKey>%s</SecretAccessKey><SessionToken>%s</SessionToken><Expiration>%s</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>`,
			canary, canaryTok, f.expires.Format(time.RFC3339))
	case "GetClusterCredentialsWithIAM":
		_, _ = fmt.Fprintf(w, `<GetClusterCredentialsWithIAMResponse><GetClusterCredentialsWithIAMResult><DbUser>IAMR:etl</DbUser><DbPassword>%s</DbPassword><Expiration>%s</Expiration></GetClusterCredentialsWithIAMResult></GetClusterCredentialsWithIAMResponse>`,
			canary+"-db", f.expires.Format(time.RFC3339))
	case "GetClusterCredentials":
		_, _ = fmt.Fprintf(w, `<GetClusterCredentialsResponse><GetClusterCredentialsResult><DbUser>IAM:%s</DbUser><DbPassword>%s</DbPassword><Expiration>%s</Expiration></GetClusterCredentialsResult></GetClusterCredentialsResponse>`,
			c.form.Get("DbUser"), canary+"-db", f.expires.Format(time.RFC3339))
	case "GetCredentials":
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		_, _ = fmt.Fprintf(w, `{"dbUser": "IAM:alice", "dbPassword": %q, "expiration": %d}`, canary+"-db", f.expires.Unix())
	case "DescribeClusters", "DescribeCustomDomainAssociations", "DescribeDBClusters", "DescribeDBInstances":
		w.WriteHeader(http.StatusForbidden)
		_, _ = fmt.Fprintf(w, `<ErrorResponse><Error><Code>AccessDenied</Code><Message>User: %s is not authorized to perform: redshift:%s on resource: arn:aws:redshift:us-east-1:123456789012:cluster:*</Message></Error></ErrorResponse>`, callerARN, c.op)
	case "GetWorkgroup", "ListWorkgroups", "ListCustomDomainAssociations":
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		w.WriteHeader(http.StatusForbidden)
		_, _ = fmt.Fprintf(w, `{"__type": "AccessDeniedException", "message": "User: %s is not authorized to perform: redshift-serverless:%s on resource: %s"}`, callerARN, c.op, workgroupARN)
	default:
		f.t.Errorf("unexpected call %s", c.op)
		w.WriteHeader(http.StatusNotImplemented)
	}
}

func conn(t testing.TB, id, typ, host, extra string) airhook.Connection {
	t.Helper()
	e, err := airhook.ParseExtra(extra)
	if err != nil {
		t.Fatal(err)
	}
	c := airhook.Connection{ID: id, Type: typ, Host: host, Login: "app", Schema: "dev", Extra: e}
	if typ == "aws" {
		c.Login, c.Password, c.Schema = "AKIDEXAMPLE", airhook.NewSecret(canary), ""
	}
	return c
}

// logins signs with connection my_aws, which holds temporary keys; endpoint is where all of AWS is.
func logins(t testing.TB, endpoint string) *Logins {
	t.Helper()
	extra := fmt.Sprintf(`{"aws_session_token": %q, "endpoint_url": %q, "config_kwargs": {"retries": {"total_max_attempts": 1}}}`, canaryTok, endpoint)
	return New(&session.Resolver{Registry: airhooktest.Registry(conn(t, "my_aws", "aws", "", extra))})
}

// Connections of each kind, as people have them.
func rdsConn(t testing.TB) airhook.Connection {
	return conn(t, "rds", "postgres", "MyDB.cluster-xyz.us-east-1.rds.amazonaws.com", `{"iam": true, "aws_conn_id": "my_aws"}`)
}

func redshiftConn(t testing.TB) airhook.Connection {
	return conn(t, "red", "redshift", "my-cluster.xyz.us-east-1.redshift.amazonaws.com", `{"iam": true, "aws_conn_id": "my_aws", "db_groups": ["etl", "ops"], "auto_create": true}`)
}

func serverlessConn(t testing.TB) airhook.Connection {
	return conn(t, "srv", "redshift", "my-workgroup.123456789012.us-east-1.redshift-serverless.amazonaws.com",
		`{"iam": true, "is_serverless": true, "aws_conn_id": "my_aws", "serverless_token_duration_seconds": 1800}`)
}

func resolved(t testing.TB, l *Logins, c airhook.Connection) airhook.Target {
	t.Helper()
	target, err := c.Target()
	if err != nil {
		t.Fatal(err)
	}
	if target, err = l.Resolve(t.Context(), target); err != nil {
		t.Fatal(err)
	}
	return target
}
