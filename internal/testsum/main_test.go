package main

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Lines as go test -json of Go 1.26 writes them, shortened to the fields that are read.
const recorded = `{"Action":"start","Package":"p"}
{"Action":"run","Package":"p","Test":"TestGood"}
{"Action":"output","Package":"p","Test":"TestGood","Output":"=== RUN   TestGood\n"}
{"Action":"output","Package":"p","Test":"TestGood","Output":"--- PASS: TestGood (0.00s)\n"}
{"Action":"pass","Package":"p","Test":"TestGood","Elapsed":0}
{"Action":"output","Package":"p","Test":"TestSkip","Output":"=== RUN   TestSkip\n"}
{"Action":"output","Package":"p","Test":"TestSkip","Output":"    p_test.go:9: no PostgreSQL here\n"}
{"Action":"output","Package":"p","Test":"TestSkip","Output":"--- SKIP: TestSkip (0.00s)\n"}
{"Action":"skip","Package":"p","Test":"TestSkip","Elapsed":0}
{"Action":"output","Package":"p","Output":"PASS\n"}
{"Action":"output","Package":"p","Output":"ok  \tp\t0.003s\n"}
{"Action":"pass","Package":"p","Elapsed":0.003}
`

const failing = `{"Action":"output","Package":"q","Test":"TestBad","Output":"    q_test.go:5: got 1\n"}
{"Action":"output","Package":"q","Test":"TestBad","Output":"--- FAIL: TestBad (0.00s)\n"}
{"Action":"fail","Package":"q","Test":"TestBad","Elapsed":0}
{"Action":"output","Package":"q","Test":"TestHung","Output":"=== RUN   TestHung\n"}
{"Action":"output","Package":"q","Output":"panic: test timed out\n"}
{"Action":"fail","Package":"q","Elapsed":0}
`

func TestSummary(t *testing.T) {
	for _, tc := range []struct {
		name, input string
		strict      bool
		exit        error
		want, fails string
	}{
		{"passes", recorded, false, nil, "ok  \tp\t0.003s\nskipped: p.TestSkip: p_test.go:9: no PostgreSQL here\n1 passed, 0 failed, 1 skipped\n", ""},
		{"strict", recorded, true, nil, "ok  \tp\t0.003s\nskipped: p.TestSkip: p_test.go:9: no PostgreSQL here\n1 passed, 0 failed, 1 skipped\n", "skipped"},
		{"fails", recorded + failing, false, errors.New("exit status 1"), "ok  \tp\t0.003s\n    q_test.go:5: got 1\n--- FAIL: TestBad (0.00s)\n=== RUN   TestHung\npanic: test timed out\n" +
			"skipped: p.TestSkip: p_test.go:9: no PostgreSQL here\n1 passed, 2 failed, 1 skipped\n", "exit status 1"},
		{"nothing ran", "", false, nil, "0 passed, 0 failed, 0 skipped\n", "no test ran"},
		{"does not build", `{"ImportPath":"p","Action":"build-output","Output":"p.go:1: broken\n"}` + "\n", false, errors.New("exit status 1"), "p.go:1: broken\n0 passed, 0 failed, 0 skipped\n", "exit status 1"},
		{"not JSON", "go: warning\n", false, nil, "go: warning\n0 passed, 0 failed, 0 skipped\n", "no test ran"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var out strings.Builder
			s := summary{out: &out, pending: map[string][]string{}}
			if err := s.read(strings.NewReader(tc.input)); err != nil {
				t.Fatal(err)
			}
			err := s.verdict(tc.strict, tc.exit)
			if diff := cmp.Diff(tc.want, out.String()); diff != "" {
				t.Errorf("output (-want +got):\n%s", diff)
			}
			if (err == nil) != (tc.fails == "") || err != nil && !strings.Contains(err.Error(), tc.fails) {
				t.Errorf("error %v, want one with %q", err, tc.fails)
			}
		})
	}
}
