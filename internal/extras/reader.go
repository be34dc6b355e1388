package extras

import (
	"crypto/tls"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/airhook-go/airhook/internal/mask"
	"github.com/airhook-go/airhook/internal/pyjson"
)

// Reader reads the options and the other keys of one extra, and remembers what is wrong.
type Reader struct {
	// Rest are the keys that are no options, in order.
	Rest []string

	values   map[Option]pyjson.Value
	keys     map[Option]string // the spelling that was used
	rest     map[string]pyjson.Value
	problems []Problem
}

// Problem is what is wrong with a field or with a key of the extra. It quotes no secret.
type Problem struct {
	Hint string
	Err  error

	field string
}

// Read returns the reader of an object. null means absent, except to an AWSConn, where it is the default chain.
func Read(extra pyjson.Value) *Reader {
	r := &Reader{values: map[Option]pyjson.Value{}, keys: map[Option]string{}, rest: map[string]pyjson.Value{}}
	for key, v := range extra.All() {
		o, known := spelt()[key]
		if !known {
			r.rest[key] = v
			r.Rest = append(r.Rest, key)
			continue
		}
		if v.Kind == pyjson.Null && o != AWSConn {
			continue
		}
		if was, twice := r.values[o]; twice && was.Scalar() != v.Scalar() {
			r.Fail(key, fmt.Errorf("extra %s and %s contradict each other", r.Quoted(o), strconv.Quote(key)), "keep one of the two")
		}
		r.values[o], r.keys[o] = v, key
		if _, ok := examples[o]; ok { // a password may be anything
			r.Filled("extra "+r.Quoted(o), o, v.Scalar())
		}
	}
	return r
}

const maxProblems = 10 // that are told at once

// Fail notes what is wrong with a field or with a key, unless something was wrong with it before.
func (r *Reader) Fail(field string, err error, hint string) {
	if len(r.problems) > maxProblems || slices.ContainsFunc(r.problems, func(p Problem) bool { return p.field == field }) {
		return
	}
	if hint == "" {
		hint = "correct " + field + " of the connection"
	}
	r.problems = append(r.problems, Problem{Hint: hint, Err: err, field: field})
}

// Problem returns what is wrong, or nil: the first thing, and in its text the others, each with its hint where that is
// another.
func (r *Reader) Problem() *Problem {
	if len(r.problems) == 0 {
		return nil
	}
	all := r.problems[0]
	for i, p := range r.problems[1:] {
		if i+1 == maxProblems {
			all.Err = fmt.Errorf("%w; and more", all.Err)
			break
		}
		if all.Err = fmt.Errorf("%w; and %w", all.Err, p.Err); p.Hint != all.Hint {
			all.Err = fmt.Errorf("%w (%s)", all.Err, p.Hint)
		}
	}
	return &all
}

// Undecided reports whether a switch is wrong, so that nobody knows what the rest of the extra is for.
func (r *Reader) Undecided() bool {
	return slices.ContainsFunc(r.problems, func(p Problem) bool {
		o := spelt()[p.field]
		return p.field == "conn_type" || o == IAM || o == Redshift || o == Serverless
	})
}

// Has reports whether an option is given.
func (r *Reader) Has(o Option) bool { _, ok := r.values[o]; return ok }

// Key is the spelling that was used for an option; its first name when it isn't given.
func (r *Reader) Key(o Option) string {
	if key, ok := r.keys[o]; ok {
		return key
	}
	return string(o)
}

// Quoted is Key in quotes.
func (r *Reader) Quoted(o Option) string { return strconv.Quote(r.Key(o)) }

// Text is an option's text, or that of its number or boolean; "" when it is absent.
func (r *Reader) Text(o Option) string {
	v, ok := r.values[o]
	if !ok {
		return ""
	}
	return r.text(r.keys[o], v)
}

// RestText is Text of a key that is no option; null is absent.
func (r *Reader) RestText(key string) (text string, present bool) {
	v := r.rest[key]
	return r.text(key, v), v.Kind != pyjson.Null
}

