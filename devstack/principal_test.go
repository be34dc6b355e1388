//go:build unix

package devstack_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/redshift"
	"github.com/aws/aws-sdk-go-v2/service/redshiftserverless"
	"github.com/jackc/pgx/v5"

	"github.com/airhook-go/airhook"
	"github.com/airhook-go/airhook/devstack"
	"github.com/airhook-go/airhook/devstack/cloud"
)

const mayAll = `{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}`

func TestPrincipalsAreMadeFromAnotherProcess(t *testing.T) {
	s := common(t)
	dir := s.Status().Dir
	first, err := devstack.PutUser(t.Context(), dir, "visitor", nil)
	if err != nil {
		t.Fatal(err)
	}
	second, err := devstack.PutUser(t.Context(), dir, "visitor", []byte(mayAll))
	if err != nil || second != first || first.ARN != "arn:aws:iam::123456789012:user/visitor" || first.SecretAccessKey == "" {
		t.Errorf("got %v and %v, %v", first, second, err)
	}
	role, err := devstack.PutRole(t.Context(), dir, "guest", []byte(mayAll), nil)
	if err != nil || role.ARN != "arn:aws:iam::123456789012:role/guest" {
		t.Errorf("got %v, %v", role, err)
	}
	read, err := devstack.Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	for name, status := range map[string]devstack.Status{"in the file": read, "in the process": s.Status()} {
		users, roles := status.AWS.Principals, status.AWS.Roles
		if users[0].Name != "admin" || users[len(users)-1] != first || roles[0].Name != "AirhookDev" || roles[len(roles)-1] != role {
			t.Errorf("%s: users %v, roles %v", name, users, roles)
		}
	}
	if info, err := os.Stat(filepath.Join(dir, "stack.json")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file: %v, %v", info, err)
	}
	for want, put := range map[string]func() error{
		"is the account's own": func() error { _, err := devstack.PutUser(t.Context(), dir, "admin", nil); return err },
		"user name":            func() error { _, err := devstack.PutUser(t.Context(), dir, "a b", nil); return err },
		"unknown element":      func() error { _, err := devstack.PutUser(t.Context(), dir, "x", []byte(`{"A": 1}`)); return err },
		"trust policy":         func() error { _, err := devstack.PutRole(t.Context(), dir, "x", nil, []byte(mayAll)); return err },
	} {
		if err := put(); !errors.Is(err, airhook.ErrInvalid) || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	if _, err := devstack.PutUser(t.Context(), t.TempDir(), "x", nil); !errors.Is(err, airhook.ErrNotFound) {
		t.Errorf("no stack: %v", err)
	}
}

// Whoever AWS makes a database user for on the way is let in at once, under the name of the identity.
func TestIdentitiesWithoutADatabaseUserAreGivenOne(t *testing.T) {
	s := common(t)
	user, err := s.Account().PutUser("newcomer", []byte(mayAll))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Account().PutRole("partner", []byte(mayAll), nil); err != nil {
		t.Fatal(err)
	}
	role, err := s.Account().NewSession("partner", 0x7fffffffff)
	if err != nil {
		t.Fatal(err)
	}
	for want, who := range map[string]cloud.Principal{"IAM:newcomer": user, "IAMR:partner": role, "IAM:admin": admin(s)} {
		in := instance(t, s, "my-cluster")
		client := redshift.New(redshift.Options{Region: "us-east-1", BaseEndpoint: aws.String(s.Status().AWS.EndpointURL), Credentials: provider(who), RetryMaxAttempts: 1})
		out, err := client.GetClusterCredentialsWithIAM(t.Context(), &redshift.GetClusterCredentialsWithIAMInput{ClusterIdentifier: &in.ID, DbName: &in.Database})
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if got := ask(t, connect(t, config(t, s, in, *out.DbUser, *out.DbPassword)), "SELECT current_user"); got != want {
				t.Errorf("a cluster: logged in as %s, want %s", got, want)
			}
		}
		in = instance(t, s, "my-workgroup")
		serverless := redshiftserverless.New(redshiftserverless.Options{Region: "us-east-1", BaseEndpoint: aws.String(s.Status().AWS.EndpointURL), Credentials: provider(who), RetryMaxAttempts: 1})
		mine, err := serverless.GetCredentials(t.Context(), &redshiftserverless.GetCredentialsInput{WorkgroupName: &in.ID, DbName: &in.Database})
		if err != nil {
			t.Fatal(err)
		}
		if got := ask(t, connect(t, config(t, s, in, *mine.DbUser, *mine.DbPassword)), "SELECT current_user"); got != want {
			t.Errorf("a workgroup: logged in as %s, want %s", got, want)
		}
	}
}

