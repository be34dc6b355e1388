package cloud_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/redshift"
	"github.com/aws/aws-sdk-go-v2/service/redshiftserverless"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/airhook-go/airhook/devstack/cloud"
)

const everything = `{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}`

// statement is an Allow of one action on one resource.
func statement(action, resource string) string {
	return fmt.Sprintf(`{"Effect": "Allow", "Action": %q, "Resource": %q}`, action, resource)
}

func document(statements ...string) []byte {
	return []byte(`{"Version": "2012-10-17", "Statement": [` + strings.Join(statements, ", ") + `]}`)
}

func (s stand) user(t *testing.T, name string, policy []byte) cloud.Principal {
	t.Helper()
	p, err := s.PutUser(name, policy)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// Each login starts refused, is let in by exactly the statements that it needs, and is refused again without any of them.
func TestLoginsNeedEveryStatementOfTheirPolicy(t *testing.T) {
	s := newStand(t)
	const redshiftARN = "arn:aws:redshift:us-east-1:123456789012:"
	workgroup, err := s.serverless(s.admin()).GetWorkgroup(t.Context(), &redshiftserverless.GetWorkgroupInput{WorkgroupName: aws.String("my-workgroup")})
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		needs []string
		login func(who cloud.Principal) error
	}{
		"cluster": {
			[]string{statement("redshift:GetClusterCredentials", redshiftARN+"dbuser:my-cluster/app"), statement("redshift:GetClusterCredentials", redshiftARN+"dbname:my-cluster/dev")},
			func(who cloud.Principal) error {
				_, err := s.redshift(who).GetClusterCredentials(t.Context(), ask(nil))
				return err
			},
		},
		"cluster, a user in groups to be made": {
			[]string{
				statement("redshift:GetClusterCredentials", redshiftARN+"dbuser:my-cluster/app"), statement("redshift:CreateClusterUser", redshiftARN+"dbuser:my-cluster/app"),
				statement("redshift:JoinGroup", redshiftARN+"dbgroup:my-cluster/readers"), statement("redshift:JoinGroup", redshiftARN+"dbgroup:my-cluster/writers"),
			},
			func(who cloud.Principal) error {
				_, err := s.redshift(who).GetClusterCredentials(t.Context(), ask(func(in *redshift.GetClusterCredentialsInput) {
					in.DbName, in.AutoCreate, in.DbGroups = nil, aws.Bool(true), []string{"readers", "writers"}
				}))
				return err
			},
		},
		"cluster, as oneself": {
			[]string{statement("redshift:GetClusterCredentialsWithIAM", redshiftARN+"dbname:my-cluster/dev")},
			func(who cloud.Principal) error {
				_, err := s.redshift(who).GetClusterCredentialsWithIAM(t.Context(), &redshift.GetClusterCredentialsWithIAMInput{ClusterIdentifier: aws.String("my-cluster"), DbName: aws.String("dev")})
				return err
			},
		},
		"workgroup": {
			[]string{statement("redshift-serverless:GetCredentials", *workgroup.Workgroup.WorkgroupArn)},
			func(who cloud.Principal) error {
				_, err := s.serverless(who).GetCredentials(t.Context(), &redshiftserverless.GetCredentialsInput{WorkgroupName: aws.String("my-workgroup"), DbName: aws.String("dev")})
				return err
			},
		},
		"RDS": {
			[]string{statement("rds-db:connect", "arn:aws:rds-db:us-east-1:123456789012:dbuser:"+cloud.ResourceID("mydb")+"/app")},
			func(who cloud.Principal) error {
				return s.CheckToken(rdsHost, rdsPort, "us-east-1", cloud.ResourceID("mydb"), "app", token(t, who))
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			who := s.user(t, "newcomer", nil)
			if err := c.login(who); err == nil || !strings.Contains(err.Error(), "because no identity-based policy allows the ") {
				t.Fatalf("without a policy: %v", err)
			}
			s.user(t, "newcomer", document(c.needs...))
			if err := c.login(who); err != nil {
				t.Fatalf("with the policy: %v", err)
			}
			for i := range c.needs {
				fewer := append(append([]string{statement("s3:GetObject", "*")}, c.needs[:i]...), c.needs[i+1:]...)
				s.user(t, "newcomer", document(fewer...))
				if err := c.login(who); err == nil {
					t.Errorf("let in without %s", c.needs[i])
				}
			}
			s.user(t, "newcomer", document(append(c.needs, `{"Effect": "Deny", "Action": "*", "Resource": "*"}`)...))
			if err := c.login(who); err == nil || !strings.Contains(err.Error(), "with an explicit deny in an identity-based policy") {
				t.Errorf("denied: %v", err)
			}
		})
	}
}