func (r *Reader) text(key string, v pyjson.Value) string {
	if v.Kind == pyjson.Array || v.Kind == pyjson.Object {
		r.Fail(key, fmt.Errorf("extra %q is an %s, not text", key, v.Kind), "")
	}
	return v.Scalar()
}

// Kept are the options that shape a session and are not sent, under libpq's names, as they were written.
func (r *Reader) Kept() map[string]string {
	kept := map[string]string{}
	for _, o := range []Option{Address, RootCert, Cert, Key, TLSMin, TLSMax, Alive, AliveIdle, AliveEvery, AliveCount} {
		if text := r.Text(o); text != "" {
			kept[string(o)] = text
		}
	}
	return kept
}

// Flag reads a switch, whether it came as a JSON boolean or as text from a URI.
func (r *Reader) Flag(o Option) (on, given bool) {
	v, ok := r.values[o]
	if !ok {
		return false, false
	}
	on, ok = asBool(v)
	if !ok {
		r.Fail(r.keys[o], fmt.Errorf("extra %s is %s, neither true nor false", r.Quoted(o), shown(v)), "write true or false")
	}
	return on, true
}

func asBool(v pyjson.Value) (on, ok bool) {
	switch strings.ToLower(v.Scalar()) {
	case "true", "1", "yes", "on", "t", "y":
		return true, true
	case "false", "0", "no", "off", "f", "n", "":
		return false, v.Kind != pyjson.Array && v.Kind != pyjson.Object
	}
	return false, false
}

// shown is a value for an error message; nothing that could be a secret.
func shown(v pyjson.Value) string {
	if text := v.Scalar(); text != "" && len(text) <= 40 {
		return strconv.Quote(text)
	}
	return "a JSON " + v.Kind.String()
}

// Number reads an integer within bounds, or gives 0 when it is not set.
func (r *Reader) Number(o Option, low, high int) int {
	v, ok := r.values[o]
	if !ok || v.Kind == pyjson.String && v.Text == "" {
		return 0
	}
	n, err := strconv.Atoi(strings.TrimSpace(v.Scalar()))
	if err != nil || n < low || n > high {
		r.Fail(r.keys[o], fmt.Errorf("extra %s is %s, not a number from %d to %d", r.Quoted(o), shown(v), low, high), "")
		return 0
	}
	return n
}

// TLSVersion reads libpq's name of a protocol version; zero when it is not set. A TLSMax below TLS 1.2 leaves nothing to
// speak.
func (r *Reader) TLSVersion(o Option) uint16 {
	versions := map[string]uint16{"": 0, "TLSv1": tls.VersionTLS10, "TLSv1.1": tls.VersionTLS11, "TLSv1.2": tls.VersionTLS12, "TLSv1.3": tls.VersionTLS13}
	v, known := versions[r.Text(o)]
	if !known || o == TLSMax && v != 0 && v < tls.VersionTLS12 {
		r.Fail(r.Key(o), fmt.Errorf("extra %s is %q", r.Quoted(o), mask.Field(r.Text(o))), "TLSv1.2 or TLSv1.3")
	}
	return v
}

// List reads an array of texts, or a text with commas.
func (r *Reader) List(o Option) []string {
	v, ok := r.values[o]
	if !ok {
		return nil
	}
	if v.Kind != pyjson.Array {
		return strings.FieldsFunc(r.Text(o), func(c rune) bool { return c == ',' || c == ' ' })
	}
	var items []string
	for _, item := range v.Items {
		if item.Kind != pyjson.String {
			r.Fail(r.keys[o], fmt.Errorf("extra %s holds a %s, not only text", r.Quoted(o), item.Kind), "")
		}
		items = append(items, item.Text)
	}
	return items
}

// Off reports whether a key that is no option is there but switched off: null, false or "".
func (r *Reader) Off(key string) bool {
	v := r.rest[key]
	on, ok := asBool(v)
	return ok && !on
}
