package iam

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/airhook-go/airhook"
	"github.com/airhook-go/airhook/airhooktest"
	"github.com/airhook-go/airhook/aws/session"
)

// denialText is AWS's own wording, as the user guides print it.
const denialText = "User: arn:aws:sts::123456789012:assumed-role/etl/alice is not authorized to perform: redshift:GetClusterCredentials on resource: arn:aws:redshift:us-east-1:999999999999:dbuser:my-cluster/app because no identity-based policy allows the redshift:GetClusterCredentials action"

func login(t *testing.T, l *Logins, c airhook.Connection) *airhook.Error {
	t.Helper()
	target := resolved(t, l, c)
	cred, err := l.Logins()[target.Method](t.Context(), target)
	var e *airhook.Error
	if !errors.As(err, &e) || cred != (airhook.Credential{}) {
		t.Fatalf("got %v, want an *airhook.Error", err)
	}
	if e.ID != c.ID || e.Stage != airhook.StageCredential || e.Hint == "" {
		t.Errorf("id %q, stage %q, hint %q", e.ID, e.Stage, e.Hint)
	}
	if shown := fmt.Sprintf("%v %+v %#v %s %s", e, e, e, e.Hint, e.Policy); strings.Contains(shown, canary) || strings.Contains(shown, canaryTok) {
		t.Errorf("the error shows a secret: %s", shown)
	}
	return e
}

func TestFailuresOfAWSHaveAKind(t *testing.T) {
	for _, c := range []struct {
		status     int
		code, text string
		kind       error
		want       string
	}{
		{403, "AccessDenied", denialText, airhook.ErrAccessDenied, "access denied: assumed-role/etl/alice may not redshift:GetClusterCredentials on dbuser:my-cluster/app"},
		{403, "AccessDeniedException", denialText, airhook.ErrAccessDenied, "access denied"},
		{403, "UnauthorizedOperation", "no", airhook.ErrAccessDenied, "access denied: no"},
		{403, "InvalidClientTokenId", "The security token included in the request is invalid.", airhook.ErrAccessDenied, "AWS doesn't know the access key"},
		{403, "UnrecognizedClientException", "The security token included in the request is invalid.", airhook.ErrAccessDenied, "AWS doesn't know the access key"},
		{403, "InvalidAccessKeyId", "x", airhook.ErrAccessDenied, "AWS doesn't know the access key"},
		{403, "SignatureDoesNotMatch", "wrong. The Canonical String should have been x-amz-security-token:" + canaryTok, airhook.ErrAccessDenied, "the signature is wrong"},
		{403, "InvalidSignatureException", "wrong. The Canonical String should have been x-amz-security-token:" + canaryTok, airhook.ErrAccessDenied, "the signature is wrong"},
		{403, "ExpiredToken", "The security token included in the request is expired", airhook.ErrTokenExpired, "session token"},
		{400, "ExpiredTokenException", "x", airhook.ErrTokenExpired, "session token"},
		{400, "RequestExpired", "x", airhook.ErrTokenExpired, "expired"},
		{400, "Throttling", "Rate exceeded", nil, "AWS throttles: Rate exceeded"},
		{400, "ThrottlingException", "Rate exceeded", nil, "AWS throttles"},
		{400, "ValidationException", "durationSeconds", airhook.ErrInvalid, "durationSeconds (ValidationException)"},
		{400, "UnsupportedOperation", "not here", nil, "not here (UnsupportedOperation)"},
		{500, "InternalFailure", "sorry", nil, "sorry (InternalFailure)"},
	} {
		for _, db := range []airhook.Connection{redshiftConn(t), serverlessConn(t)} {
			t.Run(c.code+" of "+db.ID, func(t *testing.T) {
				f := newFake(t)
				f.fail(c.status, c.code, c.text)
				e := login(t, logins(t, f.URL), db)
				if !errors.Is(e, c.kind) && c.kind != nil || c.kind == nil && airhook.KindOf(e) != "failed" || !strings.Contains(e.Error(), c.want) {
					t.Errorf("got %s: %v; want %v with %q", airhook.KindOf(e), e, c.kind, c.want)
				}
			})
		}
	}
}

