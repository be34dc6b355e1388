package hook_test

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/airhook-go/airhook/defaults"
	"github.com/airhook-go/airhook/hook"
)

// readme is the program that README.md shows, here so that it compiles; TestReadmeShowsAProgramThatCompiles compares.
func readme(ctx context.Context, day time.Time) error {
	client, err := defaults.Client(ctx) // the environment's connections, then airhook's store; AWS logins
	if err != nil {
		return err
	}
	defer client.Close()

	h := hook.New(client, "rds_postgres_iam")
	rows, err := h.GetRecords(ctx, "SELECT id, name FROM users WHERE day = $1", day)
	if err != nil {
		return err // an *airhook.Error: the stage, the kind, and a hint
	}
	for _, row := range rows {
		fmt.Println(row...)
	}
	return h.Run(ctx, "SET query_group TO 'etl_jobs'", "CALL refresh_report()")
}

var _ = readme

func TestReadmeShowsAProgramThatCompiles(t *testing.T) {
	page, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	block := regexp.MustCompile("(?s)```go\n(.*?)```").FindSubmatch(page)
	if block == nil {
		t.Fatal("README.md shows no Go program")
	}
	source, err := os.ReadFile("readme_test.go")
	if err != nil {
		t.Fatal(err)
	}
	var shown strings.Builder
	for line := range strings.Lines(string(block[1])) {
		if line != "\n" {
			line = "\t" + line
		}
		shown.WriteString(line)
	}
	if !strings.Contains(string(source), shown.String()) {
		t.Errorf("README.md's Go program is not the body of readme in hook/readme_test.go:\n%s", block[1])
	}
}
