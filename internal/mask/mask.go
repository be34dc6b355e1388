package mask

import (
	"bytes"
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

// secretText finds secrets that stand under a harmless key: URLs with a password, which may hold any character, signed
// URLs, private keys, and a sensitive word with a value, as in "-c my.passwd=x" or a Python dict's text.
var secretText = regexp.MustCompile(`(?is)://.*:.*@|X-Amz-Signature=|-----BEGIN [A-Z ]*PRIVATE KEY|(?:` + words() + `)\w*(?:\s*=|['"]\s*:)`)

// keyID is an AWS key id: no secret by itself, but half of one.
var keyID = regexp.MustCompile(`\b(?:AKIA|ASIA)[0-9A-Z]{16}\b`)

// words is a pattern of the sensitive words, however their parts are joined.
func words() string { return strings.ReplaceAll(strings.Join(sensitive, "|"), "_", "[-_. ]?") }

// userInfo is a user and password before a host.
var userInfo = regexp.MustCompile(`(?s)^\S*:.*@`)

// Field returns the text of a connection's field as it may be shown: [Text] when it looks like a secret, and a host
// without the user and password that somebody wrote before it.
func Field(text string) string {
	for _, own := range []string{"IAM:", "IAMA:", "IAMR:"} { // before the name of a Redshift user that AWS signs for
		if name, ok := strings.CutPrefix(text, own); ok {
			return own + Field(name)
		}
	}
	if secretText.MatchString(text) {
		return Text
	}
	return userInfo.ReplaceAllString(text, Text+"@")
}

// Value returns v with every string and number below a sensitive key replaced by [Text], and every string that looks
// like a secret.
func Value(v pyjson.Value) pyjson.Value { return masked(v, false) }

func masked(v pyjson.Value, below bool) pyjson.Value {
	switch v.Kind {
	case pyjson.String:
		v.Text = maskedText(v.Text, below)
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
			members[i] = pyjson.Member{Key: m.Key, Value: masked(m.Value, below || isSensitive(m.Key) && !namesFile(m))}
		}
		v.Members = members
	}
	return v
}

// namesFile reports whether a token's key tells where its file is, and not the token.
func namesFile(m pyjson.Member) bool {
	return strings.HasSuffix(strings.ToLower(m.Key), "token_file") && m.Value.Kind == pyjson.String && strings.HasPrefix(m.Value.Text, "/")
}

// maskedText is a string's masked text. One that is JSON itself, as Airflow lets people write session_kwargs and others,
// is masked inside; without a secret it stays as it is.
func maskedText(text string, below bool) string {
	switch {
	case text == "":
		return ""
	case below:
		return Text
	}
	inner, err := pyjson.Parse(text)
	if err != nil || inner.Kind != pyjson.Array && inner.Kind != pyjson.Object {
		if secretText.MatchString(text) || keyID.MatchString(text) {
			return Text
		}
		return text
	}
	was, shown := pyjson.Append(nil, inner, pyjson.Python), pyjson.Append(nil, masked(inner, false), pyjson.Python)
	if bytes.Equal(was, shown) {
		return text
	}
	return string(shown)
}
