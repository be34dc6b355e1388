// Package session turns an Airflow connection of type aws into what the AWS SDK needs: credentials, region and
// endpoints, and says where they come from.
//
//	resolver := &session.Resolver{Registry: registry}
//	s, err := resolver.Open(ctx, "my_aws") // "": the SDK's default chain
//	if err != nil {
//		return err
//	}
//	client := sts.NewFromConfig(s.Config, func(o *sts.Options) { o.BaseEndpoint = s.Endpoint("sts", o.BaseEndpoint) })
//
// It signs nothing and calls no service; that is for the packages beside it. An identity that it can't give (a role, a
// profile) is refused by name: never another identity than the one that was asked for.
package session
