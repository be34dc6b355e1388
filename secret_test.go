package airhook_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/airhook-go/airhook"
)

const plain = "hunter2-is-a-secret"

func TestSecretsShowNowhere(t *testing.T) {
	type holder struct{ hidden airhook.Secret }
	extra := mustExtra(`{"aws_secret_access_key": "` + plain + `", "nested": {"tokens": ["` + plain + `"]}, "uri": "postgres://u:` + plain + `@h/d", "region_name": "eu-west-1"}`)
	secret := airhook.NewSecret(plain)
	misplaced := airhook.Connection{ID: "m", Type: "postgres", Host: "u:" + plain + "@h", Login: "u:" + plain + "@h", Schema: "d?password=" + plain, Description: "postgresql://u:" + plain + "@h/d"}
	conn := airhook.Connection{ID: "c", Type: "aws", Login: "AKIA", Password: secret, Extra: extra}
	cred := airhook.Credential{User: "u", Password: secret}
	target := must(airhook.Connection{ID: "c", Type: "postgres", Host: "h", Login: "u", Password: secret}.Target())
	client := must(airhook.New(airhook.Config{Registry: registry{"c": {ID: "c", Type: "postgres", Host: "127.0.0.1", Port: 1, Login: "u", Password: secret}}}))
	defer client.Close()
	report := client.Test(t.Context(), must(client.Get(t.Context(), "c")))
	_, refused := client.Acquire(t.Context(), "c")
	resolved := must(client.Target(t.Context(), "c"))
	explained := must(client.Explain(t.Context(), must(client.Get(t.Context(), "c"))))
	pool := must(client.Pool(t.Context(), "c")).Config().ConnConfig.Password
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("m", "secret", secret, "extra", extra, "conn", conn, "misplaced", misplaced, "cred", cred)
	slog.New(slog.NewTextHandler(&log, nil)).Info("m", "secret", secret, "extra", extra, "conn", conn, "cred", cred, "target", target, "resolved", &resolved, "report", report, "err", refused)
	for _, v := range []any{secret, extra, conn, &conn, misplaced, cred, &cred, target, holder{secret}, &holder{secret}, resolved, &resolved, resolved.TLS, report, report.Err(), refused, explained, pool, client, []airhook.Secret{secret}, map[string]any{"x": extra}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			fmt.Fprintf(&log, verb, v)
		}
		if _, ok := v.(*airhook.Client); ok {
			continue // funcs and channels are no JSON
		}
		b, err := json.Marshal(v)
		if err != nil {
			t.Errorf("%T: %v", v, err)
		}
		log.Write(b)
	}
	if text := log.String(); strings.Contains(text, plain) || strings.Contains(text, fmt.Sprintf("%x", plain)) || !strings.Contains(text, "eu-west-1") {
		t.Errorf("a secret shows, or nothing does: %.2000s", text)
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func TestAMaskIsNotReadBack(t *testing.T) {
	var s airhook.Secret
	if err := json.Unmarshal([]byte(`"***"`), &s); err == nil {
		t.Error("a masked secret was read back")
	}
}

func TestExtraKeepsItsText(t *testing.T) {
	text := " {\"z\": 1.0,  \"a\":12345678901234567890, \"n\": NaN} "
	e := mustExtra(text)
	if e.Reveal() != text {
		t.Errorf("got %q", e.Reveal())
	}
	if e != mustExtra(text) || e == mustExtra(`{"z": 1.0}`) {
		t.Error("extras do not compare by their text")
	}
	c := airhook.Connection{ID: "c", Extra: e, Port: 0}
	if c == c.WithEmpty(airhook.FieldPort) {
		t.Error("port 0 and no port are the same")
	}
	if got, want := string(c.RevealJSON()), `{"conn_id":"c","conn_type":null,"description":null,"host":null,"login":null,"password":null,"schema":null,"port":null,"extra":{"z":1.0,"a":12345678901234567890,"n":"NaN"}}`; got != want {
		t.Errorf("got %s", got)
	}
}
