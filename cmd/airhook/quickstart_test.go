//go:build unix

package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestQuickstartShowsEveryLoginAndLeavesNothing(t *testing.T) {
	s := newShell(t, "AIRFLOW_CONN_RDS_POSTGRES_IAM=postgres://mine", "AIRFLOW__CORE__FERNET_KEY=mine", "AIRHOOK_DEV_DIR=/nowhere", "AWS_PROFILE=mine",
		"AWS_ACCESS_KEY_ID=mine", "AWS_ENDPOINT_URL=http://127.0.0.1:1", "PGHOST=mine", "PGSERVICE=mine", "PGSSLMODE=disable")
	started := time.Now()
	text := s.airhook(0, "quickstart")
	for _, want := range []string{
		"rds_postgres_iam: connected as app to mydb", "redshift_iam: connected as app to dev", "redshift_serverless_iam: connected as IAM:admin to dev", "redshift_default: connected as awsuser to dev",
		"RDS refused the old token, airhook signed another", "access denied", `"Action":"redshift:GetClusterCredentials"`, "asked by: arn:aws:iam::123456789012:user/admin", "Try next",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("it does not say %q", want)
		}
	}
	if strings.Contains(text, "X-Amz-Signature") || strings.Contains(text, "mine") {
		t.Error("it shows a token, or something of the user's")
	}
	s.clean()
	if _, err := os.Lstat(s.home); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("it made something in the user's home: %v", err)
	}
	if took := time.Since(started); took > time.Minute {
		t.Errorf("it took %s", took)
	}
}

func TestQuickstartEndsCleanlyOnCtrlC(t *testing.T) {
	for _, after := range []string{"1. A laptop", "they live two seconds"} {
		t.Run(after, func(t *testing.T) {
			s := newShell(t)
			cmd, out := s.start("quickstart")
			if code := s.interrupt(cmd, out, after, os.Interrupt); code != exits["cancelled"] {
				t.Errorf("exit %d", code)
			}
			s.clean()
		})
	}
}

func TestQuickstartSweepsWhatAKilledOneLeft(t *testing.T) {
	s := newShell(t)
	cmd, out := s.start("quickstart")
	s.interrupt(cmd, out, "4. Ask", os.Kill)
	if left, err := os.ReadDir(s.temp); err != nil || len(left) == 0 {
		t.Fatalf("it left nothing: this tests nothing (%v)", err)
	}
	s.airhook(2, "quickstart", "--pg-bin", "/nowhere")
	s.clean()
}

func TestQuickstartKeepStays(t *testing.T) {
	s := newShell(t)
	code, text, diag := s.run("airhook", "quickstart", "--keep")
	if code != 0 {
		t.Fatalf("exit %d: %s%s", code, text, diag)
	}
	_, advice, _ := strings.Cut(text, "It stays")
	_, advice, _ = strings.Cut(advice, "Try next:\n")
	try, end, found := strings.Cut(advice, "End it, and remove everything:\n")
	if !found {
		t.Fatalf("it says %q", text)
	}
	code, out, diag := s.run("sh", "-c", "set -eu\n"+try)
	if code != 0 || !strings.Contains(out, "Redshift") || !strings.Contains(out, "rds_postgres_iam") {
		t.Errorf("exit %d: %s%s", code, out, diag)
	}
	if code, out, diag := s.run("sh", "-c", "set -eu\n"+end); code != 0 {
		t.Errorf("exit %d: %s%s", code, out, diag)
	}
	s.clean()
	if _, err := os.Lstat(filepath.Join(s.home, "quickstart")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("its folder is left: %v", err)
	}
}
