package cloud

import (
	"slices"
	"strings"
	"time"
)

// namedCluster is the id of the cluster that a call is about, by its id or by its custom domain. redshift_connector sends
// an empty domain too, and goes on with the id after a 404; it would try again after another error.
func (a *Account) namedCluster(c call) (string, error) {
	id := c.form.Get("ClusterIdentifier")
	if !c.form.Has("CustomDomainName") {
		if id == "" {
			return "", invalidParameter("Either ClusterIdentifier or CustomDomainName must be provided.")
		}
		return id, nil
	}
	found, ok := a.clusterOfDomain(c, c.form.Get("CustomDomainName"))
	switch {
	case !ok:
		return "", noCustomDomain()
	case id != "" && id != found.ID:
		return "", &fault{status: 400, code: "InvalidParameterCombination", message: "The custom domain is not that of cluster " + short(id) + "."}
	}
	return found.ID, nil
}

func (a *Account) clusterOfDomain(c call, domain string) (Cluster, bool) {
	i := slices.IndexFunc(a.o.Clusters, func(x Cluster) bool { return sameDomain(x.CustomDomain, domain) })
	if i < 0 || c.region != a.o.Region {
		return Cluster{}, false
	}
	return a.o.Clusters[i], true
}

func sameDomain(own, asked string) bool { return own != "" && strings.EqualFold(own, asked) }

func noCustomDomain() error {
	return &fault{status: 404, code: "CustomDomainAssociationNotFoundFault", message: "An error occurred. The custom domain association couldn't be found."}
}

// domainList is the answer of redshift:DescribeCustomDomainAssociations: clusters by the certificate of their domains.
type domainList struct {
	Associations []domainShape `xml:"Associations>Association"`
}

type domainShape struct {
	CustomDomainCertificateArn        string
	CustomDomainCertificateExpiryDate string
	CertificateAssociations           []certificateShape `xml:"CertificateAssociations>CertificateAssociation"`
}

type certificateShape struct {
	CustomDomainName  string
	ClusterIdentifier string
}

// describeCustomDomainAssociations says whose a domain is, or lists all.
//
// https://docs.aws.amazon.com/redshift/latest/APIReference/API_DescribeCustomDomainAssociations.html
func (a *Account) describeCustomDomainAssociations(c call) (any, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.permit(c, "redshift:DescribeCustomDomainAssociations", "*", nil); err != nil {
		return nil, err
	}
	var clusters []Cluster
	if c.form.Has("CustomDomainName") {
		found, ok := a.clusterOfDomain(c, c.form.Get("CustomDomainName"))
		if !ok {
			return nil, noCustomDomain()
		}
		clusters = []Cluster{found}
	} else if c.region == a.o.Region {
		clusters = a.o.Clusters
	}
	var list domainList
	for _, cluster := range clusters {
		if cluster.CustomDomain != "" {
			list.Associations = append(list.Associations, domainShape{a.certificateARN(cluster.CustomDomain), isoTime(a.certificateEnd()), []certificateShape{{cluster.CustomDomain, cluster.ID}}})
		}
	}
	return list, nil
}

func (a *Account) certificateARN(domain string) string {
	return a.arn("acm", a.o.Region, "certificate/"+uuidOf("certificate", domain))
}

func (a *Account) certificateEnd() time.Time { return a.made.AddDate(1, 0, 0) }

// workgroupOfDomain is the name of the workgroup that a domain is associated with. name is what the call names besides.
func (a *Account) workgroupOfDomain(c call, domain string, name *string) (*string, error) {
	i := slices.IndexFunc(a.o.Workgroups, func(x Workgroup) bool { return sameDomain(x.CustomDomain, domain) })
	if i < 0 || c.region != a.o.Region || name != nil && *name != a.o.Workgroups[i].Name {
		return nil, notFound("Custom domain association", domain)
	}
	return &a.o.Workgroups[i].Name, nil
}

// workgroupDomain is what Serverless says of a custom domain.
type workgroupDomain struct {
	CustomDomainName                  string `json:"customDomainName"`
	WorkgroupName                     string `json:"workgroupName"`
	CustomDomainCertificateARN        string `json:"customDomainCertificateArn"`
	CustomDomainCertificateExpiryTime string `json:"customDomainCertificateExpiryTime"`
}

func (a *Account) workgroupDomain(w Workgroup) workgroupDomain {
	return workgroupDomain{w.CustomDomain, w.Name, a.certificateARN(w.CustomDomain), isoTime(a.certificateEnd())}
}

// getCustomDomainAssociation shows the custom domain of a workgroup.
//
// https://docs.aws.amazon.com/redshift-serverless/latest/APIReference/API_GetCustomDomainAssociation.html
func (a *Account) getCustomDomainAssociation(c call) (any, error) {
	var asked struct {
		CustomDomainName string  `json:"customDomainName"`
		WorkgroupName    *string `json:"workgroupName"`
	}
	if err := c.decode(&asked); err != nil {
		return nil, err
	}
	if err := checkWorkgroupName(asked.WorkgroupName); err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	found, err := a.workgroup(c, "GetCustomDomainAssociation", *asked.WorkgroupName)
	if err != nil {
		return nil, err
	}
	if !sameDomain(found.CustomDomain, asked.CustomDomainName) {
		return nil, notFound("Custom domain association", asked.CustomDomainName)
	}
	return a.workgroupDomain(found), nil
}

// listCustomDomainAssociations lists the custom domains of workgroups, or one.
//
// https://docs.aws.amazon.com/redshift-serverless/latest/APIReference/API_ListCustomDomainAssociations.html
func (a *Account) listCustomDomainAssociations(c call) (any, error) {
	var asked struct {
		CustomDomainName *string `json:"customDomainName"`
	}
	if err := c.decode(&asked); err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.permit(c, "redshift-serverless:ListCustomDomainAssociations", "*", nil); err != nil {
		return nil, err
	}
	list := []workgroupDomain{}
	for _, w := range a.o.Workgroups {
		if c.region == a.o.Region && w.CustomDomain != "" && (asked.CustomDomainName == nil || sameDomain(w.CustomDomain, *asked.CustomDomainName)) {
			list = append(list, a.workgroupDomain(w))
		}
	}
	return map[string][]workgroupDomain{"associations": list}, nil
}
