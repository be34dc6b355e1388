//go:build unix

package examples_test

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"

	"github.com/airhook-go/airhook"
	"github.com/airhook-go/airhook/defaults"
	"github.com/airhook-go/airhook/hook"
)

func Example_rds() {
	client, err := defaults.Client(ctx) // AIRFLOW_CONN_…, then airhook's store; AWS logins
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()

	h := hook.New(client, "rds_postgres_iam")
	records, err := h.GetRecords(ctx, "SELECT current_user, current_database()")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(records)
	// Output: [[app mydb]]
}

func Example_redshift() {
	h := hook.New(client, "redshift_iam") // the same hook for RDS, Redshift and Serverless: the connection says which
	row, err := h.GetFirst(ctx, "SELECT current_user, current_database()")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(row...)
	// Output: app dev
}

func Example_serverless() {
	h := hook.New(client, "redshift_serverless_iam")
	row, err := h.GetFirst(ctx, "SELECT current_user") // Serverless names the user after who asks
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(row...)
	// Output: IAM:admin
}

func Example_endpoints() {
	for host, extra := range map[string]string{
		"mydb.cluster-xyz.us-east-1.rds.amazonaws.com":                          `{"iam": true}`,
		"my-cluster.xyz.us-east-1.redshift.amazonaws.com":                       `{"iam": true, "redshift": true}`,
		"my-workgroup.123456789012.us-east-1.redshift-serverless.amazonaws.com": `{"iam": true, "redshift-serverless": true}`,
	} {
		conn := airhook.Connection{ID: "c", Type: "postgres", Host: host, Login: "app", Schema: "dev"}
		var err error
		if conn.Extra, err = airhook.ParseExtra(extra); err != nil {
			log.Fatal(err)
		}
		t, err := conn.Target() // what a connection means; nobody is asked
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%s in %s %q\n", t.Method, t.EndpointRegion(), t.Cluster+t.Workgroup)
	}
	// Unordered output:
	// rds-iam in us-east-1 ""
	// redshift-iam in us-east-1 "my-cluster"
	// redshift-serverless-iam in us-east-1 "my-workgroup"
}

func Example_token() {
	user, token, port, err := hook.New(client, "rds_postgres_iam").GetIAMToken(ctx)
	if err != nil {
		log.Fatal(err)
	}
	psql := exec.CommandContext(ctx, "psql")
	psql.Env = append(os.Environ(), "PGUSER="+user, "PGPASSWORD="+token.Reveal(), "PGPORT="+strconv.Itoa(port))
	fmt.Println(user, token) // a Secret prints itself as stars; Reveal is the only way to its text
	// Output: app ***
}

func Example_databaseUser() {
	err := client.Put(ctx, airhook.Connection{
		ID: "redshift_default", Type: "redshift",
		Host: "my-cluster.xyz.us-east-1.redshift.amazonaws.com", Port: 5439,
		Schema: "dev", Login: "awsuser", Password: airhook.NewSecret("the password"),
	})
	if err != nil {
		log.Fatal(err)
	}
	onStack("redshift_default", "my-cluster") // hidden
	row, err := hook.New(client, "redshift_default").GetFirst(ctx, "SELECT current_user")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(row...)
	// Output: awsuser
}

func Example_iamCredentials() {
	extra, err := airhook.ParseExtra(`{
		"iam": true,
		"cluster_identifier": "my-cluster",
		"port": 5439,
		"region": "us-east-1",
		"db_user": "app",
		"database": "dev",
		"profile": "analyst"
	}`)
	if err != nil {
		log.Fatal(err)
	}
	err = client.Put(ctx, airhook.Connection{ID: "redshift_iam_credentials", Type: "redshift", Extra: extra})
	if err != nil {
		log.Fatal(err)
	}
	onStack("redshift_iam_credentials", "my-cluster") // hidden
	row, err := hook.New(client, "redshift_iam_credentials").GetFirst(ctx, "SELECT current_user, current_database()")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(row...)
	// Output: app dev
}

func Example_iamRole() {
	extra, err := airhook.ParseExtra(`{
		"role_arn": "arn:aws:iam::123456789012:role/AirhookDev",
		"region_name": "us-east-1"
	}`)
	if err != nil {
		log.Fatal(err)
	}
	err = client.Put(ctx, airhook.Connection{
		ID: "redshift_iam_role", Type: "redshift", Extra: extra,
		Host: "my-cluster.xyz.us-east-1.redshift.amazonaws.com", Port: 5439, Schema: "dev",
	})
	if err != nil {
		log.Fatal(err)
	}
	onStack("redshift_iam_role", "my-cluster") // hidden
	row, err := hook.New(client, "redshift_iam_role").GetFirst(ctx, "SELECT current_user")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(row...) // without a Login, the database user is the role's own
	// Output: IAMR:AirhookDev
}

func Example_extras() {
	t, err := client.Target(ctx, "both_overrides")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(t.Method, t.Region, "from", t.RegionFrom)
	for _, extra := range t.Ignored {
		fmt.Println(extra.Key, "–", extra.Reason)
	}
	// Output:
	// rds-iam us-east-1 from extra region_name
	// cluster-identifier – only a Redshift cluster has one
	// workgroup-name – only Redshift Serverless has one
}
