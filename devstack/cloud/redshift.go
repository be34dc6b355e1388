package cloud

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/airhook-go/airhook/devstack/policy"
)

// clusterCredentials is the answer of redshift:GetClusterCredentials.
type clusterCredentials struct {
	DBUser     string `xml:"DbUser"`
	DBPassword string `xml:"DbPassword"`
	Expiration string `xml:"Expiration"`
}

// getClusterCredentials gives a temporary password for a database user of a cluster. It does not ask whether the user
// exists, as AWS does not: the login fails then.
//
// https://docs.aws.amazon.com/redshift/latest/APIReference/API_GetClusterCredentials.html
func (a *Account) getClusterCredentials(c call) (any, error) {
	asked, err := a.readClusterCredentials(c)
	if err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.permitCredentials(c, asked); err != nil {
		return nil, err
	}
	if _, err := a.cluster(c, asked.cluster); err != nil {
		return nil, err
	}
	user := "IAM:" + asked.user
	if asked.create {
		user = "IAMA:" + asked.user
	}
	if len(asked.groups) > 0 {
		user += ":" + strings.Join(asked.groups, ",")
	}
	plain, expires := a.issue(login{"redshift", asked.cluster, user}, password{role: asked.user, create: asked.create, database: asked.database}, asked.lifetime)
	return clusterCredentials{user, plain, isoTime(expires)}, nil
}

type askedCredentials struct {
	cluster, user, database string
	groups                  []string
	create                  bool
	lifetime                time.Duration
}

func (a *Account) readClusterCredentials(c call) (asked askedCredentials, err error) {
	asked = askedCredentials{user: c.form.Get("DbUser"), database: c.form.Get("DbName"), groups: c.list("DbGroups", "DbGroup")}
	if asked.cluster, err = a.namedCluster(c); err != nil {
		return asked, err
	}
	if asked.lifetime, err = lifetime(c.form.Get("DurationSeconds")); err != nil {
		return asked, err
	}
	if text := c.form.Get("AutoCreate"); text != "" {
		if asked.create, err = strconv.ParseBool(text); err != nil {
			return asked, invalidParameter("AutoCreate must be true or false.")
		}
	}
	return asked, asked.checkNames(c)
}

