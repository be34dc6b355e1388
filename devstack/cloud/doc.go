// Package cloud is the AWS account of a dev stack: its users and roles with their policies, and the services that a login
// asks, at one address that checks every signature.
//
//	account, err := cloud.New(cloud.Options{Clusters: clusters, Workgroups: workgroups})
//	if err != nil {
//		return err
//	}
//	server := &http.Server{Handler: account}
//	// AWS_ENDPOINT_URL, and the keys of account.Principals()[0]
//
//	newcomer, err := account.PutUser("newcomer", policy) // may do what its policy says, an IAM document
//
// The gateways of the stack ask it whether a token or a temporary password is good. Machines get their sessions of it as of
// EC2 and ECS, and workloads their tokens as of an EKS cluster's identity provider. Faults that AWS has on a bad day can be
// had on request. It keeps everything in memory. Who may do what is decided by package policy, from the caller's policies,
// a role's trust policy and a session's own; there are no groups, boundaries, organizations or resource policies.
package cloud
