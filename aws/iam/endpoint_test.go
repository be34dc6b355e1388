package iam

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/airhook-go/airhook"
	"github.com/airhook-go/airhook/airhooktest"
	"github.com/airhook-go/airhook/aws/session"
)

// Answers of AWS, as its API references show them.
const (
	oneCluster = `<Clusters><Cluster><ClusterIdentifier>my-cluster</ClusterIdentifier><ClusterStatus>available</ClusterStatus><ClusterAvailabilityStatus>Available</ClusterAvailabilityStatus>` +
		`<Endpoint><Address>my-cluster.xyz.us-east-1.redshift.amazonaws.com</Address><Port>5440</Port></Endpoint></Cluster></Clusters>`
	clusters      = `<Clusters><Cluster><ClusterIdentifier>my-cluster</ClusterIdentifier></Cluster><Cluster><ClusterIdentifier>lake</ClusterIdentifier></Cluster></Clusters>`
	oneWorkgroup  = `{"workgroup": {"workgroupName": "my-workgroup", "workgroupArn": "` + workgroupARN + `", "status": "AVAILABLE", "endpoint": {"address": "my-workgroup.123456789012.us-east-1.redshift-serverless.amazonaws.com", "port": 5441}}}`
	workgroups    = `{"workgroups": [{"workgroupName": "my-workgroup"}, {"workgroupName": "lake"}]}`
	clusterDomain = `<Associations><Association><CertificateAssociations><CertificateAssociation><CustomDomainName>Warehouse.example.com</CustomDomainName><ClusterIdentifier>my-cluster</ClusterIdentifier></CertificateAssociation></CertificateAssociations></Association></Associations>`
	groupDomain   = `{"associations": [{"customDomainName": "warehouse.example.com", "workgroupName": "my-workgroup"}]}`
)

// Connections that name a cluster or workgroup and no host.
func hostlessCluster(t testing.TB) airhook.Connection {
	return conn(t, "red", "redshift", "", `{"iam": true, "aws_conn_id": "my_aws", "cluster_identifier": "my-cluster", "region": "us-east-1"}`)
}

func hostlessWorkgroup(t testing.TB) airhook.Connection {
	return conn(t, "srv", "redshift", "", `{"iam": true, "is_serverless": true, "aws_conn_id": "my_aws", "serverless_work_group": "my-workgroup", "region": "us-east-1"}`)
}

func TestAnEndpointIsLookedUpOnceHoweverManyAsk(t *testing.T) {
	for _, c := range []struct {
		conn       airhook.Connection
		op, answer string
		host       string
		port       int
	}{
		{hostlessCluster(t), "DescribeClusters", oneCluster, "my-cluster.xyz.us-east-1.redshift.amazonaws.com", 5440},
		{hostlessWorkgroup(t), "GetWorkgroup", oneWorkgroup, "my-workgroup.123456789012.us-east-1.redshift-serverless.amazonaws.com", 5441},
	} {
		t.Run(c.op, func(t *testing.T) {
			f := newFake(t)
			f.knows = map[string]string{c.op: c.answer}
			l := logins(t, f.URL)
			var wg sync.WaitGroup
			for range 50 {
				wg.Go(func() {
					if target := resolved(t, l, c.conn); target.Host != c.host || target.Port != c.port {
						t.Errorf("got %s:%d, want %s:%d", target.Host, target.Port, c.host, c.port)
					}
				})
			}
			wg.Wait()
			if n := len(f.seen(c.op)); n != 1 || len(f.calls) != 1 {
				t.Errorf("%d calls of %d, want 1", n, len(f.calls))
			}
			other := c.conn
			other.Port = 15439
			target := resolved(t, l, other)
			if target.Port != 15439 || !strings.Contains(strings.Join(target.Warnings, "\n"), "the connection's 15439 is used") {
				t.Errorf("port %d, warnings %q", target.Port, target.Warnings)
			}
		})
	}
}

func TestWhoeverNamesAHostIsNotLookedUp(t *testing.T) {
	f := newFake(t)
	l := logins(t, f.URL)
	for _, c := range []airhook.Connection{rdsConn(t), redshiftConn(t), serverlessConn(t), conn(t, "pg", "postgres", "db.example.com", `{"iam": true, "aws_conn_id": "my_aws", "region_name": "us-east-1"}`)} {
		resolved(t, l, c)
	}
	if len(f.calls) != 0 {
		t.Errorf("AWS was asked %v", f.calls)
	}
}

func lookUp(t *testing.T, l *Logins, c airhook.Connection) *airhook.Error {
	t.Helper()
	target, err := c.Target()
	if err != nil {
		t.Fatal(err)
	}
	target, err = l.Resolve(t.Context(), target)
	var e *airhook.Error
	if !errors.As(err, &e) || target.Host != "" {
		t.Fatalf("got %v, want an *airhook.Error", err)
	}
	if e.ID != c.ID || e.Stage != airhook.StageEndpoint || e.Hint == "" {
		t.Errorf("id %q, stage %q, hint %q", e.ID, e.Stage, e.Hint)
	}
	return e
}

func TestALookUpThatFails(t *testing.T) {
	status := func(word string) string {
		return strings.NewReplacer(">available<", ">"+word+"<", `"AVAILABLE"`, `"`+word+`"`).Replace(oneCluster)
	}
	paused := strings.Replace(oneCluster, ">Available<", ">Paused<", 1)
	creating := `<Clusters><Cluster><ClusterIdentifier>my-cluster</ClusterIdentifier><ClusterStatus>creating</ClusterStatus></Cluster></Clusters>`
	for name, c := range map[string]struct {
		conn        airhook.Connection
		knows       map[string]string
		code        string
		kind        error
		want, hints string
	}{
		"paused":                {hostlessCluster(t), map[string]string{"DescribeClusters": paused}, "", airhook.ErrUnreachable, `cluster "my-cluster" is paused`, "aws redshift resume-cluster --cluster-identifier my-cluster"},
		"pausing":               {hostlessCluster(t), map[string]string{"DescribeClusters": status("pausing")}, "", airhook.ErrUnreachable, `is pausing`, "resume it"},
		"creating":              {hostlessCluster(t), map[string]string{"DescribeClusters": creating}, "", airhook.ErrUnreachable, `is creating`, "wait some minutes"},
		"broken":                {hostlessCluster(t), map[string]string{"DescribeClusters": status("hardware-failure")}, "", airhook.ErrUnreachable, `is hardware-failure`, "AWS console"},
		"creating workgroup":    {hostlessWorkgroup(t), map[string]string{"GetWorkgroup": `{"workgroup": {"status": "CREATING"}}`}, "", airhook.ErrUnreachable, `workgroup "my-workgroup" is creating`, "wait some minutes"},
		"no endpoint":           {hostlessWorkgroup(t), map[string]string{"GetWorkgroup": `{"workgroup": {}}`}, "", airhook.ErrUnreachable, `is without an endpoint`, "AWS console"},
		"an empty answer":       {hostlessCluster(t), map[string]string{"DescribeClusters": ""}, "", airhook.ErrClusterNotFound, `cluster "my-cluster" not found in us-east-1`, "the account has none in us-east-1"},
		"throttled":             {hostlessCluster(t), nil, "Throttling", nil, `look up cluster "my-cluster": AWS throttles`, "wait a minute"},
		"no such cluster":       {hostlessCluster(t), nil, "ClusterNotFound", airhook.ErrClusterNotFound, `cluster "my-cluster" not found in us-east-1`, "check cluster_identifier"},
		"no such workgroup":     {hostlessWorkgroup(t), nil, "ResourceNotFoundException", airhook.ErrWorkgroupNotFound, `workgroup "my-workgroup" not found in us-east-1`, "check workgroup_name"},
		"not allowed":           {hostlessCluster(t), nil, "AccessDenied", airhook.ErrAccessDenied, `look up cluster "my-cluster": access denied`, "the policy says how"},
		"workgroup not allowed": {hostlessWorkgroup(t), nil, "AccessDeniedException", airhook.ErrAccessDenied, `look up workgroup "my-workgroup": access denied`, "the policy says how"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			f.knows = c.knows
			f.fail(400, c.code, "no")
			e := lookUp(t, logins(t, f.URL), c.conn)
			if !errors.Is(e, c.kind) && c.kind != nil || !strings.Contains(e.Error(), c.want) || !strings.Contains(e.Hint, c.hints) {
				t.Errorf("got %s: %v (%s); want %v with %q (%q)", airhook.KindOf(e), e, e.Hint, c.kind, c.want, c.hints)
			}
		})
	}
}

// TestTheNearestNamesAreTold: of what the identity may list, by the look-up and by the login.
func TestTheNearestNamesAreTold(t *testing.T) {
	for name, c := range map[string]struct {
		conn            airhook.Connection
		id              string
		op, code        string
		list, of, hints string
	}{
		"cluster":                      {redshiftConn(t), "my-clustr", "GetClusterCredentials", "ClusterNotFound", "DescribeClusters", clusters, "did you mean my-cluster? Else check"},
		"nothing like it":              {redshiftConn(t), "zzz", "GetClusterCredentials", "ClusterNotFoundFault", "DescribeClusters", clusters, "the account has in us-east-1: my-cluster, lake. Else check"},
		"nothing at all":               {redshiftConn(t), "zzz", "GetClusterCredentials", "ClusterNotFound", "DescribeClusters", "", "the account has none in us-east-1: check"},
		"workgroup":                    {serverlessConn(t), "my-workgruop", "GetCredentials", "ResourceNotFoundException", "ListWorkgroups", workgroups, "did you mean my-workgroup? Else check"},
		"who may not list gets a hint": {serverlessConn(t), "my-workgruop", "GetCredentials", "ResourceNotFoundException", "", "", "check workgroup_name"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			if c.list != "" {
				f.knows = map[string]string{c.list: c.of}
			}
			f.fail(404, c.code, "x")
			conn := c.conn
			conn.Extra, _ = airhook.ParseExtra(strings.Replace(conn.Extra.Reveal(), "{", `{"cluster_identifier": "`+c.id+`", "serverless_work_group": "`+c.id+`", `, 1))
			e := login(t, logins(t, f.URL), conn)
			if !strings.HasPrefix(e.Hint, c.hints) || !strings.Contains(e.Error(), `"`+c.id+`" not found in us-east-1`) {
				t.Errorf("got %v (%s)", e, e.Hint)
			}
		})
	}
}

func TestARefusedLookUpNamesThePolicyOfTheWholeLogin(t *testing.T) {
	f := newFake(t)
	f.fail(403, "AccessDenied", "User: "+callerARN+" is not authorized to perform: redshift:DescribeClusters on resource: arn:aws:redshift:us-east-1:123456789012:cluster:my-cluster because no identity-based policy allows the redshift:DescribeClusters action")
	l := logins(t, f.URL)
	e := lookUp(t, l, hostlessCluster(t))
	if want := `connection "red": look up cluster "my-cluster": access denied: user/alice may not redshift:DescribeClusters on cluster:my-cluster`; e.Error() != want || e.Principal != callerARN {
		t.Errorf("got %v of %s, want %s", e, e.Principal, want)
	}
	want := [][2]string{
		{"redshift:GetClusterCredentials", "arn:aws:redshift:us-east-1:123456789012:dbuser:my-cluster/app"},
		{"redshift:GetClusterCredentials", "arn:aws:redshift:us-east-1:123456789012:dbname:my-cluster/dev"},
		{"redshift:DescribeClusters", "arn:aws:redshift:us-east-1:123456789012:cluster:my-cluster"},
	}
	if diff := cmp.Diff(want, pairs(t, e.Policy)); diff != "" {
		t.Error(diff)
	}
	target, _ := hostlessCluster(t).Target()
	if need, err := l.Needs(t.Context(), target); err != nil || string(need.Permissions) != string(e.Policy) {
		t.Errorf("Needs has another: %s (%v)", need.Permissions, err)
	}
}

// pairs are the actions and resources of an IAM document.
func pairs(t *testing.T, doc json.RawMessage) (all [][2]string) {
	t.Helper()
	var d struct {
		Version   string
		Statement []struct {
			Effect, Action string
			Resource       []string
		}
	}
	if err := json.Unmarshal(doc, &d); err != nil || d.Version != "2012-10-17" {
		t.Fatalf("%s: %v", doc, err)
	}
	for _, s := range d.Statement {
		if s.Effect != "Allow" {
			t.Errorf("effect %s", s.Effect)
		}
		for _, r := range s.Resource {
			all = append(all, [2]string{s.Action, r})
		}
	}
	return all
}