func TestCustomDomainsLeadToTheirInstances(t *testing.T) {
	s := common(t)
	for id, domain := range map[string]string{"my-cluster": "warehouse.example.com", "my-workgroup": "lakehouse.example.com"} {
		in := instance(t, s, id)
		if in.CustomDomain != domain || s.Status().DialMap[domain+strings.TrimPrefix(in.Address, "127.0.0.1")] != in.Address {
			t.Errorf("%s: domain %q, dial map %v", id, in.CustomDomain, s.Status().DialMap)
		}
		c := config(t, s, in, in.PasswordLogin.User, in.PasswordLogin.Password)
		c.TLSConfig.ServerName = domain
		connect(t, c)
	}
	c := config(t, s, instance(t, s, "my-redshift-cluster"), "awsuser", "")
	c.TLSConfig.ServerName = "warehouse.example.com"
	if _, err := open(t, c); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("another cluster has the domain too: %v", err)
	}
}

func TestTokensOpenTheDatabaseThatTheirPolicyNames(t *testing.T) {
	s := common(t)
	in := instance(t, s, "mydb")
	if in.ResourceID != cloud.ResourceID("mydb") {
		t.Errorf("resource id %q", in.ResourceID)
	}
	login := func(resource string) error {
		who, err := s.Account().PutUser("reader", []byte(`{"Statement": {"Effect": "Allow", "Action": "rds-db:connect", "Resource": "arn:aws:rds-db:us-east-1:123456789012:dbuser:`+resource+`"}}`))
		if err != nil {
			t.Fatal(err)
		}
		_, err = open(t, config(t, s, in, "app", token(t, host+strings.TrimPrefix(in.Address, "127.0.0.1"), "us-east-1", "app", who)))
		return err
	}
	if err := login(in.ResourceID + "/app"); err != nil {
		t.Error(err)
	}
	refusedWith(t, login(in.ResourceID+"/etl"), "28000")
	refusedWith(t, login("mydb/app"), "28000")
}

func TestSessionsJoinTheGroupsOfTheirPassword(t *testing.T) {
	s := common(t)
	in := instance(t, s, "my-redshift-cluster")
	master := connect(t, config(t, s, in, in.PasswordLogin.User, in.PasswordLogin.Password))
	for _, sql := range []string{"CREATE GROUP readers", "CREATE GROUP writers", "CREATE TABLE of_readers AS SELECT 1 AS a", "GRANT SELECT ON of_readers TO GROUP readers", "GRANT writers TO etl"} {
		if _, err := master.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	password := func(user string, groups ...string) (string, string) {
		out, err := clusters(s).GetClusterCredentials(t.Context(), &redshift.GetClusterCredentialsInput{ClusterIdentifier: &in.ID, DbUser: &user, DbName: &in.Database, DbGroups: groups})
		if err != nil {
			t.Fatal(err)
		}
		return *out.DbUser, *out.DbPassword
	}
	count := func(conn *pgx.Conn) error {
		_, err := conn.Exec(t.Context(), "SELECT count(*) FROM of_readers")
		return err
	}
	user, secret := password("app", "readers", "nonesuch")
	first, second := connect(t, config(t, s, in, user, secret)), connect(t, config(t, s, in, user, secret))
	if user != "IAM:app:readers,nonesuch" || count(first) != nil || ask(t, first, "SELECT current_user") != "app" {
		t.Errorf("%s does not read as a member", user)
	}
	if err := first.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := count(second); err != nil {
		t.Errorf("a session loses its group when another one ends: %v", err)
	}
	if err := second.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	user, secret = password("app")
	without := connect(t, config(t, s, in, user, secret))
	until(t, "the group is left", func() bool { return count(without) != nil })
	refusedWith(t, count(without), "42501")

	user, secret = password("etl", "writers")
	member := connect(t, config(t, s, in, user, secret))
	if err := member.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	user, secret = password("etl", "readers")
	until(t, "the group is left", func() bool {
		conn := connect(t, config(t, s, in, user, secret))
		return conn.Close(t.Context()) == nil && ask(t, master, "SELECT count(*)::text FROM pg_auth_members m JOIN pg_roles g ON g.oid = m.roleid WHERE g.rolname = 'readers'") == "0"
	})
	if ask(t, master, "SELECT pg_has_role('etl', 'writers', 'member')::text") != "true" {
		t.Error("a session takes away a group that its user was in before")
	}
}
