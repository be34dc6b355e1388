package airhook_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
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
	badly := misplaced
	badly.Host, badly.Port, badly.Extra = redshiftHost, 1, mustExtra(`{"redshift": true, "hostaddr": "127.0.0.1", "query_group": "password=`+plain+`", "options": "-c password=`+plain+`"}`)
	explainedBadly, triedBadly := must(client.Explain(t.Context(), badly)), client.Test(t.Context(), badly)
	pool := must(client.Pool(t.Context(), "c")).Config().ConnConfig.Password
	used := useMisplaced(t)
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("m", "used", used, "secret", secret, "extra", extra, "conn", conn, "misplaced", misplaced, "cred", cred)
	slog.New(slog.NewTextHandler(&log, nil)).Info("m", "secret", secret, "extra", extra, "conn", conn, "cred", cred, "target", target, "resolved", &resolved, "report", report, "err", refused)
	for _, v := range append(used, secret, extra, conn, &conn, misplaced, cred, &cred, target, holder{secret}, &holder{secret}, resolved, &resolved, resolved.TLS, report, report.Err(), refused, explained, explainedBadly, triedBadly, pool, client, []airhook.Secret{secret}, map[string]any{"x": extra}) {
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

// useMisplaced is what is told of connections with a secret in a field where none belongs: understood, refused and let in.
func useMisplaced(t *testing.T) (told []any) {
	t.Helper()
	ctx := t.Context()
	fields := map[string]airhook.Connection{
		"host":             {Host: "u:" + plain + "@h", Login: "u"},
		"login and schema": {Login: "u:" + plain + "@h", Schema: "d?password=" + plain},
		"a URL for both":   {Login: "postgres://u:" + plain + "@h", Schema: "postgresql://u:" + plain + "@h/d"},
		"an extra":         {Login: "u", Extra: mustExtra(`{"options": "-c my.password=` + plain + `", "application_name": "token=` + plain + `"}`)},
		"cluster":          {Type: "redshift", Host: redshiftHost, Login: "u:" + plain + "@h", Extra: mustExtra(`{"iam": true, "db_groups": ["password=` + plain + `"], "cluster-identifier": "password=` + plain + `", "region": "password=` + plain + `"}`)},
		"no values":        {Login: "u", Extra: mustExtra(`{"sslmode": "password=` + plain + `", "require_auth": "password=` + plain + `", "channel_binding": "password=` + plain + `", "hostaddr": "password=` + plain + `", "ssl_min_protocol_version": "password=` + plain + `"}`)},
		"no type":          {Type: "password=" + plain, Login: "u"},
	}
	for _, lets := range []bool{false, true} {
		s := serve(t, func(string) bool { return lets })
		r := registry{}
		for id, conn := range fields {
			if conn.ID = id; conn.Type == "" {
				conn.Type, conn.Port = "postgres", s.port
			}
			if conn.Host == "" {
				conn.Host = "127.0.0.1"
			}
			r[id] = conn
		}
		denied := func(_ context.Context, target airhook.Target) (airhook.Credential, error) {
			return airhook.Credential{}, &airhook.Error{ID: target.ID, Kind: airhook.ErrAccessDenied, Err: errors.New("access denied")}
		}
		c := must(airhook.New(airhook.Config{Registry: r, Logins: map[string]airhook.Login{airhook.MethodRedshift: denied}, DialFunc: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, fmt.Sprintf("127.0.0.1:%d", s.port))
		}}))
		for id, conn := range r {
			explained, err := c.Explain(ctx, conn)
			report := c.Test(ctx, conn)
			session, refused := c.Dial(ctx, id, nil)
			if refused == nil {
				_ = session.Close(ctx)
			}
			var text bytes.Buffer
			if err := report.WriteText(&text); err != nil {
				t.Error(err)
			}
			told = append(told, explained, err, report, report.Err(), refused, text.String())
			var e *airhook.Error
			if errors.As(refused, &e) {
				told = append(told, e.Hint, e.Resource)
			}
		}
		c.Close()
	}
	return told
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
