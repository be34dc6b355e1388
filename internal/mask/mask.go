package mask

import (
	"regexp"
	"strings"

	"github.com/airhook-go/airhook/internal/pyjson"
)

// Text stands in the place of a secret, as in Airflow.
const Text = "***"

// sensitive are the words of a key whose values Airflow masks (reference: airflow secrets_masker, 3.3), and sslkey's
// password and the whole connection strings that libpq takes.
var sensitive = []string{
	"access_key", "access_token", "api_key", "apikey", "auth_header", "authorization", "bearer", "connection_string",
	"dsn", "passphrase", "passwd", "password", "private_key", "proxy", "secret", "service_account", "service_key",
	"token", "keyfile_dict", "webhook_url", "proxies",
}

var nonWord = regexp.MustCompile(`\W+`)

func isSensitive(key string) bool {
	key = nonWord.ReplaceAllString(strings.ToLower(strings.TrimSpace(key)), "_")
	for _, word := range sensitive {
		if strings.Contains(key, word) {
			return !harmless[key]
		}
	}
	return false
}

// harmless are keys that hold a sensitive word but never a secret.
var harmless = map[string]bool{"serverless_token_duration_seconds": true}

// secretText finds secrets that stand under a harmless key: AWS key ids, URIs with a password, signed tokens.
var secretText = regexp.MustCompile(`\b(?:AKIA|ASIA)[0-9A-Z]{16}\b|://[^/?#\s]*:[^/?#\s]*@|X-Amz-Signature=|-----BEGIN [A-Z ]*PRIVATE KEY|(?i)\bpassword\s*=`)

// Value returns v with every string and number below a sensitive key replaced by [Text], and every string that looks
// like a secret.
func Value(v pyjson.Value) pyjson.Value { return masked(v, false) }

func masked(v pyjson.Value, below bool) pyjson.Value {
	switch v.Kind {
	case pyjson.String:
		if v.Text != "" && (below || secretText.MatchString(v.Text)) {
			v.Text = Text
		}
	case pyjson.Number:
		if below { // Airflow leaves numbers; a numeric password is one all the same
			return pyjson.Value{Kind: pyjson.String, Text: Text}
		}
	case pyjson.Array:
		items := make([]pyjson.Value, len(v.Items))
		for i, item := range v.Items {
			items[i] = masked(item, below)
		}
		v.Items = items
	case pyjson.Object:
		members := make([]pyjson.Member, len(v.Members))
		for i, m := range v.Members {
			members[i] = pyjson.Member{Key: m.Key, Value: masked(m.Value, below || isSensitive(m.Key))}
		}
		v.Members = members
	}
	return v
}
