package hook_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/airhook-go/airhook/defaults"
	"github.com/airhook-go/airhook/hook"
)

func Example() {
	ctx := context.Background()
	client, err := defaults.Client(ctx) // the binary's own registries and AWS logins
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	h := hook.New(client, "rds_postgres_iam")

	rows, err := h.GetRecords(ctx, "SELECT current_user, current_database()") // [][]any
	fmt.Println(rows, err)
	row, err := h.GetFirst(ctx, "SELECT 1")
	fmt.Println(row, err)

	err = h.Run(ctx, "SET query_group TO 'etl_jobs'", "DELETE FROM staging") // statements as they stand, one session
	fmt.Println(err)
	day := time.Date(2024, time.January, 1, 0, 0, 0, 0, time.UTC)
	err = h.Exec(ctx, "DELETE FROM t WHERE d < $1", day) // one statement with parameters
	fmt.Println(err)

	user, token, port, err := h.GetIAMToken(ctx) // token is an airhook.Secret
	fmt.Println(user, token, port, err)
}