func TestWhatIsMissingIsNamed(t *testing.T) {
	f := newFake(t)
	f.fail(404, "ClusterNotFound", "Cluster my-cluster not found.")
	e := login(t, logins(t, f.URL), redshiftConn(t))
	if want := `connection "red": cluster "my-cluster" not found in us-east-1`; !errors.Is(e, airhook.ErrClusterNotFound) || e.Error() != want {
		t.Errorf("got %v, want %s", e, want)
	}
	if e.Principal != callerARN || e.Resource != "arn:aws:redshift:us-east-1:123456789012:cluster:my-cluster" {
		t.Errorf("principal %q, resource %q", e.Principal, e.Resource)
	}
	f.fail(400, "ResourceNotFoundException", "x")
	e = login(t, logins(t, f.URL), serverlessConn(t))
	if e.Principal != callerARN || e.Resource != "arn:aws:redshift-serverless:us-east-1:123456789012:workgroup/*" {
		t.Errorf("principal %q, resource %q", e.Principal, e.Resource)
	}
	if want := `connection "srv": workgroup "my-workgroup" not found in us-east-1`; !errors.Is(e, airhook.ErrWorkgroupNotFound) || e.Error() != want {
		t.Errorf("got %v, want %s", e, want)
	}
}

func TestARefusalSaysWhoWhatAndThePolicy(t *testing.T) {
	f := newFake(t)
	f.fail(403, "AccessDenied", denialText)
	e := login(t, logins(t, f.URL), redshiftConn(t))
	if e.Principal != "arn:aws:sts::123456789012:assumed-role/etl/alice" || e.Resource != "arn:aws:redshift:us-east-1:999999999999:dbuser:my-cluster/app" {
		t.Errorf("principal %s, resource %s", e.Principal, e.Resource)
	}
	want := `{"Version":"2012-10-17","Statement":[` +
		`{"Effect":"Allow","Action":"redshift:GetClusterCredentials","Resource":["arn:aws:redshift:us-east-1:999999999999:dbuser:my-cluster/app","arn:aws:redshift:us-east-1:999999999999:dbname:my-cluster/dev"]},` +
		`{"Effect":"Allow","Action":"redshift:CreateClusterUser","Resource":["arn:aws:redshift:us-east-1:999999999999:dbuser:my-cluster/app"]},` +
		`{"Effect":"Allow","Action":"redshift:JoinGroup","Resource":["arn:aws:redshift:us-east-1:999999999999:dbgroup:my-cluster/etl","arn:aws:redshift:us-east-1:999999999999:dbgroup:my-cluster/ops"]}]}`
	if diff := cmp.Diff(want, string(e.Policy)); diff != "" {
		t.Error(diff)
	}
	if n := len(f.seen("GetCallerIdentity")); n != 0 {
		t.Errorf("STS was asked %d times although the refusal names who asked", n)
	}
}

func TestARefusalIsShortAndKeepsAReasonThatNoPolicyHeals(t *testing.T) {
	f := newFake(t)
	const asked = "User: arn:aws:iam::123456789012:user/bob is not authorized to perform: redshift:JoinGroup on resource: arn:aws:redshift:us-east-1:123456789012:dbgroup:c/g"
	const short = `connection "red": get credentials for cluster "my-cluster": access denied: user/bob may not redshift:JoinGroup on dbgroup:c/g`
	for reason, want := range map[string]string{
		"": short,
		" because no identity-based policy allows the redshift:JoinGroup action":         short,
		" with an explicit deny in a service control policy":                             short + ", with an explicit deny in a service control policy",
		" because no permissions boundary allows the redshift:JoinGroup action.\nsecond": short + ", because no permissions boundary allows the redshift:JoinGroup action",
	} {
		f.fail(403, "AccessDenied", asked+reason)
		if e := login(t, logins(t, f.URL), redshiftConn(t)); e.Error() != want || e.Principal != "arn:aws:iam::123456789012:user/bob" {
			t.Errorf("%q: got %v (%s)\nwant %s", reason, e, e.Principal, want)
		}
	}
}

func TestARefusalThatNamesNobodyAsksSTS(t *testing.T) {
	f := newFake(t)
	f.fail(400, "AccessDeniedException", "no")
	e := login(t, logins(t, f.URL), serverlessConn(t))
	if e.Principal != callerARN || e.Resource != "arn:aws:redshift-serverless:us-east-1:123456789012:workgroup/*" {
		t.Errorf("principal %s, resource %s", e.Principal, e.Resource)
	}
	const workgroup = "arn:aws:redshift-serverless:us-east-1:123456789012:workgroup/2d1f-uuid"
	f.fail(400, "AccessDeniedException", "User: "+callerARN+" is not authorized to perform: redshift-serverless:GetCredentials on resource: "+workgroup)
	e = login(t, logins(t, f.URL), serverlessConn(t))
	if e.Resource != workgroup || !strings.Contains(string(e.Policy), `"Resource":["`+workgroup+`"]`) {
		t.Errorf("resource %s, policy %s", e.Resource, e.Policy)
	}
}

