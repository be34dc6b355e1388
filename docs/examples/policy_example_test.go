//go:build unix

package examples_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/airhook-go/airhook/defaults"
)

func Example_policy() {
	setup, err := defaults.Open(ctx, defaults.Options{}) // the client, and beside it the AWS logins that it uses
	if err != nil {
		log.Fatal(err)
	}
	defer setup.Close()

	target, err := setup.Client.Target(ctx, "redshift_iam")
	if err != nil {
		log.Fatal(err)
	}
	needs, err := setup.Logins.Needs(ctx, target) // Permissions, Trust, SQL, and Notes on what could not be looked up
	if err != nil {
		log.Fatal(err)
	}
	var pretty bytes.Buffer
	if err := json.Indent(&pretty, needs.Permissions, "", "  "); err != nil {
		log.Fatal(err)
	}
	fmt.Println(pretty.String())
	// Output:
	// {
	//   "Version": "2012-10-17",
	//   "Statement": [
	//     {
	//       "Effect": "Allow",
	//       "Action": "redshift:GetClusterCredentials",
	//       "Resource": [
	//         "arn:aws:redshift:us-east-1:123456789012:dbuser:my-redshift-cluster/app",
	//         "arn:aws:redshift:us-east-1:123456789012:dbname:my-redshift-cluster/dev"
	//       ]
	//     }
	//   ]
	// }
}

func Example_trust() {
	setup, err := defaults.Open(ctx, defaults.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer setup.Close()

	target, err := setup.Client.Target(ctx, "redshift_by_role") // its extra names the role AirhookDev
	if err != nil {
		log.Fatal(err)
	}
	needs, err := setup.Logins.Needs(ctx, target)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(string(needs.Trust))
	fmt.Println(strings.Join(needs.SQL, ";\n") + ";")
	// Output:
	// {"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:user/admin"},"Action":"sts:AssumeRole"}]}
	// CREATE USER "IAMR:AirhookDev" PASSWORD DISABLE;
	// GRANT USAGE ON SCHEMA public TO "IAMR:AirhookDev";
	// GRANT SELECT ON ALL TABLES IN SCHEMA public TO "IAMR:AirhookDev";
}
