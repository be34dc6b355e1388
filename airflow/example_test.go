package airflow_test

import (
	"context"
	"fmt"
	"os"

	"github.com/airhook-go/airhook/airflow"
)

func Example() {
	ctx := context.Background()
	conn, err := airflow.ParseURI("warehouse", "redshift://app:s3cr3t@my-cluster.xyz.us-east-1.redshift.amazonaws.com/dev?iam=true")
	if err != nil {
		fmt.Println(err)
		return
	}
	home, _ := os.MkdirTemp("", "airhook-example-")
	defer func() { _ = os.RemoveAll(home) }()
	store, err := airflow.OpenStore(airflow.StoreConfig{Dir: home})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = store.Close() }()
	if err := store.Put(ctx, conn); err != nil {
		fmt.Println(err)
		return
	}
	for conn, err := range store.List(ctx) {
		fmt.Println(conn.ID, conn.Type, conn.Host, conn.Schema, conn.Password, conn.Extra, err)
	}
	// Output: warehouse redshift my-cluster.xyz.us-east-1.redshift.amazonaws.com dev *** {"iam": true} <nil>
}