func TestWhatIsNotAWSAnswering(t *testing.T) {
	f := newFake(t)
	f.raw = "<html>captive portal</html>"
	if e := login(t, logins(t, f.URL), redshiftConn(t)); airhook.KindOf(e) != "failed" {
		t.Errorf("a page in AWS's place: %v", e)
	}
	f.raw = "{}"
	if e := login(t, logins(t, f.URL), serverlessConn(t)); !strings.Contains(e.Error(), "without a user or a password") {
		t.Errorf("an empty answer: %v", e)
	}
	url := f.URL
	f.Close()
	if e := login(t, logins(t, url), redshiftConn(t)); !errors.Is(e, airhook.ErrUnreachable) {
		t.Errorf("nobody there: %v, want unreachable", e)
	}
	secure := httptest.NewUnstartedServer(http.NotFoundHandler())
	secure.Config.ErrorLog = log.New(io.Discard, "", 0) // the refused handshake is what we want
	secure.StartTLS()
	defer secure.Close()
	if e := login(t, logins(t, secure.URL), redshiftConn(t)); !errors.Is(e, airhook.ErrTLS) {
		t.Errorf("an unknown certificate: %v, want tls", e)
	}
}

func TestACancelledLoginIsCancelled(t *testing.T) {
	f := newFake(t)
	ctx, cancel := context.WithCancel(t.Context())
	f.hook = func(http.ResponseWriter, string) bool { cancel(); panic(http.ErrAbortHandler) } // no answer, which could be quicker than the cancel
	l := logins(t, f.URL)
	if _, err := l.redshift(ctx, resolved(t, l, redshiftConn(t))); !errors.Is(err, airhook.ErrCancelled) {
		t.Errorf("got %v, want cancelled", err)
	}
}

func TestAThrottledCallIsTriedAgain(t *testing.T) {
	f := newFake(t)
	first := true
	f.hook = func(w http.ResponseWriter, _ string) bool {
		throttle := first
		first = false
		if throttle {
			w.WriteHeader(http.StatusBadRequest)
			_, _ = w.Write([]byte(`<ErrorResponse><Error><Code>Throttling</Code><Message>Rate exceeded</Message></Error></ErrorResponse>`))
		}
		return throttle
	}
	aws := conn(t, "my_aws", "aws", "", fmt.Sprintf(`{"endpoint_url": %q}`, f.URL))
	l := New(&session.Resolver{Registry: airhooktest.Registry(aws)})
	if _, err := l.redshift(t.Context(), resolved(t, l, redshiftConn(t))); err != nil {
		t.Fatal(err)
	}
	if n := len(f.seen("GetClusterCredentials")); n != 2 {
		t.Errorf("%d calls, want 2", n)
	}
}

// FuzzDenial: whatever AWS writes, what is read from it is an ARN that stands in the text, and the policy is JSON.
func FuzzDenial(f *testing.F) {
	f.Add(denialText)
	f.Add("User: arn:aws:iam::1:user/x is not authorized to perform: redshift:JoinGroup on resource: arn:aws-cn:redshift:cn-north-1:1:dbgroup:c/\"g.")
	f.Add("no")
	f.Fuzz(func(t *testing.T, text string) {
		d := session.ParseDenial(text)
		for _, part := range []string{d.Principal, d.Action, d.Resource, d.Why} {
			if !strings.Contains(text, part) {
				t.Errorf("%q is not in %q", part, text)
			}
		}
		for _, arn := range []string{d.Principal, d.Resource} {
			if arn != "" && !strings.HasPrefix(arn, "arn") {
				t.Errorf("%q is no ARN", arn)
			}
		}
		target := airhook.Target{Method: airhook.MethodRedshift, Region: "us-east-1", Cluster: text, User: text, Database: text, DBGroups: []string{text}}
		if doc := policy(statements(target, facts{account: accountOf(d.Resource)})); !json.Valid(doc) {
			t.Errorf("%q: the policy is no JSON: %s", text, doc)
		}
	})
}
