package cloud_test

import (
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/airhook-go/airhook/devstack/cloud"
)

func TestDatabasesAreDescribedWithTheirResourceIDs(t *testing.T) {
	s := newStand(t)
	newcomer := s.user(t, "newcomer", document(statement("rds:DescribeDBClusters", "arn:aws:rds:us-east-1:123456789012:cluster:mydb")))
	if id := cloud.ResourceID("mydb"); !regexp.MustCompile(`^cluster-[A-Z2-7]{26}$`).MatchString(id) || id == cloud.ResourceID("other") {
		t.Errorf("resource id %s", id)
	}
	for name, c := range map[string]struct {
		who    cloud.Principal
		form   url.Values
		status int
		has    []string
		hasNot string
	}{
		"one": {
			s.admin(),
			url.Values{"Action": {"DescribeDBClusters"}, "DBClusterIdentifier": {"MyDB"}},
			200,
			[]string{
				"<DbClusterResourceId>" + cloud.ResourceID("mydb") + "</DbClusterResourceId>", "<Endpoint>mydb.cluster-xyz.us-east-1.rds.amazonaws.com</Endpoint>", "<Port>40005</Port>",
				"<IAMDatabaseAuthenticationEnabled>true</IAMDatabaseAuthenticationEnabled>", "<DBClusterArn>arn:aws:rds:us-east-1:123456789012:cluster:mydb</DBClusterArn>",
				"<DBClusterMembers><DBClusterMember><DBInstanceIdentifier>mydb-instance-1</DBInstanceIdentifier>",
			},
			"other.",
		},
		"all":             {s.admin(), url.Values{"Action": {"DescribeDBClusters"}}, 200, []string{">mydb<", ">other<"}, "nothing"},
		"by a filter":     {s.admin(), url.Values{"Action": {"DescribeDBClusters"}, "Filters.Filter.1.Name": {"db-cluster-id"}, "Filters.Filter.1.Values.Value.1": {"other"}}, 200, []string{">other<"}, ">mydb</DBClusterIdentifier>"},
		"no filter":       {s.admin(), url.Values{"Action": {"DescribeDBClusters"}, "Filters.Filter.1.Name": {"color"}, "Filters.Filter.1.Values.Value.1": {"red"}}, 400, []string{"InvalidParameterValue"}, ">mydb<"},
		"none":            {s.admin(), url.Values{"Action": {"DescribeDBClusters"}, "DBClusterIdentifier": {"gone"}}, 404, []string{"<Code>DBClusterNotFoundFault</Code>"}, ">mydb<"},
		"an instance":     {s.admin(), url.Values{"Action": {"DescribeDBInstances"}, "DBInstanceIdentifier": {"mydb-instance-1"}}, 200, []string{"<DbiResourceId>db-", "<Address>mydb-instance-1.xyz.us-east-1.rds.amazonaws.com</Address>", "<DBClusterIdentifier>mydb</DBClusterIdentifier>"}, "other"},
		"a cluster's":     {s.admin(), url.Values{"Action": {"DescribeDBInstances"}, "Filters.Filter.1.Name": {"db-cluster-id"}, "Filters.Filter.1.Values.Value.1": {"mydb"}}, 200, []string{"mydb-instance-1"}, "other"},
		"no instance":     {s.admin(), url.Values{"Action": {"DescribeDBInstances"}, "DBInstanceIdentifier": {"mydb"}}, 404, []string{"<Code>DBInstanceNotFound</Code>"}, ">mydb<"},
		"what one may":    {newcomer, url.Values{"Action": {"DescribeDBClusters"}, "DBClusterIdentifier": {"mydb"}}, 200, []string{cloud.ResourceID("mydb")}, "other"},
		"what one mayn't": {newcomer, url.Values{"Action": {"DescribeDBClusters"}}, 403, []string{"on resource: arn:aws:rds:us-east-1:123456789012:cluster:* because no identity-based policy allows the rds:DescribeDBClusters action"}, ">mydb<"},
		"and instances":   {newcomer, url.Values{"Action": {"DescribeDBInstances"}, "DBInstanceIdentifier": {"mydb-instance-1"}}, 403, []string{"arn:aws:rds:us-east-1:123456789012:db:mydb-instance-1"}, "DbiResourceId"},
	} {
		t.Run(name, func(t *testing.T) {
			c.form.Set("Version", "2014-10-31")
			status, body := call(t, s.Account, c.who, "rds", c.form)
			if status != c.status || strings.Contains(body, c.hasNot) {
				t.Errorf("got %d %s", status, body)
			}
			for _, want := range c.has {
				if !strings.Contains(body, want) {
					t.Errorf("no %s in %s", want, body)
				}
			}
		})
	}
}
