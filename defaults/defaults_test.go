package defaults

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"

	"github.com/airhook-go/airhook"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestHome(t *testing.T) {
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, airhookHome, dataHome, home, want string }{
		{"AIRHOOK_HOME wins", "/a/b", "/data", "/home/me", "/a/b"},
		{"AIRHOOK_HOME may be relative", "x", "/data", "/home/me", filepath.Join(here, "x")},
		{"then XDG_DATA_HOME", "", "/data", "/home/me", "/data/airhook"},
		{"a relative XDG_DATA_HOME is invalid, the standard says", "", "data", "/home/me", "/home/me/.local/share/airhook"},
		{"then the home folder", "", "", "/home/me", "/home/me/.local/share/airhook"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Setenv("AIRHOOK_HOME", c.airhookHome)
			t.Setenv("XDG_DATA_HOME", c.dataHome)
			t.Setenv("HOME", c.home)
			if got, err := Home(); err != nil || got != c.want {
				t.Errorf("got %q, %v, want %q", got, err, c.want)
			}
		})
	}
}

// A container or a cron job may have no HOME, and connections in the environment.
func TestWithoutAHomeFolderTheEnvironmentAnswersAndTheStoreSaysWhy(t *testing.T) {
	for _, name := range []string{"AIRHOOK_HOME", "XDG_DATA_HOME", "HOME"} {
		t.Setenv(name, "")
	}
	t.Setenv("AIRFLOW_CONN_X", "postgres://h/db")
	client, err := Client(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if _, err := client.Get(t.Context(), "x"); err != nil {
		t.Errorf("the environment's connection: %v", err)
	}
	listed := map[string]error{}
	for conn, err := range client.List(t.Context()) {
		listed[conn.ID] = err
	}
	if err, ok := listed["x"]; !ok || err != nil {
		t.Errorf("listed %v, want the environment's connection too", listed)
	}
	_, unknown := client.Get(t.Context(), "y")
	for what, err := range map[string]error{
		"get": unknown, "list": listed[""], "delete": client.Delete(t.Context(), "y"),
		"put": client.Put(t.Context(), airhook.Connection{ID: "y", Type: "postgres"}),
	} {
		var e *airhook.Error
		if !errors.As(err, &e) || !errors.Is(err, airhook.ErrInvalid) || e.Hint != "set AIRHOOK_HOME" {
			t.Errorf("%s: got %v, want invalid with the hint to set AIRHOOK_HOME", what, err)
		}
	}
}

func TestTheEnvironmentWinsOverTheStore(t *testing.T) {
	t.Setenv("AIRFLOW_CONN_BOTH", "postgres://from-environment/db")
	s := open(t)
	for _, id := range []string{"both", "stored"} {
		if err := s.Client.Put(t.Context(), airhook.Connection{ID: id, Type: "postgres", Host: "from-store"}); err != nil {
			t.Fatal(err)
		}
	}
	for id, want := range map[string]string{"both": "from-environment", "stored": "from-store"} {
		if got, err := s.Client.Get(t.Context(), id); err != nil || got.Host != want {
			t.Errorf("%s: got host %q, %v, want %q", id, got.Host, err, want)
		}
	}
	if got, err := s.Store.Get(t.Context(), "both"); err != nil || got.Host != "from-store" {
		t.Errorf("the store has host %q, %v: Put went elsewhere", got.Host, err)
	}
	listed := map[string]int{}
	for conn, err := range s.Client.List(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		listed[conn.ID]++
	}
	if listed["both"] != 1 || listed["stored"] != 1 {
		t.Errorf("listed %v, want each id once", listed)
	}
}

func TestOpenTouchesNoDisk(t *testing.T) {
	home := filepath.Join(t.TempDir(), "not", "yet")
	t.Setenv("AIRFLOW_CONN_X", "postgres://h/db")
	s, err := Open(t.Context(), Options{Home: home})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Client.Get(t.Context(), "x"); err != nil {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(home); !os.IsNotExist(err) {
		t.Errorf("reading from the environment made %s (%v)", home, err)
	}
}

// goleak fails the package when the store stays open.
func TestClosingTheClientClosesTheStore(t *testing.T) {
	t.Setenv("AIRHOOK_HOME", t.TempDir())
	client, err := Client(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := client.Put(t.Context(), airhook.Connection{ID: "a", Type: "postgres"}); err != nil {
		t.Error(err)
	}
	client.Close()
	if _, err := client.Get(t.Context(), "a"); err == nil {
		t.Error("the store still answers")
	}
}

func TestTheFernetKeyOfTheEnvironmentSeals(t *testing.T) {
	home := t.TempDir()
	t.Setenv("AIRFLOW__CORE__FERNET_KEY", "cFRTZWNyZXRLZXlGb3JUZXN0aW5nT25seTEyMzQ1Njc=")
	s, err := Open(t.Context(), Options{Home: home})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Client.Put(t.Context(), airhook.Connection{ID: "a", Type: "postgres", Password: airhook.NewSecret("p")}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	t.Setenv("AIRFLOW__CORE__FERNET_KEY", "b3RoZXJLZXlGb3JUZXN0aW5nT25seTEyMzQ1Njc4OTA=")
	if s, err = Open(t.Context(), Options{Home: home}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Client.Get(t.Context(), "a"); err == nil {
		t.Error("another key opened the row")
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

func open(t *testing.T) *Setup {
	t.Helper()
	s, err := Open(t.Context(), Options{Home: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}