// A name of the API's documentation: a letter first, then letters, digits and a few signs. Groups are in lower case.
var (
	dbName  = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_+.@-]*$`)
	dbGroup = regexp.MustCompile(`^[a-z][a-z0-9_+.@-]*$`)
)

// fits reports whether a name of at most 64 characters has a pattern. A counted repetition in the pattern would say the
// same, but compiling that costs every start of the binary.
func fits(pattern *regexp.Regexp, name string) bool {
	return len(name) <= 64 && pattern.MatchString(name)
}

func (asked askedCredentials) checkNames(c call) error {
	switch {
	case !fits(dbName, asked.user) || reserved(asked.user):
		return invalidParameter(fmt.Sprintf("Invalid DbUser %q: want 1 to 64 letters, digits and _+.@-, a letter first, not PUBLIC and not a reserved word.", short(asked.user)))
	case c.form.Has("DbName"):
		if err := checkDatabase(asked.database); err != nil {
			return err
		}
	}
	for _, group := range asked.groups {
		if !fits(dbGroup, group) || reserved(group) {
			return invalidParameter(fmt.Sprintf("Invalid DbGroup %q: want 1 to 64 lower-case letters, digits and _+.@-, a letter first, and not a reserved word.", short(group)))
		}
	}
	return nil
}

func checkDatabase(name string) error {
	if fits(dbName, name) && !reserved(name) {
		return nil
	}
	return invalidParameter(fmt.Sprintf("Invalid DbName %q: want 1 to 64 letters, digits and _+.@-, a letter first, and not a reserved word.", short(name)))
}

// permitCredentials asks for every permission that the call needs, for AWS's resources.
//
// https://docs.aws.amazon.com/redshift/latest/mgmt/redshift-iam-access-control-identity-based.html
func (a *Account) permitCredentials(c call, asked askedCredentials) error {
	user := a.arn("redshift", c.region, "dbuser:"+asked.cluster+"/"+asked.user)
	keys := policy.Keys{"redshift:dbuser": {asked.user}, "redshift:durationseconds": {strconv.Itoa(int(asked.lifetime.Seconds()))}}
	if asked.database != "" {
		keys["redshift:dbname"] = []string{asked.database}
	}
	needs := [][2]string{{"redshift:GetClusterCredentials", user}}
	if asked.database != "" {
		needs = append(needs, [2]string{"redshift:GetClusterCredentials", a.arn("redshift", c.region, "dbname:"+asked.cluster+"/"+asked.database)})
	}
	if asked.create {
		needs = append(needs, [2]string{"redshift:CreateClusterUser", user})
	}
	for _, group := range asked.groups {
		needs = append(needs, [2]string{"redshift:JoinGroup", a.arn("redshift", c.region, "dbgroup:"+asked.cluster+"/"+group)})
	}
	for _, need := range needs {
		if err := a.permit(c, need[0], need[1], keys); err != nil {
			return err
		}
	}
	return nil
}

// identityCredentials is the answer of redshift:GetClusterCredentialsWithIAM.
type identityCredentials struct {
	clusterCredentials
	NextRefreshTime string
}

// getClusterCredentialsWithIAM gives a temporary password for the database user that the caller is, IAM:name or
// IAMR:role, which the cluster makes when it is not there.
//
// https://docs.aws.amazon.com/redshift/latest/APIReference/API_GetClusterCredentialsWithIAM.html
func (a *Account) getClusterCredentialsWithIAM(c call) (any, error) {
	cluster, err := a.namedCluster(c)
	if err != nil {
		return nil, err
	}
	life, err := lifetime(c.form.Get("DurationSeconds"))
	if err != nil {
		return nil, err
	}
	database := c.form.Get("DbName")
	if c.form.Has("DbName") {
		if err := checkDatabase(database); err != nil {
			return nil, err
		}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	keys := policy.Keys{"redshift:durationseconds": {strconv.Itoa(int(life.Seconds()))}}
	if database != "" {
		keys["redshift:dbname"] = []string{database}
	}
	if err := a.permit(c, "redshift:GetClusterCredentialsWithIAM", a.arn("redshift", c.region, "dbname:"+cluster+"/"+cmp.Or(database, "*")), keys); err != nil {
		return nil, err
	}
	if _, err := a.cluster(c, cluster); err != nil {
		return nil, err
	}
	user := c.who.entity.dbUser()
	plain, expires := a.issue(login{"redshift", cluster, user}, password{role: user, create: true, database: database}, life)
	return identityCredentials{clusterCredentials{user, plain, isoTime(expires)}, isoTime(expires)}, nil
}

// cluster finds a cluster in the region that was asked. Its id has a case.
func (a *Account) cluster(c call, id string) (Cluster, error) {
	i := slices.IndexFunc(a.o.Clusters, func(x Cluster) bool { return x.ID == id })
	if i < 0 || c.region != a.o.Region {
		return Cluster{}, &fault{status: 404, code: "ClusterNotFound", message: "Cluster " + short(id) + " not found.", why: "no cluster " + short(id) + " in " + c.region}
	}
	return a.o.Clusters[i], nil
}

// describeClusters shows one cluster, or all.
//
// https://docs.aws.amazon.com/redshift/latest/APIReference/API_DescribeClusters.html
func (a *Account) describeClusters(c call) (any, error) {
	id := c.form.Get("ClusterIdentifier")
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.permit(c, "redshift:DescribeClusters", a.arn("redshift", c.region, "cluster:"+cmp.Or(id, "*")), nil); err != nil {
		return nil, err
	}
	if id != "" {
		found, err := a.cluster(c, id)
		return clusterList{[]clusterShape{a.shape(found)}}, err
	}
	var list clusterList
	if c.region == a.o.Region {
		for _, cluster := range a.o.Clusters {
			list.Clusters = append(list.Clusters, a.shape(cluster))
		}
	}
	return list, nil
}

func invalidParameter(message string) error {
	return &fault{status: 400, code: "InvalidParameterValue", message: message}
}

// lifetime reads DurationSeconds: 900 to 3600, and 900 when it is not given.
func lifetime(text string) (time.Duration, error) {
	if text == "" {
		return 900 * time.Second, nil
	}
	seconds, err := strconv.Atoi(text)
	if err != nil || seconds < 900 || seconds > 3600 {
		return 0, invalidParameter("DurationSeconds must be between 900 and 3600.")
	}
	return time.Duration(seconds) * time.Second, nil
}

// isoTime is a time in XML.
func isoTime(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }
