package airflow_test

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if write := writers[os.Getenv("AIRFLOW_TEST_WRITER")]; write != nil {
		os.Exit(write())
	}
	goleak.VerifyTestMain(m)
}
