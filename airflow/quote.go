package airflow

import (
	"strings"
	"unicode/utf8"

	"github.com/airhook-go/airhook/internal/pyjson"
)

const upperHex = "0123456789ABCDEF"

// bare reports whether Python's quote leaves a byte as it is, with no byte declared safe.
func bare(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("_.-~", c) >= 0
}

// quote is urllib.parse.quote(s, safe="").
func quote(s string) string { return string(appendQuoted(nil, s, false)) }

// quoteForm is urllib.parse.quote_plus(s): a blank is a plus sign.
func quoteForm(s string) string { return string(appendQuoted(nil, s, true)) }

func appendQuoted(dst []byte, s string, form bool) []byte {
	for _, c := range []byte(s) {
		switch {
		case bare(c):
			dst = append(dst, c)
		case c == ' ' && form:
			dst = append(dst, '+')
		default:
			dst = append(dst, '%', upperHex[c>>4], upperHex[c&15])
		}
	}
	return dst
}

// unquote is urllib.parse.unquote: malformed escapes stay, and what is no UTF-8 becomes U+FFFD. Python decodes each run
// of ASCII by itself, so an escape never completes a character that was begun by another's raw bytes.
func unquote(s string) string {
	if strings.IndexByte(s, '%') < 0 {
		return s
	}
	var out strings.Builder
	for len(s) > 0 {
		n := asciiPrefix(s)
		out.WriteString(replaceIllFormed(unescape(s[:n])))
		rest := s[n:]
		n = 0
		for n < len(rest) && rest[n] >= utf8.RuneSelf {
			n++
		}
		out.WriteString(rest[:n])
		s = rest[n:]
	}
	return out.String()
}

func asciiPrefix(s string) int {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return i
		}
	}
	return len(s)
}

func unescape(s string) []byte {
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) && hexValue(s[i+1]) >= 0 && hexValue(s[i+2]) >= 0 {
			out = append(out, byte(hexValue(s[i+1])<<4|hexValue(s[i+2])))
			i += 2
			continue
		}
		out = append(out, s[i])
	}
	return out
}

func hexValue(c byte) int {
	if c >= 'a' && c <= 'f' {
		c -= 'a' - 'A'
	}
	return strings.IndexByte(upperHex, c)
}

// replaceIllFormed puts one U+FFFD in the place of each maximal part of a character that is cut short, and of each other
// byte that is no UTF-8, as Python's decoder does (Unicode 3.9, table 3-8); Go's own functions count differently.
func replaceIllFormed(b []byte) string {
	if utf8.Valid(b) {
		return string(b)
	}
	var out strings.Builder
	for len(b) > 0 {
		r, size := utf8.DecodeRune(b)
		if r == utf8.RuneError && size == 1 {
			size = illFormed(b)
		}
		out.WriteRune(r)
		b = b[size:]
	}
	return out.String()
}

// illFormed is the length of the part that one U+FFFD stands for. A part is the beginning of a character if it can be
// completed to one.
func illFormed(b []byte) int {
	for n := min(3, len(b)); n > 1; n-- {
		for _, tail := range []string{"\x80", "\xbf", "\x80\x80", "\xbf\xbf"} {
			if utf8.ValidString(string(b[:n]) + tail) {
				return n
			}
		}
	}
	return 1
}

// parseForm is dict(parse_qsl(query, keep_blank_values=True)) in the order of the dict; its values are strings.
func parseForm(query string) pyjson.Value {
	form := pyjson.Value{Kind: pyjson.Object}
	for piece := range strings.SplitSeq(query, "&") {
		if piece == "" {
			continue
		}
		key, value, _ := strings.Cut(piece, "=")
		text := pyjson.Value{Kind: pyjson.String, Text: unquoteForm(value)}
		form.Members = append(form.Members, pyjson.Member{Key: unquoteForm(key), Value: text})
	}
	return form
}

func unquoteForm(s string) string { return unquote(strings.ReplaceAll(s, "+", " ")) }
