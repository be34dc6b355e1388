package cloud

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
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
	asked, err := readClusterCredentials(c)
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

func readClusterCredentials(c call) (asked askedCredentials, err error) {
	if c.form.Has("CustomDomainName") { // redshift_connector sends an empty one too, and goes on after a 404
		return asked, noCustomDomain()
	}
	asked = askedCredentials{cluster: c.form.Get("ClusterIdentifier"), user: c.form.Get("DbUser"), database: c.form.Get("DbName"), groups: c.list("DbGroups", "DbGroup")}
	if asked.cluster == "" {
		return asked, invalidParameter("Either ClusterIdentifier or CustomDomainName must be provided.")
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
	case c.form.Has("DbName") && (!fits(dbName, asked.database) || reserved(asked.database)):
		return invalidParameter(fmt.Sprintf("Invalid DbName %q: want 1 to 64 letters, digits and _+.@-, a letter first, and not a reserved word.", short(asked.database)))
	}
	for _, group := range asked.groups {
		if !fits(dbGroup, group) || reserved(group) {
			return invalidParameter(fmt.Sprintf("Invalid DbGroup %q: want 1 to 64 lower-case letters, digits and _+.@-, a letter first, and not a reserved word.", short(group)))
		}
	}
	return nil
}

// permitCredentials asks for every permission that the call needs, for AWS's resources.
//
// https://docs.aws.amazon.com/redshift/latest/mgmt/redshift-iam-access-control-identity-based.html
func (a *Account) permitCredentials(c call, asked askedCredentials) error {
	user := a.redshiftARN(c.region, "dbuser:"+asked.cluster+"/"+asked.user)
	if err := a.permit(c.who, "redshift:GetClusterCredentials", user); err != nil {
		return err
	}
	if asked.database != "" {
		if err := a.permit(c.who, "redshift:GetClusterCredentials", a.redshiftARN(c.region, "dbname:"+asked.cluster+"/"+asked.database)); err != nil {
			return err
		}
	}
	if asked.create {
		if err := a.permit(c.who, "redshift:CreateClusterUser", user); err != nil {
			return err
		}
	}
	for _, group := range asked.groups {
		if err := a.permit(c.who, "redshift:JoinGroup", a.redshiftARN(c.region, "dbgroup:"+asked.cluster+"/"+group)); err != nil {
			return err
		}
	}
	return nil
}

func (a *Account) redshiftARN(region, resource string) string {
	return fmt.Sprintf("arn:%s:redshift:%s:%s:%s", partition(region), region, a.o.AccountID, resource)
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
	resource := "cluster:*"
	if id != "" {
		resource = "cluster:" + id
	}
	if err := a.permit(c.who, "redshift:DescribeClusters", a.redshiftARN(c.region, resource)); err != nil {
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

// describeCustomDomainAssociations knows no domain: a driver that is told so goes on with the cluster's id, where it
// would try again after another error.
func (a *Account) describeCustomDomainAssociations(c call) (any, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.permit(c.who, "redshift:DescribeCustomDomainAssociations", "*"); err != nil {
		return nil, err
	}
	if c.form.Has("CustomDomainName") {
		return nil, noCustomDomain()
	}
	return struct {
		Associations string `xml:"Associations"`
	}{}, nil
}

func noCustomDomain() error {
	return &fault{status: 404, code: "CustomDomainAssociationNotFoundFault", message: "An error occurred. The custom domain association couldn't be found."}
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
