package cloud

import "strings"

// clusterList is the answer of redshift:DescribeClusters.
type clusterList struct {
	Clusters []clusterShape `xml:"Clusters>Cluster"`
}

// clusterShape is what DescribeClusters says of a cluster, as far as a client of a small one reads.
type clusterShape struct {
	ClusterIdentifier         string
	NodeType                  string
	ClusterStatus             string
	ClusterAvailabilityStatus string
	MasterUsername            string
	DBName                    string
	Endpoint                  struct {
		Address string
		Port    int
	}
	AvailabilityZone    string
	ClusterVersion      string
	AllowVersionUpgrade bool
	NumberOfNodes       int
	PubliclyAccessible  bool
	Encrypted           bool
	EnhancedVpcRouting  bool
	IamRoles            []clusterRole `xml:"IamRoles>ClusterIamRole"`
	ClusterNamespaceArn string
	CustomDomainName    string `xml:",omitempty"`
}

type clusterRole struct {
	IamRoleArn  string
	ApplyStatus string
}

// shape shows a cluster of one node. The caller holds the lock.
func (a *Account) shape(c Cluster) clusterShape {
	s := clusterShape{
		ClusterIdentifier: c.ID, NodeType: "ra3.large", ClusterStatus: a.status(c.ID), ClusterAvailabilityStatus: "Available",
		MasterUsername: c.MasterUser, DBName: c.Database, AvailabilityZone: a.o.Region + "a", ClusterVersion: "1.0", AllowVersionUpgrade: true,
		NumberOfNodes: 1, PubliclyAccessible: true, Encrypted: true,
		ClusterNamespaceArn: a.arn("redshift", a.o.Region, "namespace:"+uuidOf("namespace", c.ID)),
	}
	if s.ClusterStatus != "available" {
		s.ClusterAvailabilityStatus = strings.ToUpper(s.ClusterStatus[:1]) + s.ClusterStatus[1:]
	}
	s.CustomDomainName = c.CustomDomain
	s.Endpoint.Address, s.Endpoint.Port = c.Endpoint, c.Port
	for _, role := range a.roles {
		if strings.HasPrefix(role.Name, "Redshift") {
			s.IamRoles = append(s.IamRoles, clusterRole{role.ARN, "in-sync"})
		}
	}
	return s
}

// workgroupShape is what GetWorkgroup says of a workgroup.
type workgroupShape struct {
	WorkgroupName      string            `json:"workgroupName"`
	WorkgroupID        string            `json:"workgroupId"`
	WorkgroupARN       string            `json:"workgroupArn"`
	NamespaceName      string            `json:"namespaceName"`
	Status             string            `json:"status"`
	BaseCapacity       int               `json:"baseCapacity"`
	Port               int               `json:"port"`
	Endpoint           workgroupEndpoint `json:"endpoint"`
	PubliclyAccessible bool              `json:"publiclyAccessible"`
	EnhancedVPCRouting bool              `json:"enhancedVpcRouting"`
	CreationDate       string            `json:"creationDate"`
	CustomDomainName   string            `json:"customDomainName,omitempty"`
}

func (a *Account) workgroupShape(w Workgroup) workgroupShape {
	return workgroupShape{
		WorkgroupName: w.Name, WorkgroupID: uuidOf("workgroup", w.Name), WorkgroupARN: a.workgroupARN(a.o.Region, w.Name), NamespaceName: w.Name,
		Status: "AVAILABLE", BaseCapacity: 8, Port: w.Port, Endpoint: workgroupEndpoint{w.Endpoint, w.Port}, PubliclyAccessible: true,
		CreationDate: isoTime(a.made), CustomDomainName: w.CustomDomain,
	}
}

type workgroupEndpoint struct {
	Address string `json:"address"`
	Port    int    `json:"port"`
}
