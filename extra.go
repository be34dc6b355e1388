package airhook

import (
	"fmt"
	"io"
	"iter"
	"log/slog"

	"github.com/airhook-go/airhook/internal/mask"
	"github.com/airhook-go/airhook/internal/pyjson"
)

// Extra is the extra field of a [Connection]: the text of a JSON object. It keeps the text as it came – key order,
// spacing, the digits of numbers – and reads from it on demand. Extras hold secrets, so an Extra shows itself masked
// like a [Secret]. The zero Extra is an absent or empty one.
type Extra struct{ text Secret }

// ParseExtra checks that text is a JSON object as Python's json reads it (NaN and Infinity are values) and keeps it
// as it is. Empty text gives the zero Extra. The error says what is wrong and where, and quotes nothing.
func ParseExtra(text string) (Extra, error) {
	if text == "" {
		return Extra{}, nil
	}
	v, err := pyjson.Parse(text)
	if err != nil {
		return Extra{}, &Error{Kind: ErrInvalid, Err: fmt.Errorf("extra is not JSON: %w", err), Hint: `write the extra as a JSON object, for example {"iam": true}`}
	}
	if v.Kind != pyjson.Object {
		return Extra{}, &Error{Kind: ErrInvalid, Err: fmt.Errorf("extra is a JSON %s, not an object", v.Kind), Hint: `write the extra as a JSON object, for example {"iam": true}`}
	}
	return Extra{NewSecret(text)}, nil
}

// Reveal returns the text, byte for byte as it was read, secrets included.
func (e Extra) Reveal() string { return e.text.Reveal() }

// IsZero reports whether there is no text.
func (e Extra) IsZero() bool { return e.text.IsZero() }

// value is the parsed text; ParseExtra made sure that it parses.
func (e Extra) value() pyjson.Value {
	if e.IsZero() {
		return pyjson.Value{Kind: pyjson.Object}
	}
	v, _ := pyjson.Parse(e.Reveal())
	return v
}

// All yields the keys in order with the JSON text of each value, secrets included; of a repeated key the last value.
func (e Extra) All() iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		for k, v := range e.value().All() {
			if !yield(k, string(pyjson.Append(nil, v, pyjson.Strict))) {
				return
			}
		}
	}
}

// Text returns the string value of a key, or the text of its number or boolean; "" when it is absent, null, an
// array or an object.
func (e Extra) Text(key string) Secret {
	v, _ := e.value().Lookup(key)
	return NewSecret(v.Scalar())
}

// String returns the masked text.
func (e Extra) String() string {
	if e.IsZero() {
		return ""
	}
	return string(pyjson.Append(nil, mask.Value(e.value()), pyjson.Python))
}

// Format writes the masked text for every verb.
func (e Extra) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, e.String()) }

// MarshalJSON writes the object with its secrets masked.
func (e Extra) MarshalJSON() ([]byte, error) {
	return pyjson.Append(nil, mask.Value(e.value()), pyjson.Strict), nil
}

// LogValue writes the masked text.
func (e Extra) LogValue() slog.Value { return slog.StringValue(e.String()) }
