// Package session turns an Airflow connection of type aws, and what a database connection's extra adds to it, into what the
// AWS SDK needs: credentials, region and endpoints, and says where they come from.
//
//	resolver := &session.Resolver{Registry: registry}
//	s, err := resolver.Open(ctx, session.Who{ConnID: "my_aws"}) // Who{}: the SDK's default chain
//	if err != nil {
//		return err
//	}
//	client := sts.NewFromConfig(s.Config, func(o *sts.Options) { o.BaseEndpoint = s.Endpoint("sts", o.BaseEndpoint) })
//
// Keys, a profile of the AWS files, a web identity or the default chain (environment, files, container, instance) sign; roles
// are assumed on top of them. The only services that it calls are those that give credentials, and it writes none to disk: the
// SDK reads the login of IAM Identity Center that the AWS CLI keeps, and renews that file where it has an sso_session. An
// identity that it can't give (SAML, Google's metadata service) is refused by name: never another identity than the one that
// was asked for.
package session
