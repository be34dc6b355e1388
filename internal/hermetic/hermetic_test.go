package hermetic_test

import (
	"os"
	"path/filepath"
	"testing"

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
	text := "[mine]\nhost=evil.example.com\nport=1\nuser=evil\npassword=evil\nsslmode=require\noptions=-c evil=1\napplication_name=evil\ntarget_session_attrs=primary\nrequire_auth=md5\nconnect_timeout=77\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
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
	a, b := want.ConnConfig, got.ConnConfig
	if a.Host != b.Host || a.Port != b.Port || a.User != b.User || a.Password != b.Password || a.Database != b.Database || b.TLSConfig != nil ||
		len(b.Fallbacks) != 0 || len(b.RuntimeParams) != 0 || a.ConnectTimeout != b.ConnectTimeout || b.ValidateConnect != nil || a.RequireAuth != b.RequireAuth ||
		a.ChannelBinding != b.ChannelBinding || a.SSLNegotiation != b.SSLNegotiation || a.SSLCertMode != b.SSLCertMode ||
		a.MinProtocolVersion != b.MinProtocolVersion || a.MaxProtocolVersion != b.MaxProtocolVersion || a.KerberosSrvName != b.KerberosSrvName {
		t.Errorf("the environment shows: %+v, want %+v", b.Config, a.Config)
	}
}
