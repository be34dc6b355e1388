//go:build unix

package examples_test

import (
	"errors"
	"fmt"

	"github.com/airhook-go/airhook"
	"github.com/airhook-go/airhook/hook"
)

// mustRun is what a cell's tables need.
func mustRun(h *hook.Hook, statements ...string) {
	if err := h.Run(ctx, statements...); err != nil {
		log.Fatal(err)
	}
}

func Example_query() {
	h := hook.New(client, "redshift_serverless_iam")
	mustRun(h, "CREATE TABLE orders (user_id int, amount numeric(10, 2), date date)", // hidden
		"INSERT INTO orders VALUES (1, 9.50, CURRENT_DATE), (1, 0.50, CURRENT_DATE), (2, 7, CURRENT_DATE - 3), (2, 1, CURRENT_DATE - 300)") // hidden
	rows, err := h.Query(ctx, `
		SELECT
			user_id,
			COUNT(*) as order_count,
			SUM(amount) as total_amount
		FROM orders
		WHERE date >= CURRENT_DATE - INTERVAL '30 days'
		GROUP BY user_id
		ORDER BY user_id
	`)
	if err != nil {
		log.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() { // as they arrive: only the current row is in memory
		var user, orders int64
		var total float64
		if err := rows.Scan(&user, &orders, &total); err != nil {
			log.Fatal(err)
		}
		fmt.Println(user, orders, total)
	}
	if err := rows.Err(); err != nil {
		log.Fatal(err)
	}
	// Output:
	// 1 2 10
	// 2 1 7
}

func Example_copy() {
	redshift := copies("redshift_iam") // hidden
	defer redshift.tell()              // hidden
	client := redshift.client          // hidden
	h := hook.New(client, "redshift_iam")
	err := h.Run(ctx, `
		COPY users FROM 's3://my-bucket/users.csv'
		IAM_ROLE 'arn:aws:iam::123456789012:role/RedshiftRole'
		CSV
	`)
	if err != nil {
		log.Fatal(err)
	}
	// Output:
	// COPY users FROM 's3://my-bucket/users.csv'
	//   IAM_ROLE 'arn:aws:iam::123456789012:role/RedshiftRole'
	//   CSV;
}

func Example_settings() {
	h := hook.New(client, "redshift_iam")
	for _, sql := range []string{
		"SET enable_result_cache_for_session TO off", // for ETL
		"SET query_group TO 'etl_jobs'",              // for workload management
	} {
		if err := h.Run(ctx, sql); err != nil {
			log.Fatal(err)
		}
	}
	group, err := h.GetFirst(ctx, "SHOW query_group") // a SET holds for the later calls of this hook, and for nobody else
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(group...)
	// Output: etl_jobs
}

func Example_settingsAndCopy() {
	redshift := copies("redshift_iam")               // hidden
	defer redshift.tell()                            // hidden
	client := redshift.client                        // hidden
	err := hook.New(client, "redshift_iam").Run(ctx, // one session, one transaction
		"SET enable_result_cache_for_session TO off",
		"SET query_group TO 'etl_jobs'",
		`COPY large_table FROM 's3://bucket/data/'
		IAM_ROLE 'arn:aws:iam::account:role/RedshiftRole'
		FORMAT AS PARQUET`)
	if err != nil {
		log.Fatal(err)
	}
	// Output:
	// SET enable_result_cache_for_session TO off;
	// SET query_group TO 'etl_jobs';
	// COPY large_table FROM 's3://bucket/data/'
	//   IAM_ROLE 'arn:aws:iam::account:role/RedshiftRole'
	//   FORMAT AS PARQUET;
}

func Example_refresh() {
	h := hook.New(client, "rds_iam")
	mustRun(h, "CREATE TABLE batches (id int)") // hidden
	for batch := range 100 {
		// Sessions are pooled; a new one gets a token that is fresh. There is no error to look for, and no batch to skip.
		if err := h.Exec(ctx, "INSERT INTO batches VALUES ($1)", batch); err != nil {
			log.Fatal(err)
		}
	}
	done, err := h.GetFirst(ctx, "SELECT count(*) FROM batches")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(done...)
	// Output: 100
}

func Example_errors() {
	for _, id := range []string{"redshift_iam", "redshift_misspelt", "serverless_misspelt", "no_such_connection"} {
		_, err := hook.New(client, id).GetRecords(ctx, "SELECT 1")
		switch {
		case err == nil:
			fmt.Println("it works")
		case errors.Is(err, airhook.ErrAccessDenied):
			fmt.Println("AWS refuses: (*airhook.Error).Policy is the document that would allow it")
		case errors.Is(err, airhook.ErrClusterNotFound):
			fmt.Println("verify cluster-identifier in the connection's extra")
		case errors.Is(err, airhook.ErrWorkgroupNotFound):
			fmt.Println("verify workgroup-name in the connection's extra")
		case errors.Is(err, airhook.ErrTokenExpired), errors.Is(err, airhook.ErrLogin):
			fmt.Println("the database does not let this identity in")
		default:
			fmt.Println(airhook.KindOf(err)) // the other kinds: unreachable, tls, sql, …
		}
	}
	// Output:
	// it works
	// verify cluster-identifier in the connection's extra
	// verify workgroup-name in the connection's extra
	// not_found
}

func Example_validate() {
	for _, id := range []string{"rds_postgres_iam", "redshift_iam", "redshift_misspelt"} {
		conn, err := client.Get(ctx, id)
		if err != nil {
			log.Fatal(err)
		}
		report := client.Test(ctx, conn) // every stage, timed: what the Test button shows
		if !report.OK {
			fmt.Println("Connection validation failed at", report.Steps[len(report.Steps)-1].Stage)
			continue
		}
		fmt.Println("Connected as:", report.User, "to database:", report.Database)
	}
	// Output:
	// Connected as: app to database: mydb
	// Connected as: app to database: dev
	// Connection validation failed at credential
}

func Example_twoRegions() {
	prod, staging := hook.New(client, "prod_redshift"), hook.New(client, "staging_redshift")
	mustRun(prod, "CREATE TABLE processed_data (id int, total int)", "INSERT INTO processed_data VALUES (1, 10), (2, 20)") // hidden
	mustRun(staging, "CREATE TABLE processed_data_copy (id int, total int)")                                               // hidden
	rows, err := prod.GetRecords(ctx, "SELECT id, total FROM processed_data")
	if err != nil {
		log.Fatal(err)
	}
	err = staging.Session(ctx, func(s *hook.Session) error { // one session, and here one transaction
		if err := s.Exec(ctx, "BEGIN"); err != nil {
			return err
		}
		for _, row := range rows {
			if err := s.Exec(ctx, "INSERT INTO processed_data_copy (id, total) VALUES ($1, $2)", row...); err != nil {
				return err
			}
		}
		return s.Exec(ctx, "COMMIT")
	})
	if err != nil {
		log.Fatal(err)
	}
	copied, err := staging.GetRecords(ctx, "SELECT * FROM processed_data_copy ORDER BY id")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(copied)
	// Output: [[1 10] [2 20]]
}

func Example_eachFile() {
	redshift := copies("redshift_iam") // hidden
	defer redshift.tell()              // hidden
	client := redshift.client          // hidden
	h := hook.New(client, "redshift_iam")
	files := []string{"data/2024-01-01.csv", "data/2024-01-02.csv"} // the keys, from whoever lists the bucket
	for _, key := range files {
		err := h.Run(ctx, fmt.Sprintf(`COPY staging_table FROM 's3://my-bucket/%s'
		IAM_ROLE 'arn:aws:iam::123456789012:role/RedshiftRole'
		CSV IGNOREHEADER 1`, key))
		if err != nil {
			log.Fatal(err)
		}
	}
	// Output:
	// COPY staging_table FROM 's3://my-bucket/data/2024-01-01.csv'
	//   IAM_ROLE 'arn:aws:iam::123456789012:role/RedshiftRole'
	//   CSV IGNOREHEADER 1;
	// COPY staging_table FROM 's3://my-bucket/data/2024-01-02.csv'
	//   IAM_ROLE 'arn:aws:iam::123456789012:role/RedshiftRole'
	//   CSV IGNOREHEADER 1;
}
