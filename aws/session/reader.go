package session

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/airhook-go/airhook"
)

// reader reads one JSON object of an aws connection's extra and remembers the first thing that is wrong, and which
// keys somebody has read.
type reader struct {
	conn   airhook.Connection
	id     string
	path   string // of this object below the extra: "config_kwargs.retries."
	order  []string
	values map[string]json.RawMessage
	read   map[string]bool
	err    error
}

func newReader(conn airhook.Connection) *reader {
	r := &reader{conn: conn, id: conn.ID, values: map[string]json.RawMessage{}, read: map[string]bool{}}
	for key, text := range conn.Extra.All() {
		r.put(key, json.RawMessage(text))
	}
	return r
}

func (r *reader) put(key string, value json.RawMessage) {
	if _, twice := r.values[key]; !twice {
		r.order = append(r.order, key)
	}
	r.values[key] = value
}

// sub is the reader of an object below this one; give it back by take. A URI makes text of an object.
func (r *reader) sub(key string) *reader {
	inner := &reader{id: r.id, path: r.path + key + ".", values: map[string]json.RawMessage{}, read: map[string]bool{}}
	text := r.values[key]
	r.read[key] = true
	var quoted string
	if json.Unmarshal(text, &quoted) == nil && quoted != "" {
		text = json.RawMessage(quoted)
	}
	if len(text) == 0 || string(text) == "null" || string(text) == `""` {
		return inner
	}
	extra, err := airhook.ParseExtra(string(text)) // in order, as Python reads it
	if err != nil {
		inner.fail(fmt.Errorf("%s is no JSON object", r.name(key)), "write an object, for example {}")
		return inner
	}
	for k, v := range extra.All() {
		inner.put(k, json.RawMessage(v))
	}
	return inner
}

func (r *reader) take(inner *reader) {
	if r.err == nil {
		r.err = inner.err
	}
}

// name is a key for a message. Keys hold no secret, but a mess may be long.
func (r *reader) name(key string) string {
	key = r.path + key
	if len(key) > 80 {
		key = strings.ToValidUTF8(key[:80], "") + "…"
	}
	return "extra " + strconv.Quote(key)
}

// fail notes what is wrong; the text must quote no value, because any could be a secret.
func (r *reader) fail(err error, hint string) {
	if r.err == nil {
		r.err = invalid(r.id, err, hint)
	}
}

func (r *reader) has(key string) bool { _, ok := r.values[key]; return ok }

// given reports whether a key has a value that says something.
func (r *reader) given(key string) bool {
	switch string(r.values[key]) {
	case "", "null", `""`, "{}", "[]", "false":
		return false
	}
	return true
}

// text returns a string, or the text of a number or switch; "" when it is absent or null.
func (r *reader) text(key string) string {
	raw := r.values[key]
	r.read[key] = true
	if len(raw) == 0 || string(raw) == "null" {
		return ""
	}
	switch raw[0] {
	case '"':
		var text string
		if err := json.Unmarshal(raw, &text); err != nil {
			r.fail(fmt.Errorf("%s is no text", r.name(key)), "write a text in quotes")
		}
		return text
	case '{', '[':
		r.fail(fmt.Errorf("%s is an object or array, not text", r.name(key)), "write one value")
		return ""
	}
	return string(raw)
}

func (r *reader) flag(key string) bool {
	switch strings.ToLower(r.text(key)) {
	case "", "false", "0":
		return false
	case "true", "1":
		return true
	}
	r.fail(fmt.Errorf("%s is neither true nor false", r.name(key)), "write true or false")
	return false
}

func (r *reader) number(key string, low, high int) (n int, given bool) {
	text := r.text(key)
	if text == "" {
		return 0, false
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < low || n > high {
		r.fail(fmt.Errorf("%s is not a number from %d to %d", r.name(key), low, high), "write a whole number in that range")
	}
	return n, true
}

func (r *reader) seconds(key string) time.Duration {
	text := r.text(key)
	if text == "" {
		return 0
	}
	n, err := strconv.ParseFloat(text, 64)
	if err != nil || !(n > 0 && n <= 3600) {
		r.fail(fmt.Errorf("%s is not a number of seconds up to 3600", r.name(key)), "write a number of seconds, for example 10")
		return 0
	}
	return time.Duration(n * float64(time.Second))
}

// unread are the keys that nobody has asked for and that say something.
func (r *reader) unread() []string {
	var keys []string
	for _, key := range r.order {
		if !r.read[key] && r.given(key) {
			keys = append(keys, key)
		}
	}
	return keys
}
