// Package cloud is the AWS account of a dev stack: its users and roles, and the services that a login asks, at one
// address that checks every signature.
//
//	account, err := cloud.New(cloud.Options{Clusters: clusters, Workgroups: workgroups})
//	if err != nil {
//		return err
//	}
//	server := &http.Server{Handler: account}
//	// AWS_ENDPOINT_URL, and the keys of account.Principals()[0]
//
// The gateways of the stack ask it whether a token or a temporary password is good. Faults that AWS has on a bad day
// can be had on request. It keeps everything in memory, and knows no policies yet: who is of the account may do all
// that Deny does not take away.
package cloud
