package airhook

import (
	"fmt"
	"io"
	"log/slog"
	"unique"

	"github.com/airhook-go/airhook/internal/mask"
)

// Secret holds a password, token or key. It masks itself in every format verb, in JSON and in slog, also inside
// other values, and cannot be read back from its mask: decoding JSON into one is an error. Secrets compare with ==.
// The zero Secret is the empty one.
type Secret struct {
	// A handle and not a string: fmt prints unexported fields without asking their methods, and what it
	// prints of a handle is an address.
	handle unique.Handle[string]
}

// NewSecret wraps a plain text.
func NewSecret(plain string) Secret {
	if plain == "" {
		return Secret{}
	}
	return Secret{unique.Make(plain)}
}

// Reveal returns the plain text. Whoever calls it keeps it out of errors, logs and URLs.
func (s Secret) Reveal() string {
	if s.IsZero() {
		return ""
	}
	return s.handle.Value()
}

// IsZero reports whether the secret is empty.
func (s Secret) IsZero() bool { return s == Secret{} }

// String returns the mask, or nothing for an empty secret.
func (s Secret) String() string {
	if s.IsZero() {
		return ""
	}
	return mask.Text
}

// Format writes the mask for every verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// MarshalText writes the mask. There is no UnmarshalText on purpose.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// LogValue writes the mask.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }
