package iam

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/airhook-go/airhook"
	"github.com/airhook-go/airhook/airhooktest"
	"github.com/airhook-go/airhook/aws/session"
)

// Answers of the RDS API.
const (
	oneDatabase = `<DBClusters><DBCluster><DBClusterArn>arn:aws:rds:us-east-1:123456789012:cluster:mydb</DBClusterArn><DbClusterResourceId>cluster-ABCDEF</DbClusterResourceId><Status>available</Status>` +
		`<Endpoint>mydb.cluster-xyz.us-east-1.rds.amazonaws.com</Endpoint><ReaderEndpoint>mydb.cluster-ro-xyz.us-east-1.rds.amazonaws.com</ReaderEndpoint>` +
		`<CustomEndpoints><member>reports.cluster-custom-xyz.us-east-1.rds.amazonaws.com</member></CustomEndpoints><Port>5432</Port><IAMDatabaseAuthenticationEnabled>true</IAMDatabaseAuthenticationEnabled></DBCluster></DBClusters>`
	oneInstance = `<DBInstances><DBInstance><DBInstanceArn>arn:aws:rds:us-east-1:123456789012:db:mydb</DBInstanceArn><DbiResourceId>db-ABCDEF</DbiResourceId><DBInstanceStatus>available</DBInstanceStatus>` +
		`<Endpoint><Address>mydb.xyz.us-east-1.rds.amazonaws.com</Address><Port>5432</Port></Endpoint><IAMDatabaseAuthenticationEnabled>true</IAMDatabaseAuthenticationEnabled></DBInstance></DBInstances>`
	member   = `<DBInstances><DBInstance><DbiResourceId>db-ABCDEF</DbiResourceId><DBClusterIdentifier>mydb</DBClusterIdentifier></DBInstance></DBInstances>`
	oneProxy = `<DBProxies><member><DBProxyArn>arn:aws:rds:us-east-1:123456789012:db-proxy:prx-0123</DBProxyArn><Status>available</Status></member></DBProxies>`
)

func needs(t *testing.T, l *Logins, c airhook.Connection) Needs {
	t.Helper()
	target, err := c.Target()
	if err != nil {
		t.Fatal(err)
	}
	n, err := l.Needs(t.Context(), target)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestALoginNeedsThisAndNoMore(t *testing.T) {
	const account = "us-east-1:123456789012"
	edit := func(c airhook.Connection, login, more string) airhook.Connection {
		c.Login = login
		c.Extra, _ = airhook.ParseExtra(strings.Replace(c.Extra.Reveal(), "{", "{"+more, 1))
		return c
	}
	plain := conn(t, "red", "redshift", "my-cluster.xyz.us-east-1.redshift.amazonaws.com", `{"iam": true, "aws_conn_id": "my_aws"}`)
	for name, c := range map[string]struct {
		conn  airhook.Connection
		knows map[string]string
		want  [][2]string
		sql   []string
		notes []string // in this order, among others
	}{
		"rds, looked up": {
			rdsConn(t),
			map[string]string{"DescribeDBClusters": oneDatabase},
			[][2]string{{"rds-db:connect", "arn:aws:rds-db:" + account + ":dbuser:cluster-*/app"}},
			[]string{"CREATE USER app", "GRANT rds_iam TO app", "GRANT USAGE ON SCHEMA public TO app", "GRANT SELECT ON ALL TABLES IN SCHEMA public TO app"},
			[]string{"cluster-* stands for the resource id, which is cluster-ABCDEF; to let in to this database alone, write arn:aws:rds-db:" + account + ":dbuser:cluster-ABCDEF/app"},
		},
		"rds, not allowed to look up": {
			rdsConn(t), nil,
			[][2]string{{"rds-db:connect", "arn:aws:rds-db:" + account + ":dbuser:cluster-*/app"}},
			nil,
			[]string{"AWS did not tell (DescribeDBClusters: 403 Forbidden (AccessDenied))", "aws rds describe-db-clusters --db-cluster-identifier mydb"},
		},
		"rds by a custom endpoint": {
			conn(t, "rds", "postgres", "reports.cluster-custom-xyz.us-east-1.rds.amazonaws.com", `{"iam": true, "aws_conn_id": "my_aws"}`),
			map[string]string{"DescribeDBClusters": oneDatabase},
			[][2]string{{"rds-db:connect", "arn:aws:rds-db:" + account + ":dbuser:cluster-*/app"}},
			nil,
			[]string{"which is cluster-ABCDEF"},
		},
		"rds instance": {
			conn(t, "rds", "postgres", "mydb.xyz.us-east-1.rds.amazonaws.com", `{"iam": true, "aws_conn_id": "my_aws"}`),
			map[string]string{"DescribeDBInstances": oneInstance},
			[][2]string{{"rds-db:connect", "arn:aws:rds-db:" + account + ":dbuser:*/app"}},
			nil,
			[]string{"* stands for the resource id, which is db-ABCDEF; to let in to this database alone, write arn:aws:rds-db:" + account + ":dbuser:db-ABCDEF/app"},
		},
		"rds instance of a cluster": {
			conn(t, "rds", "postgres", "mydb.xyz.us-east-1.rds.amazonaws.com", `{"iam": true, "aws_conn_id": "my_aws"}`),
			map[string]string{"DescribeDBInstances": member, "DescribeDBClusters": oneDatabase},
			[][2]string{{"rds-db:connect", "arn:aws:rds-db:" + account + ":dbuser:*/app"}},
			nil,
			[]string{"which is cluster-ABCDEF"},
		},
		"rds proxy": {
			conn(t, "rds", "postgres", "ro.endpoint.proxy-xyz.us-east-1.rds.amazonaws.com", `{"iam": true, "aws_conn_id": "my_aws"}`),
			map[string]string{"DescribeDBProxyEndpoints": "<DBProxyEndpoints><member><DBProxyName>p</DBProxyName></member></DBProxyEndpoints>", "DescribeDBProxies": oneProxy},
			[][2]string{{"rds-db:connect", "arn:aws:rds-db:" + account + ":dbuser:prx-*/app"}},
			nil,
			[]string{"which is prx-0123"},
		},
		"rds without iam": {
			rdsConn(t),
			map[string]string{"DescribeDBClusters": strings.Replace(oneDatabase, "true", "false", 1)},
			[][2]string{{"rds-db:connect", "arn:aws:rds-db:" + account + ":dbuser:cluster-*/app"}},
			nil,
			[]string{"which is cluster-ABCDEF", "IAM authentication is off"},
		},
		"a user that needs quotes": {
			edit(rdsConn(t), `Ann "x"`, ""), nil,
			[][2]string{{"rds-db:connect", "arn:aws:rds-db:" + account + `:dbuser:cluster-*/Ann "x"`}},
			[]string{`CREATE USER "Ann ""x"""`, `GRANT rds_iam TO "Ann ""x"""`, `GRANT USAGE ON SCHEMA public TO "Ann ""x"""`, `GRANT SELECT ON ALL TABLES IN SCHEMA public TO "Ann ""x"""`},
			nil,
		},
		"cluster": {
			plain, nil,
			[][2]string{{"redshift:GetClusterCredentials", "arn:aws:redshift:" + account + ":dbuser:my-cluster/app"}, {"redshift:GetClusterCredentials", "arn:aws:redshift:" + account + ":dbname:my-cluster/dev"}},
			[]string{"CREATE USER app PASSWORD DISABLE", "GRANT USAGE ON SCHEMA public TO app", "GRANT SELECT ON ALL TABLES IN SCHEMA public TO app"},
			nil,
		},
		"cluster, a reserved word for a user": {
			edit(plain, "user", ""), nil,
			[][2]string{{"redshift:GetClusterCredentials", "arn:aws:redshift:" + account + ":dbuser:my-cluster/user"}, {"redshift:GetClusterCredentials", "arn:aws:redshift:" + account + ":dbname:my-cluster/dev"}},
			[]string{`CREATE USER "user" PASSWORD DISABLE`, `GRANT USAGE ON SCHEMA public TO "user"`, `GRANT SELECT ON ALL TABLES IN SCHEMA public TO "user"`},
			nil,
		},
		"cluster with everything": {
			redshiftConn(t), nil,
			[][2]string{
				{"redshift:GetClusterCredentials", "arn:aws:redshift:" + account + ":dbuser:my-cluster/app"},
				{"redshift:GetClusterCredentials", "arn:aws:redshift:" + account + ":dbname:my-cluster/dev"},
				{"redshift:CreateClusterUser", "arn:aws:redshift:" + account + ":dbuser:my-cluster/app"},
				{"redshift:JoinGroup", "arn:aws:redshift:" + account + ":dbgroup:my-cluster/etl"},
				{"redshift:JoinGroup", "arn:aws:redshift:" + account + ":dbgroup:my-cluster/ops"},
			},
			[]string{"CREATE GROUP etl", "CREATE GROUP ops", "GRANT USAGE ON SCHEMA public TO app", "GRANT SELECT ON ALL TABLES IN SCHEMA public TO app"},
			nil,
		},
		"cluster without a user": {
			edit(plain, "", ""), nil,
			[][2]string{{"redshift:GetClusterCredentialsWithIAM", "arn:aws:redshift:" + account + ":dbname:my-cluster/dev"}},
			[]string{`CREATE USER "IAM:alice" PASSWORD DISABLE`, `GRANT USAGE ON SCHEMA public TO "IAM:alice"`, `GRANT SELECT ON ALL TABLES IN SCHEMA public TO "IAM:alice"`},
			nil,
		},
		"cluster that is looked up": {
			hostlessCluster(t), nil,
			[][2]string{
				{"redshift:GetClusterCredentials", "arn:aws:redshift:" + account + ":dbuser:my-cluster/app"},
				{"redshift:GetClusterCredentials", "arn:aws:redshift:" + account + ":dbname:my-cluster/dev"},
				{"redshift:DescribeClusters", "arn:aws:redshift:" + account + ":cluster:my-cluster"},
			},
			nil, nil,
		},
		"custom domain": {
			conn(t, "red", "redshift", "warehouse.example.com", `{"iam": true, "aws_conn_id": "my_aws", "region": "us-east-1"}`),
			map[string]string{"DescribeCustomDomainAssociations": clusterDomain},
			[][2]string{
				{"redshift:GetClusterCredentials", "arn:aws:redshift:" + account + ":dbuser:my-cluster/app"},
				{"redshift:GetClusterCredentials", "arn:aws:redshift:" + account + ":dbname:my-cluster/dev"},
				{"redshift:DescribeCustomDomainAssociations", "*"},
			},
			nil,
			[]string{"with cluster_identifier in the extra it is not needed"},
		},
		"perhaps a custom domain": {
			conn(t, "red", "redshift", "warehouse.example.com", `{"iam": true, "aws_conn_id": "my_aws", "region": "us-east-1"}`), nil,
			[][2]string{{"redshift:GetClusterCredentials", "arn:aws:redshift:" + account + ":dbuser:warehouse/app"}, {"redshift:GetClusterCredentials", "arn:aws:redshift:" + account + ":dbname:warehouse/dev"}, {"redshift:DescribeCustomDomainAssociations", "*"}},
			nil,
			[]string{`cluster "warehouse" is only a guess from the host's name, which may be a custom domain`, "to settle it, set cluster_identifier in the extra"},
		},
		"workgroup": {
			serverlessConn(t),
			map[string]string{"GetWorkgroup": oneWorkgroup},
			[][2]string{{"redshift-serverless:GetCredentials", workgroupARN}},
			[]string{`CREATE USER "IAM:alice" PASSWORD DISABLE`, `GRANT USAGE ON SCHEMA public TO "IAM:alice"`, `GRANT SELECT ON ALL TABLES IN SCHEMA public TO "IAM:alice"`},
			nil,
		},
		"workgroup that nobody may see": {
			serverlessConn(t), nil,
			[][2]string{{"redshift-serverless:GetCredentials", "arn:aws:redshift-serverless:" + account + ":workgroup/*"}},
			nil,
			[]string{"* stands for the workgroup's id, which AWS did not tell", "aws redshift-serverless get-workgroup --workgroup-name my-workgroup"},
		},
		"workgroup that is looked up": {
			hostlessWorkgroup(t),
			map[string]string{"GetWorkgroup": oneWorkgroup},
			[][2]string{{"redshift-serverless:GetCredentials", workgroupARN}, {"redshift-serverless:GetWorkgroup", workgroupARN}},
			nil, nil,
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			f.knows = c.knows
			n := needs(t, logins(t, f.URL), c.conn)
			if diff := cmp.Diff(c.want, pairs(t, n.Permissions)); diff != "" {
				t.Error(diff)
			}
			if n.Resource != c.want[0][1] || n.Trust != nil {
				t.Errorf("resource %s, trust %s", n.Resource, n.Trust)
			}
			if diff := cmp.Diff(c.sql, n.SQL); diff != "" && c.sql != nil {
				t.Error(diff)
			}
			rest := strings.Join(n.Notes, "\n")
			for _, note := range c.notes {
				_, after, found := strings.Cut(rest, note)
				if rest = after; !found {
					t.Errorf("no note says %q: %q", note, n.Notes)
				}
			}
		})
	}
}

func TestNamesOfAnythingAreLiteralInAPolicy(t *testing.T) {
	got := statements(airhook.Target{Method: airhook.MethodRDS, Region: "us-east-1", User: "a*?${x}$", SignHost: "h"}, facts{account: "123456789012"})[0].Resource[0]
	if want := "arn:aws:rds-db:us-east-1:123456789012:dbuser:*/a${*}${?}${$}{x}$"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestNeedsInEveryPartition(t *testing.T) {
	for region, want := range map[string]string{
		"us-east-1": "arn:aws:", "cn-north-1": "arn:aws-cn:", "us-gov-west-1": "arn:aws-us-gov:", "us-iso-east-1": "arn:aws-iso:", "us-isob-east-1": "arn:aws-iso-b:", "eusc-de-east-1": "arn:aws-eusc:",
	} {
		for _, target := range []airhook.Target{
			{Method: airhook.MethodRDS, Region: region, User: "app", SignHost: "h"}, {Method: airhook.MethodRedshift, Region: region, Cluster: "c", User: "app"}, {Method: airhook.MethodRedshiftServerless, Region: region},
		} {
			for _, s := range statements(target, facts{account: "123456789012"}) {
				for _, arn := range s.Resource {
					if !strings.HasPrefix(arn, want) || !strings.Contains(arn, ":"+region+":123456789012:") {
						t.Errorf("%s in %s: %s", s.Action, region, arn)
					}
				}
			}
		}
	}
}

func TestAPasswordNeedsNothing(t *testing.T) {
	target, err := conn(t, "db", "postgres", "h", "").Target()
	if err != nil {
		t.Fatal(err)
	}
	_, err = New(&session.Resolver{Registry: airhooktest.Registry()}).Needs(t.Context(), target)
	if !errors.Is(err, airhook.ErrInvalid) || !strings.Contains(err.Error(), "logs in with a password") {
		t.Errorf("got %v, want invalid", err)
	}
}

// TestNeedsWithoutAWS: who has no keys yet wants the policy most.
func TestNeedsWithoutAWS(t *testing.T) {
	l := New(&session.Resolver{Registry: airhooktest.Registry()})
	n := needs(t, l, conn(t, "red", "redshift", "my-cluster.xyz.us-east-1.redshift.amazonaws.com", `{"iam": true}`))
	if got := pairs(t, n.Permissions)[0][1]; got != "arn:aws:redshift:us-east-1:*:dbuser:my-cluster/app" {
		t.Errorf("got %s", got)
	}
	notes := strings.Join(n.Notes, "\n")
	for _, want := range []string{"AWS could not be asked who signs", "* stands for the account of the database"} {
		if !strings.Contains(notes, want) {
			t.Errorf("no note says %q: %s", want, notes)
		}
	}
}

// trustOf returns the one statement of a trust policy, without Effect.
func trustOf(t *testing.T, n Needs) string {
	t.Helper()
	var doc struct {
		Version   string
		Statement []struct {
			Effect            string
			Principal, Action any
			Condition         any `json:",omitempty"`
		}
	}
	if err := json.Unmarshal(n.Trust, &doc); err != nil || doc.Version != "2012-10-17" || len(doc.Statement) != 1 || doc.Statement[0].Effect != "Allow" {
		t.Fatalf("%s: %v", n.Trust, err)
	}
	text, _ := json.Marshal(doc.Statement[0])
	return string(text)
}

func TestTheRoleTrustsWhoAssumesIt(t *testing.T) {
	const other = "arn:aws:iam::999999999999:role/partner"
	for name, c := range map[string]struct {
		aws, db string
		want    string
		assumes string
	}{
		"role of the extra": {
			``, `{"aws_conn_id": "my_aws", "role_arn": "` + roleARN + `"}`,
			`{"Effect":"Allow","Principal":{"AWS":"` + callerARN + `"},"Action":"sts:AssumeRole"}`, roleARN,
		},
		"role of the aws connection": {
			`{"role_arn": "` + roleARN + `"}`, `{"iam": true, "aws_conn_id": "my_aws"}`,
			`{"Effect":"Allow","Principal":{"AWS":"` + callerARN + `"},"Action":"sts:AssumeRole"}`, roleARN,
		},
		"another account's, with an external id": {
			`{"role_arn": "` + other + `", "assume_role_kwargs": {"ExternalId": "x-7"}}`, `{"iam": true, "aws_conn_id": "my_aws"}`,
			`{"Effect":"Allow","Principal":{"AWS":"` + callerARN + `"},"Action":"sts:AssumeRole","Condition":{"StringEquals":{"sts:ExternalId":"x-7"}}}`, other,
		},
		"the same as a URI has it": {
			`{"role_arn": "` + other + `", "assume_role_kwargs": "{\"ExternalId\": \"x-7\"}"}`, `{"iam": true, "aws_conn_id": "my_aws"}`,
			`{"Effect":"Allow","Principal":{"AWS":"` + callerARN + `"},"Action":"sts:AssumeRole","Condition":{"StringEquals":{"sts:ExternalId":"x-7"}}}`, other,
		},
		"with tags": {
			`{"role_arn": "` + other + `", "assume_role_kwargs": {"Tags": [{"Key": "team", "Value": "data"}]}}`, `{"iam": true, "aws_conn_id": "my_aws"}`,
			`{"Effect":"Allow","Principal":{"AWS":"` + callerARN + `"},"Action":["sts:AssumeRole","sts:TagSession"]}`, other,
		},
		"a role on top of a role": {
			`{"role_arn": "` + roleARN + `", "assume_role_kwargs": {"ExternalId": "x-7"}}`, `{"aws_conn_id": "my_aws", "role_arn": "` + other + `"}`,
			`{"Effect":"Allow","Principal":{"AWS":"` + roleARN + `"},"Action":"sts:AssumeRole"}`, other,
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			t.Setenv("AWS_ENDPOINT_URL", f.URL)
			l := New(&session.Resolver{Registry: airhooktest.Registry(conn(t, "my_aws", "aws", "", c.aws))})
			db := conn(t, "red", "redshift", "my-cluster.xyz.us-east-1.redshift.amazonaws.com", c.db)
			db.Login = ""
			n := needs(t, l, db)
			if got := trustOf(t, n); got != c.want {
				t.Errorf("got %s\nwant %s", got, c.want)
			}
			want := [][2]string{{"redshift:GetClusterCredentialsWithIAM", "arn:aws:redshift:us-east-1:" + accountOf(c.assumes) + ":dbname:my-cluster/dev"}, {"sts:AssumeRole", c.assumes}}
			if name == "with tags" {
				want = append(want, [2]string{"sts:TagSession", c.assumes})
			}
			if diff := cmp.Diff(want, pairs(t, n.Permissions)); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(want, append(pairs(t, n.Role), pairs(t, n.Caller)...)); diff != "" || len(pairs(t, n.Role)) != 1 {
				t.Errorf("by who has to have them: %s", diff)
			}
			if !strings.Contains(string(n.Permissions), `{"Sid":"ForWhoAssumesTheRole","Effect":"Allow","Action":"sts:AssumeRole"`) || !strings.Contains(strings.Join(n.Notes, "\n"), "statement ForWhoAssumesTheRole belongs to whoever assumes "+c.assumes) {
				t.Errorf("%s, notes %q", n.Permissions, n.Notes)
			}
			if n.SQL[0] != `CREATE USER "IAMR:etl" PASSWORD DISABLE` {
				t.Errorf("SQL %s", n.SQL[0])
			}
		})
	}
}