func TestConditionsKnowWhatACallAsksFor(t *testing.T) {
	s := newStand(t)
	for condition, want := range map[string]bool{
		`{"StringEquals": {"redshift:DbName": "dev", "redshift:DbUser": "app"}}`:                                         true,
		`{"StringEquals": {"redshift:DbName": "prod"}}`:                                                                  false,
		`{"NumericLessThanEquals": {"redshift:DurationSeconds": 900}}`:                                                   true,
		`{"NumericLessThan": {"redshift:DurationSeconds": 900}}`:                                                         false,
		`{"StringEquals": {"aws:username": "ann", "aws:PrincipalAccount": "123456789012", "aws:PrincipalType": "User"}}`: true,
		`{"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::123456789012:user/a*"}}`:                                         true,
		`{"StringEquals": {"aws:RequestedRegion": "eu-west-1"}}`:                                                         false,
	} {
		who := s.user(t, "ann", document(`{"Effect": "Allow", "Action": "redshift:GetClusterCredentials", "Resource": "*", "Condition": `+condition+`}`))
		if _, err := s.redshift(who).GetClusterCredentials(t.Context(), ask(nil)); (err == nil) != want {
			t.Errorf("%s: %v", condition, err)
		}
	}
}

func TestRefusalsAreInTheWordsOfAWS(t *testing.T) {
	s := newStand(t)
	who := s.user(t, "newcomer", nil)
	_, err := s.redshift(who).GetClusterCredentials(t.Context(), ask(nil))
	const where = "User: arn:aws:iam::123456789012:user/newcomer is not authorized to perform: redshift:GetClusterCredentials on resource: arn:aws:redshift:us-east-1:123456789012:dbuser:my-cluster/app "
	if got, want := refused(t, err, "AccessDenied", 403).ErrorMessage(), where+"because no identity-based policy allows the redshift:GetClusterCredentials action"; got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
	s.user(t, "newcomer", document(`{"Effect": "Deny", "Action": "redshift:*", "Resource": "*"}`))
	_, err = s.redshift(who).GetClusterCredentials(t.Context(), ask(nil))
	if got, want := refused(t, err, "AccessDenied", 403).ErrorMessage(), where+"with an explicit deny in an identity-based policy"; got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
	if _, err := s.sts(who).GetCallerIdentity(t.Context(), nil); err != nil {
		t.Errorf("who one is needs no leave: %v", err)
	}
}

