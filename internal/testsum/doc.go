// Testsum runs go test with the given arguments and sums up: a line a package, the output of what failed, every skip with
// its reason, and how many tests passed, failed and were skipped. With -strict a skip is a failure, because on a machine
// that has everything a skipped test is one that nobody runs.
//
//	go run ./internal/testsum -strict -race ./...
//
// Everything after -strict is go test's. The exit code is 1 when a test failed, nothing ran, or -strict found a skip.
package main