func TestTheRoleTrustsItsAccountWhenNobodyTellsTheCaller(t *testing.T) {
	t.Setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
	l := New(&session.Resolver{Registry: airhooktest.Registry(conn(t, "my_aws", "aws", "", ""))})
	db := conn(t, "red", "redshift", "my-cluster.xyz.us-east-1.redshift.amazonaws.com", `{"aws_conn_id": "my_aws", "role_arn": "`+roleARN+`"}`)
	db.Login = ""
	n := needs(t, l, db)
	if want := `{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:root"},"Action":"sts:AssumeRole"}`; trustOf(t, n) != want {
		t.Errorf("got %s, want %s", trustOf(t, n), want)
	}
	if !strings.Contains(strings.Join(n.Notes, "\n"), "arn:aws:iam::123456789012:root stands for whoever assumes the role") || n.SQL[0] != `CREATE USER "IAMR:etl" PASSWORD DISABLE` {
		t.Errorf("notes %q, SQL %q", n.Notes, n.SQL)
	}
}

// TestTheRoleTrustsWhatHandsItOut: an identity provider for EKS service accounts, a service for pods.
func TestTheRoleTrustsWhatHandsItOut(t *testing.T) {
	claims := func(payload string) string {
		return "e30." + base64.RawURLEncoding.EncodeToString([]byte(payload)) + ".c2ln"
	}
	const web = `{"Effect":"Allow","Principal":{"Federated":"arn:aws:iam::123456789012:oidc-provider/oidc.eks.us-east-1.amazonaws.com/id/ABC"},"Action":"sts:AssumeRoleWithWebIdentity","Condition":{"StringEquals":` +
		`{"oidc.eks.us-east-1.amazonaws.com/id/ABC:aud":"sts.amazonaws.com","oidc.eks.us-east-1.amazonaws.com/id/ABC:sub":"system:serviceaccount:etl:airflow"}}}`
	for name, c := range map[string]struct {
		token string
		want  string
	}{
		"IRSA":       {claims(`{"iss": "https://oidc.eks.us-east-1.amazonaws.com/id/ABC", "sub": "system:serviceaccount:etl:airflow", "aud": ["sts.amazonaws.com"]}`), web},
		"one string": {claims(`{"iss": "https://oidc.eks.us-east-1.amazonaws.com/id/ABC", "sub": "system:serviceaccount:etl:airflow", "aud": "sts.amazonaws.com"}`), web},
		"no JWT":     {"opaque", `{"Effect":"Allow","Principal":{"Federated":"arn:aws:iam::123456789012:oidc-provider/oidc.eks.REGION.amazonaws.com/id/PROVIDER-ID"},"Action":"sts:AssumeRoleWithWebIdentity","Condition":{"StringEquals":{"oidc.eks.REGION.amazonaws.com/id/PROVIDER-ID:aud":"sts.amazonaws.com","oidc.eks.REGION.amazonaws.com/id/PROVIDER-ID:sub":"system:serviceaccount:NAMESPACE:NAME"}}}`},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			f.knows = map[string]string{"AssumeRoleWithWebIdentity": fmt.Sprintf(`<Credentials><AccessKeyId>ASIAROLE</AccessKeyId><SecretAccessKey>%s</SecretAccessKey><SessionToken>%s</SessionToken><Expiration>%s</Expiration></Credentials>`, canary, canaryTok, f.expires.Format(time.RFC3339))}
			file := filepath.Join(t.TempDir(), "token")
			if err := os.WriteFile(file, []byte(c.token+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			t.Setenv("AWS_ENDPOINT_URL", f.URL)
			t.Setenv("AWS_REGION", "us-east-1")
			t.Setenv("AWS_WEB_IDENTITY_TOKEN_FILE", file)
			t.Setenv("AWS_ROLE_ARN", roleARN)
			n := needs(t, New(&session.Resolver{Registry: airhooktest.Registry()}), conn(t, "rds", "postgres", "mydb.cluster-xyz.us-east-1.rds.amazonaws.com", `{"iam": true}`))
			if got := trustOf(t, n); got != c.want {
				t.Errorf("got %s\nwant %s", got, c.want)
			}
			if all := pairs(t, n.Permissions); len(all) != 1 {
				t.Errorf("a web identity needs %v", all)
			}
			if noted := strings.Contains(strings.Join(n.Notes, "\n"), "kubectl get serviceaccount"); noted != (name == "no JWT") {
				t.Errorf("notes %q", n.Notes)
			}
		})
	}
	for name, c := range map[string]struct{ variable, want string }{
		"pod identity": {"AWS_CONTAINER_CREDENTIALS_FULL_URI", `{"Effect":"Allow","Principal":{"Service":"pods.eks.amazonaws.com"},"Action":["sts:AssumeRole","sts:TagSession"]}`},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			container := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				_, _ = fmt.Fprintf(w, `{"AccessKeyId": "ASIAROLE", "SecretAccessKey": %q, "Token": %q, "Expiration": %q}`, canary, canaryTok, f.expires.Format(time.RFC3339))
			}))
			t.Cleanup(container.Close)
			t.Setenv("AWS_ENDPOINT_URL", f.URL)
			t.Setenv(c.variable, container.URL)
			n := needs(t, New(&session.Resolver{Registry: airhooktest.Registry()}), conn(t, "rds", "postgres", "mydb.cluster-xyz.us-east-1.rds.amazonaws.com", `{"iam": true}`))
			if got := trustOf(t, n); got != c.want {
				t.Errorf("got %s\nwant %s", got, c.want)
			}
			if !strings.Contains(strings.Join(n.Notes, "\n"), "belongs to role arn:aws:iam::123456789012:role/etl") {
				t.Errorf("notes %q", n.Notes)
			}
		})
	}
}

func TestServicesHandOutRoles(t *testing.T) {
	for _, c := range []struct {
		source   string
		relative bool
		want     string
		action   any
	}{
		{"CredentialsEndpointProvider", true, "ecs-tasks.amazonaws.com", "sts:AssumeRole"},
		{"CredentialsEndpointProvider", false, "pods.eks.amazonaws.com", []string{"sts:AssumeRole", "sts:TagSession"}},
		{"EC2RoleProvider", false, "ec2.amazonaws.com", "sts:AssumeRole"},
		{"EnvConfigCredentials", false, "", nil},
	} {
		service, action := handsOut(c.source, c.relative)
		if diff := cmp.Diff(c.action, action); diff != "" || service != c.want {
			t.Errorf("%s: got %s %s", c.source, service, diff)
		}
	}
}