func TestUsersAndRolesAreMadeOnceAndChanged(t *testing.T) {
	changes := 0
	var account *cloud.Account
	account, err := cloud.New(cloud.Options{Changed: func() error {
		changes++
		account.Principals() // it is not called with the lock
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	first, err := account.PutUser("ann", nil)
	if err != nil {
		t.Fatal(err)
	}
	second, err := account.PutUser("ann", []byte(everything))
	if err != nil || second.AccessKeyID != first.AccessKeyID || second.SecretAccessKey != first.SecretAccessKey {
		t.Errorf("got other keys, %v", err)
	}
	for range 2 {
		if role, err := account.PutRole("etl", nil, nil); err != nil || role.ARN != "arn:aws:iam::123456789012:role/etl" {
			t.Errorf("role %v, %v", role, err)
		}
	}
	if users, roles := len(account.Principals()), len(account.Roles()); users != 2 || roles != 3 || changes != 4 {
		t.Errorf("%d users, %d roles, %d changes", users, roles, changes)
	}
	for name, put := range map[string]func() error{
		"the admin":       func() error { _, err := account.PutUser("admin", nil); return err },
		"the admin's":     func() error { _, err := account.PutRole("AirhookDev", nil, nil); return err },
		"no name":         func() error { _, err := account.PutUser("", nil); return err },
		"a name with a /": func() error { _, err := account.PutRole("a/b", nil, nil); return err },
		"no JSON":         func() error { _, err := account.PutUser("bob", []byte("{")); return err },
		"policy: Statement[0]": func() error {
			_, err := account.PutUser("bob", document(`{"Effect": "Allow", "Action": "*", "Resources": "*"}`))
			return err
		},
		"trust policy: Statement[0]": func() error { _, err := account.PutRole("bob", nil, []byte(everything)); return err },
	} {
		if err := put(); err == nil || strings.HasPrefix(name, "policy") && !strings.Contains(err.Error(), name) || strings.HasPrefix(name, "trust") && !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A session of a role stays bound to the role's policy, and to one of its own.
func TestSessionsMayDoWhatTheirRoleAndTheirOwnPolicyAllow(t *testing.T) {
	s := newStand(t)
	if _, err := s.PutRole("etl", []byte(everything), trust(s.admin().ARN, "")); err != nil {
		t.Fatal(err)
	}
	open := func(policy []byte) cloud.Principal {
		in := assume("etl", "nightly")
		if policy != nil {
			in.Policy = aws.String(string(policy))
		}
		return opened(t, s.sts(s.admin()), in)
	}
	all, some := open(nil), open(document(statement("redshift:DescribeClusters", "*")))
	denied := open(document(statement("*", "*"), `{"Effect": "Deny", "Action": "redshift:GetCluster*", "Resource": "*"}`))
	login := func(who cloud.Principal) error {
		_, err := s.redshift(who).GetClusterCredentials(t.Context(), ask(nil))
		return err
	}
	if err := login(all); err != nil {
		t.Error(err)
	}
	if err := login(some); err == nil || !strings.Contains(err.Error(), "because no session policy allows") {
		t.Errorf("a session policy that does not allow it: %v", err)
	}
	if err := login(denied); err == nil || !strings.Contains(err.Error(), "with an explicit deny in a session policy") {
		t.Errorf("a session policy that denies it: %v", err)
	}
	if _, err := s.redshift(some).DescribeClusters(t.Context(), nil); err != nil {
		t.Error(err)
	}
	if _, err := s.PutRole("etl", nil, nil); err != nil {
		t.Fatal(err)
	}
	for _, who := range []cloud.Principal{all, some} {
		if _, err := s.redshift(who).DescribeClusters(t.Context(), nil); err == nil {
			t.Error("a session does what its role may no longer do")
		}
	}
}

func TestClusterCredentialsAreForTheUserThatTheIdentityIs(t *testing.T) {
	s := newStand(t)
	session, err := s.NewSession("AirhookDev", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	for user, who := range map[string]cloud.Principal{"IAM:newcomer": s.user(t, "newcomer", []byte(everything)), "IAMR:AirhookDev": session} {
		out, err := s.redshift(who).GetClusterCredentialsWithIAM(t.Context(), &redshift.GetClusterCredentialsWithIAMInput{ClusterIdentifier: aws.String("my-cluster"), DbName: aws.String("dev"), DurationSeconds: aws.Int32(1800)})
		if err != nil {
			t.Fatal(err)
		}
		if *out.DbUser != user || time.Until(*out.Expiration) > 31*time.Minute || time.Until(*out.Expiration) < 29*time.Minute || out.NextRefreshTime == nil {
			t.Errorf("user %s until %s, want %s", *out.DbUser, out.Expiration, user)
		}
		if role, create, err := s.CheckPassword("my-cluster", "dev", *out.DbUser, *out.DbPassword); err != nil || role != user || !create {
			t.Errorf("role %s, create %t, %v", role, create, err)
		}
	}
	for name, in := range map[string]redshift.GetClusterCredentialsWithIAMInput{
		"InvalidParameterValue":                {ClusterIdentifier: aws.String("my-cluster"), DurationSeconds: aws.Int32(3601)},
		"ClusterNotFound":                      {ClusterIdentifier: aws.String("nowhere")},
		"CustomDomainAssociationNotFoundFault": {CustomDomainName: aws.String("nowhere.example.com")},
	} {
		_, err := s.redshift(s.admin()).GetClusterCredentialsWithIAM(t.Context(), &in)
		if status := map[bool]int{true: 400, false: 404}[name == "InvalidParameterValue"]; err == nil {
			t.Errorf("%s: no error", name)
		} else {
			refused(t, err, name, status)
		}
	}
}

// opened assumes a role and returns its session's keys.
func opened(t *testing.T, client *sts.Client, in *sts.AssumeRoleInput) cloud.Principal {
	t.Helper()
	out, err := client.AssumeRole(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	return principalOf(*out.Credentials.AccessKeyId, *out.Credentials.SecretAccessKey, *out.Credentials.SessionToken)
}

func principalOf(id, secret, token string) cloud.Principal {
	return cloud.Principal{AccessKeyID: id, SecretAccessKey: secret, SessionToken: token}
}

func assume(role, session string) *sts.AssumeRoleInput {
	return &sts.AssumeRoleInput{RoleArn: aws.String("arn:aws:iam::123456789012:role/" + role), RoleSessionName: aws.String(session)}
}

// trust is a trust policy for one principal, with a condition.
func trust(principal, condition string) []byte {
	if condition != "" {
		condition = `, "Condition": ` + condition
	}
	return document(fmt.Sprintf(`{"Effect": "Allow", "Principal": {"AWS": %q}, "Action": ["sts:AssumeRole", "sts:TagSession"]%s}`, principal, condition))
}