func TestACustomDomainTellsTheClusterOrWorkgroup(t *testing.T) {
	const byDomain = `{"iam": true, "aws_conn_id": "my_aws", "region": "us-east-1"}`
	const serverless = `{"iam": true, "is_serverless": true, "aws_conn_id": "my_aws", "region": "us-east-1"}`
	for name, c := range map[string]struct {
		host, extra string
		knows       map[string]string
		want        string
		asked       int
	}{
		"cluster":             {"warehouse.example.com", byDomain, map[string]string{"DescribeCustomDomainAssociations": clusterDomain}, "my-cluster", 1},
		"workgroup":           {"warehouse.example.com", serverless, map[string]string{"ListCustomDomainAssociations": groupDomain}, "my-workgroup", 1},
		"another domain":      {"lake.example.com", byDomain, map[string]string{"DescribeCustomDomainAssociations": clusterDomain}, "lake", 1},
		"another's domain":    {"lake.example.com", serverless, map[string]string{"ListCustomDomainAssociations": groupDomain}, "lake", 1},
		"nobody may ask":      {"warehouse.example.com", byDomain, nil, "warehouse", 1},
		"nobody may ask this": {"warehouse.example.com", serverless, nil, "warehouse", 1},
		"a tunnel":            {"localhost", byDomain, nil, "localhost", 0},
		"an id is given":      {"warehouse.example.com", `{"iam": true, "aws_conn_id": "my_aws", "region": "us-east-1", "cluster_identifier": "c"}`, nil, "c", 0},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			f.knows = c.knows
			l := logins(t, f.URL)
			target := resolved(t, l, conn(t, "red", "redshift", c.host, c.extra))
			guessed := strings.Contains(strings.Join(target.Warnings, "\n"), "is taken for the identifier")
			if got := target.Cluster + target.Workgroup; got != c.want || guessed != (c.want == strings.Split(c.host, ".")[0]) || target.GuessedID() != guessed {
				t.Errorf("got %q, warnings %q; want %q", got, target.Warnings, c.want)
			}
			if told := strings.HasSuffix(target.EndpointFrom, "CustomDomainAssociations"); told == guessed && c.asked > 0 {
				t.Errorf("%q told", target.EndpointFrom)
			}
			if len(f.calls) != c.asked || target.Host != c.host {
				t.Errorf("AWS was asked %d times, host %s", len(f.calls), target.Host)
			}
		})
	}
}

// TestAGuessThatIsNoClustersSaysWhatSettlesIt, and whose domain the host is where the identity may ask.
func TestAGuessThatIsNoClustersSaysWhatSettlesIt(t *testing.T) {
	const here = `"aws_conn_id": "my_aws", "region": "us-east-1"}`
	settled := "set cluster_identifier in the extra, or is_serverless to true and workgroup_name where it is a workgroup's"
	for name, c := range map[string]struct {
		extra, code string
		knows       map[string]string
		hint        string
	}{
		"a workgroup's":  {`{"iam": true, ` + here, "ClusterNotFound", map[string]string{"ListCustomDomainAssociations": groupDomain}, `the host is the custom domain of workgroup "my-workgroup": set is_serverless to true in the extra`},
		"nobody may ask": {`{"iam": true, ` + here, "ClusterNotFound", nil, "which may be a custom domain: " + settled},
		"no workgroup's": {`{"iam": true, "is_serverless": true, ` + here, "ResourceNotFoundException", nil, "which may be a custom domain: set workgroup_name in the extra, or let the identity redshift-serverless:ListCustomDomainAssociations"},
		"refused":        {`{"iam": true, ` + here, "AccessDenied", nil, settled + "; or attach the policy"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			f.knows = c.knows
			f.fail(400, c.code, "no")
			e := login(t, logins(t, f.URL), conn(t, "red", "redshift", "warehouse.example.com", c.extra))
			if !strings.Contains(e.Hint, c.hint) || (e.Policy != nil) != strings.Contains(string(e.Policy), "redshift:DescribeCustomDomainAssociations") || (e.Policy != nil) != (c.code == "AccessDenied") {
				t.Errorf("got %v (%s), policy %s", e, e.Hint, e.Policy)
			}
		})
	}
}

