package endpoint

import (
	"regexp"
	"slices"
	"strings"
)

// Name is what the name of an AWS database endpoint tells. The zero Name is that of any other host.
type Name struct {
	// Service is rds, redshift or redshift-serverless; "" for any other host.
	Service string
	// Region is "" when the name doesn't say, as with a global database's writer.
	Region string
	// ID is the instance, cluster or workgroup; "" when the name doesn't say.
	ID string
	// Account is that of a serverless endpoint.
	Account string
}

// Of returns the ID when the endpoint is that service's, else "".
func (n Name) Of(service string) string {
	if n.Service == service {
		return n.ID
	}
	return ""
}

var (
	awsDomains = []string{".amazonaws.com.cn", ".amazonaws.com", ".amazonaws.eu", ".c2s.ic.gov", ".sc2s.sgov.gov"}
	regionName = regexp.MustCompile(`^[a-z]{2,}(-[a-z]+)+-[0-9]+$`)
	// A VPC endpoint's first label is its own name and a suffix that AWS made, never a cluster's or workgroup's.
	vpcEndpoint = regexp.MustCompile(`-endpoint-[a-z0-9]{8,}$`)
)

// Parse reads an endpoint's name. The shapes are those of the RDS and Redshift documentation and of the AWS
// drivers: the commercial order has the region before the service, the new China order after it.
//
//	mydb.abc.us-east-1.rds.amazonaws.com                    instance (cluster-, cluster-ro-, cluster-custom-, proxy- before abc)
//	name.endpoint.proxy-abc.us-east-1.rds.amazonaws.com     custom endpoint of RDS Proxy
//	name.global-abc.global.rds.amazonaws.com                writer of a global database
//	mydb.abc.rds.cn-north-1.amazonaws.com.cn                China
//	c.abc.us-east-1.redshift.amazonaws.com                  Redshift cluster
//	wg.123456789012.us-east-1.redshift-serverless.amazonaws.com
func Parse(host string) Name {
	name := CanonicalHost(host)
	i := slices.IndexFunc(awsDomains, func(d string) bool { return strings.HasSuffix(name, d) })
	if i < 0 {
		return Name{}
	}
	labels := strings.Split(strings.TrimSuffix(name, awsDomains[i]), ".")
	last := len(labels) - 1
	if last < 3 {
		return Name{}
	}
	service, region := serviceOf(labels[last]), labels[last-1]
	if service == "" {
		service, region = serviceOf(labels[last-1]), labels[last]
	}
	if service == "" || !IsRegion(region) && region != "global" {
		return Name{}
	}
	n := Name{Service: service, Region: region, ID: labels[0]}
	if region == "global" {
		n.Region = ""
	}
	if service == "redshift-serverless" {
		n.Account = labels[1]
	}
	if service != "rds" && vpcEndpoint.MatchString(n.ID) {
		n.ID = ""
	}
	return n
}

func serviceOf(label string) string {
	switch label = strings.TrimSuffix(label, "-fips"); label {
	case "rds", "redshift", "redshift-serverless":
		return label
	}
	return ""
}

// CanonicalHost is a host name as tokens are signed for it: lower case, without the trailing dot.
func CanonicalHost(host string) string { return strings.ToLower(strings.TrimSuffix(host, ".")) }

// IsRegion reports whether a word has the form of a region's name.
func IsRegion(word string) bool { return regionName.MatchString(word) }
