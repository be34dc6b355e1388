package defaults_test

import (
	"context"
	"fmt"
	"log"
	"os"

	"github.com/airhook-go/airhook/defaults"
)

// A program that finds its connections where the airhook binary finds them.
func ExampleClient() {
	if err := os.Setenv("AIRFLOW_CONN_WAREHOUSE", "redshift://app@my-cluster.xyz.us-east-1.redshift.amazonaws.com/dev?iam=true"); err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	client, err := defaults.Client(ctx)
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()

	conn, err := client.Get(ctx, "warehouse")
	if err != nil {
		log.Fatal(err)
	}
	t, err := conn.Target()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(conn.FoundIn, t.Engine, t.Method, t.Cluster, t.Port)
	// Output: environment redshift redshift-iam my-cluster 5439
}