// TestLookUpsAreKeptForMinutesAndFailuresForAMoment, so that a policy that was just attached has its effect.
func TestLookUpsAreKeptForMinutesAndFailuresForAMoment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var k lookups[resource]
		calls, broken := 0, true
		get := func() (resource, error) {
			return k.get(t.Context(), "key", lookupLife, func(context.Context) (resource, error) {
				if calls++; broken {
					return resource{}, errors.New("not now")
				}
				return resource{id: "it"}, nil
			})
		}
		for range 3 {
			if _, err := get(); err == nil || calls != 1 {
				t.Fatalf("got %v after %d calls", err, calls)
			}
		}
		broken = false
		<-time.After(5 * time.Second)
		for range 2 * 60 {
			if found, err := get(); err != nil || found.id != "it" || calls != 2 {
				t.Fatalf("got %+v, %v after %d calls", found, err, calls)
			}
			<-time.After(time.Second)
		}
		<-time.After(lookupLife)
		if _, err := get(); err != nil || calls != 3 {
			t.Errorf("got %v after %d calls", err, calls)
		}
	})
}

func TestLookUpsDoNotPileUp(t *testing.T) {
	var k lookups[resource]
	for i := range 2 * mostLookups {
		if _, err := k.get(t.Context(), strings.Repeat("x", i%97)+string(rune(i)), lookupLife, func(context.Context) (resource, error) { return resource{}, nil }); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(k.values); n > mostLookups {
		t.Errorf("%d are kept", n)
	}
}

// TestACancelledLookUpIsCancelled: it is no failure of AWS, and the next caller gets an answer.
func TestACancelledLookUpIsCancelled(t *testing.T) {
	f := newFake(t)
	f.knows = map[string]string{"DescribeClusters": oneCluster}
	l := logins(t, f.URL)
	target, err := hostlessCluster(t).Target()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := l.Resolve(ctx, target); !errors.Is(err, airhook.ErrCancelled) {
		t.Errorf("got %v, want cancelled", err)
	}
	if target = resolved(t, l, hostlessCluster(t)); target.Port != 5440 {
		t.Errorf("port %d", target.Port)
	}
	if !slices.ContainsFunc(f.seen("DescribeClusters"), func(c call) bool { return c.form.Get("ClusterIdentifier") == "my-cluster" }) {
		t.Errorf("asked %v", f.seen("DescribeClusters"))
	}
}

// TestNobodySeesWhatAnotherLookedUp: who may not look up doesn't learn it from who may.
func TestNobodySeesWhatAnotherLookedUp(t *testing.T) {
	f := newFake(t)
	f.knows = map[string]string{"DescribeClusters": oneCluster}
	extra := fmt.Sprintf(`{"endpoint_url": %q}`, f.URL)
	other := conn(t, "other", "aws", "", extra)
	other.Login = "AKIDOTHER"
	l := New(&session.Resolver{Registry: airhooktest.Registry(conn(t, "my_aws", "aws", "", extra), other)})
	for _, aws := range []string{"my_aws", "other", "my_aws", "other"} {
		db := hostlessCluster(t)
		db.Extra, _ = airhook.ParseExtra(strings.Replace(db.Extra.Reveal(), "my_aws", aws, 1))
		resolved(t, l, db)
	}
	asked := f.seen("DescribeClusters")
	if len(asked) != 2 || !strings.Contains(asked[0].scope, "AKIDEXAMPLE/") || !strings.Contains(asked[1].scope, "AKIDOTHER/") {
		t.Errorf("asked %v", asked)
	}
}

func TestAPausedClusterGivesNoCredentials(t *testing.T) {
	f := newFake(t)
	f.knows = map[string]string{"DescribeClusters": strings.Replace(oneCluster, ">available<", ">paused<", 1)}
	f.fail(400, "InvalidClusterState", "There is an operation running on the Cluster.")
	e := login(t, logins(t, f.URL), redshiftConn(t))
	if !errors.Is(e, airhook.ErrUnreachable) || !strings.Contains(e.Error(), `cluster "my-cluster" is paused`) {
		t.Errorf("got %v", e)
	}
	f.knows = nil
	if e := login(t, logins(t, f.URL), redshiftConn(t)); airhook.KindOf(e) != "failed" || !strings.Contains(e.Error(), "There is an operation running") {
		t.Errorf("who may not look: %v", e)
	}
}
