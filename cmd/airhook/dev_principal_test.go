//go:build unix

package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
)

// principals makes users and roles of the stack that runs, and looks for them in its status.
func (s *shell) principals() {
	s.t.Helper()
	file := filepath.Join(s.t.TempDir(), "policy.json")
	if err := os.WriteFile(file, []byte(`{"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}`), 0o600); err != nil {
		s.t.Fatal(err)
	}
	made := func(args ...string) map[string]string {
		s.t.Helper()
		var entry map[string]string
		if err := json.Unmarshal([]byte(s.airhook(0, append([]string{"dev", "principal", "-o", "json"}, args...)...)), &entry); err != nil {
			s.t.Fatal(err)
		}
		return entry
	}
	first, second := made("ann"), made("ann", "--policy", file)
	if first["arn"] != "arn:aws:iam::123456789012:user/ann" || first["access_key_id"] == "" || first["access_key_id"] != second["access_key_id"] || first["secret_access_key"] != second["secret_access_key"] {
		s.t.Errorf("the user's entry is of other keys afterwards, or none: %v", first["arn"])
	}
	if role := made("etl", "--role"); len(role) != 2 || role["name"] != "etl" || role["arn"] != "arn:aws:iam::123456789012:role/etl" {
		s.t.Errorf("the role's entry is %v", role)
	}
	if text := s.airhook(0, "dev", "principal", "ann"); strings.Contains(text, first["secret_access_key"]) || !strings.Contains(text, first["access_key_id"]) {
		s.t.Errorf("people are shown %q", text)
	}
	if text := s.airhook(2, "dev", "principal", "admin"); !strings.Contains(text, "the account's own") {
		s.t.Errorf("the admin is changed: %q", text)
	}
	status := s.status()
	users, roles := status.AWS.Principals, status.AWS.Roles
	if users[len(users)-1].SecretAccessKey != first["secret_access_key"] || roles[len(roles)-1].Name != "etl" {
		s.t.Errorf("status lists %v and %v", users, roles)
	}
	if text := s.airhook(0, "dev", "status"); !strings.Contains(text, "admin ann") {
		s.t.Errorf("status shows people %q", text)
	}
}
