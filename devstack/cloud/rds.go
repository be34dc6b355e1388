package cloud

import (
	"cmp"
	"crypto/sha256"
	"encoding/base32"
	"slices"
	"strings"
)

// ResourceID is what RDS calls the cluster of that id where policies name it: in the ARN of rds-db:connect. It never
// changes, as the id may.
//
// https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/UsingWithRDS.IAMDBAuth.IAMPolicy.html
func ResourceID(id string) string { return "cluster-" + unchanging("cluster", id) }

func unchanging(kind, id string) string {
	sum := sha256.Sum256([]byte("rds/" + kind + "/" + id))
	return base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(sum[:16])
}

// writer is the id of a cluster's one instance.
func (d Database) writer() string { return d.ID + "-instance-1" }

// dbClusterList is the answer of rds:DescribeDBClusters.
type dbClusterList struct {
	DBClusters []dbCluster `xml:"DBClusters>DBCluster"`
}

type dbCluster struct {
	DBClusterIdentifier              string
	DBClusterArn                     string
	DbClusterResourceID              string `xml:"DbClusterResourceId"`
	Status, Engine, EngineVersion    string
	Endpoint                         string
	Port                             int
	DatabaseName                     string
	MasterUsername                   string
	IAMDatabaseAuthenticationEnabled bool
	DBClusterMembers                 []dbMember `xml:"DBClusterMembers>DBClusterMember"`
}

type dbMember struct {
	DBInstanceIdentifier string
	IsClusterWriter      bool
}

// dbInstanceList is the answer of rds:DescribeDBInstances.
type dbInstanceList struct {
	DBInstances []dbInstance `xml:"DBInstances>DBInstance"`
}

type dbInstance struct {
	DBInstanceIdentifier             string
	DBInstanceArn                    string
	DbiResourceID                    string `xml:"DbiResourceId"`
	DBInstanceClass                  string
	DBInstanceStatus                 string
	Engine, EngineVersion            string
	DBClusterIdentifier              string
	DBName, MasterUsername           string
	IAMDatabaseAuthenticationEnabled bool
	Endpoint                         struct {
		Address string
		Port    int
	}
}

const auroraEngine, auroraVersion = "aurora-postgresql", "16.6"

// describeDBClusters shows one cluster, those that filters name, or all.
//
// https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DescribeDBClusters.html
func (a *Account) describeDBClusters(c call) (any, error) {
	id := c.form.Get("DBClusterIdentifier")
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.permit(c, "rds:DescribeDBClusters", a.arn("rds", c.region, "cluster:"+cmp.Or(id, "*")), nil); err != nil {
		return nil, err
	}
	wanted, err := c.filters(map[string]func(Database) string{
		"db-cluster-id": func(d Database) string { return d.ID }, "db-cluster-resource-id": func(d Database) string { return ResourceID(d.ID) },
	})
	if err != nil {
		return nil, err
	}
	list := dbClusterList{}
	for _, d := range a.databases(c) {
		if (id == "" || strings.EqualFold(id, d.ID) || id == a.arn("rds", c.region, "cluster:"+d.ID)) && wanted(d) {
			list.DBClusters = append(list.DBClusters, a.dbCluster(d))
		}
	}
	if id != "" && len(list.DBClusters) == 0 {
		return nil, &fault{status: 404, code: "DBClusterNotFoundFault", message: "DBCluster " + short(id) + " not found."}
	}
	return list, nil
}

func (a *Account) dbCluster(d Database) dbCluster {
	return dbCluster{
		DBClusterIdentifier: d.ID, DBClusterArn: a.arn("rds", a.o.Region, "cluster:"+d.ID), DbClusterResourceID: ResourceID(d.ID), Status: "available",
		Engine: auroraEngine, EngineVersion: auroraVersion, Endpoint: d.Endpoint, Port: d.Port, DatabaseName: d.Database, MasterUsername: d.MasterUser,
		IAMDatabaseAuthenticationEnabled: true, DBClusterMembers: []dbMember{{d.writer(), true}},
	}
}

// describeDBInstances shows one instance, those that filters name, or all.
//
// https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DescribeDBInstances.html
func (a *Account) describeDBInstances(c call) (any, error) {
	id := c.form.Get("DBInstanceIdentifier")
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.permit(c, "rds:DescribeDBInstances", a.arn("rds", c.region, "db:"+cmp.Or(id, "*")), nil); err != nil {
		return nil, err
	}
	wanted, err := c.filters(map[string]func(Database) string{
		"db-instance-id": Database.writer, "db-cluster-id": func(d Database) string { return d.ID }, "dbi-resource-id": func(d Database) string { return "db-" + unchanging("db", d.writer()) },
	})
	if err != nil {
		return nil, err
	}
	list := dbInstanceList{}
	for _, d := range a.databases(c) {
		if (id == "" || strings.EqualFold(id, d.writer()) || id == a.arn("rds", c.region, "db:"+d.writer())) && wanted(d) {
			list.DBInstances = append(list.DBInstances, a.dbInstance(d))
		}
	}
	if id != "" && len(list.DBInstances) == 0 {
		return nil, &fault{status: 404, code: "DBInstanceNotFound", message: "DBInstance " + short(id) + " not found."}
	}
	return list, nil
}

func (a *Account) dbInstance(d Database) dbInstance {
	in := dbInstance{
		DBInstanceIdentifier: d.writer(), DBInstanceArn: a.arn("rds", a.o.Region, "db:"+d.writer()), DbiResourceID: "db-" + unchanging("db", d.writer()), DBInstanceClass: "db.serverless",
		DBInstanceStatus: "available", Engine: auroraEngine, EngineVersion: auroraVersion, DBClusterIdentifier: d.ID, DBName: d.Database, MasterUsername: d.MasterUser,
		IAMDatabaseAuthenticationEnabled: true,
	}
	// The instance's own name, which is that of the cluster without "cluster-".
	in.Endpoint.Address, in.Endpoint.Port = d.writer()+strings.Replace(strings.TrimPrefix(d.Endpoint, d.ID), ".cluster-", ".", 1), d.Port
	return in
}

func (a *Account) databases(c call) []Database {
	if c.region != a.o.Region {
		return nil
	}
	return a.o.Databases
}

// filters reads Filters.Filter.N: all must fit, each by one of its values.
func (c call) filters(known map[string]func(Database) string) (func(Database) bool, error) {
	all := []func(Database) bool{}
	for i := 1; c.form.Has("Filters.Filter." + itoa(i) + ".Name"); i++ {
		prefix := "Filters.Filter." + itoa(i) + "."
		of, values := known[c.form.Get(prefix+"Name")], c.list(prefix+"Values", "Value")
		if of == nil || len(values) == 0 {
			return nil, invalidParameter("Unrecognized filter name or no values: " + short(c.form.Get(prefix+"Name")))
		}
		all = append(all, func(d Database) bool { return slices.Contains(values, of(d)) })
	}
	return func(d Database) bool {
		return !slices.ContainsFunc(all, func(fits func(Database) bool) bool { return !fits(d) })
	}, nil
}
