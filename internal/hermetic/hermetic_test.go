package hermetic_test

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/airhook-go/airhook/internal/hermetic"
)

// variables are all that pgx 5.12 reads (pgconn, parseEnvSettings).
var variables = []string{
	"HOST", "HOSTADDR", "PORT", "DATABASE", "USER", "PASSWORD", "PASSFILE", "APPNAME", "CONNECT_TIMEOUT", "SSLMODE", "SSLKEY", "SSLCERT", "SSLCERTMODE", "SSLSNI",
	"SSLROOTCERT", "SSLPASSWORD", "SSLNEGOTIATION", "TARGETSESSIONATTRS", "SERVICE", "SERVICEFILE", "TZ", "OPTIONS", "MINPROTOCOLVERSION",
	"MAXPROTOCOLVERSION", "CHANNELBINDING", "REQUIREAUTH",
}

func TestVariablesDoNotShow(t *testing.T) {
	want := config(t)
	for _, name := range variables {
		t.Setenv("PG"+name, "/nope") // nonsense on purpose: what came through would break or show
	}
	same(t, want, config(t))
}

func TestAServiceThatExistsDoesNotShow(t *testing.T) {
	want := config(t)
	file := filepath.Join(t.TempDir(), "service.conf")
	text := "[mine]\npool_min_idle_conns=7\npool_max_conn_idle_time=1s\ndefault_query_exec_mode=simple_protocol\nstatement_cache_capacity=0\nkrbspn=x\nkrbsrvname=x\nhostaddr=10.9.9.9\nhost=evil.example.com\nport=1\nuser=evil\npassword=evil\nsslmode=require\noptions=-c evil=1\napplication_name=evil\ntarget_session_attrs=primary\nrequire_auth=md5\nconnect_timeout=77\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PGSERVICE", "mine")
	t.Setenv("PGSERVICEFILE", file)
	same(t, want, config(t))
}

func TestAServiceThatPgxRefusesIsNoError(t *testing.T) {
	want := config(t)
	file := filepath.Join(t.TempDir(), "service.conf")
	if err := os.WriteFile(file, []byte("[mine]\npool_max_conns=0\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PGSERVICE", "mine")
	t.Setenv("PGSERVICEFILE", file)
	same(t, want, config(t))
}

func config(t *testing.T) *pgxpool.Config {
	t.Helper()
	c, err := hermetic.Config()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func same(t *testing.T, want, got *pgxpool.Config) {
	t.Helper()
	if diff := cmp.Diff(want, got, every, present, connString); diff != "" {
		t.Errorf("the environment shows (-want +got):\n%s", diff)
	}
}

var (
	every      = cmp.Exporter(func(reflect.Type) bool { return true })
	present    = cmp.FilterValues(bothFuncs, cmp.Comparer(func(a, b any) bool { return reflect.ValueOf(a).IsNil() == reflect.ValueOf(b).IsNil() })) // functions don't compare
	connString = cmp.FilterPath(func(p cmp.Path) bool { return strings.EqualFold(p.Last().String(), ".connString") }, cmp.Ignore())                 // what was parsed
)

func bothFuncs(a, b any) bool {
	return a != nil && b != nil && reflect.TypeOf(a).Kind() == reflect.Func && reflect.TypeOf(b).Kind() == reflect.Func
}
