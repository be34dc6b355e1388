package render

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"strings"
	"unicode/utf8"
)

// appendJSON appends a value's JSON. text is PostgreSQL's; nil is NULL. compact asks for documents on one line.
func appendJSON(dst []byte, t Type, text []byte, compact bool) []byte {
	if text == nil {
		return append(dst, "null"...)
	}
	switch t.Kind {
	case Integer, Number:
		return appendNumber(dst, text)
	case Bool:
		return appendBool(dst, text)
	case Document:
		return appendDocument(dst, text, compact)
	case Array:
		return appendArray(dst, t, text, compact)
	case Vector:
		return appendVector(dst, text)
	case Text:
		return appendString(dst, text)
	}
	var room [64]byte
	return appendString(dst, appendText(room[:0], t, text))
}

// appendText appends a value's text as CSV and tables have it. Arrays and documents stay PostgreSQL's own.
func appendText(dst []byte, t Type, text []byte) []byte {
	switch t.Kind {
	case Bool:
		return appendBool(dst, text)
	case Bytes:
		return appendBytes(dst, text)
	case Timestamp:
		return appendTimestamp(dst, text)
	case TimestampTZ:
		return appendTimestampTZ(dst, text)
	}
	return append(dst, text...)
}

func appendBool(dst, text []byte) []byte {
	if len(text) > 0 && text[0] == 't' {
		return append(dst, "true"...)
	}
	return append(dst, "false"...)
}

// appendNumber writes numbers as they are and everything else as strings: NaN and the infinities, for which JSON has no
// word, and whatever a server that means harm calls a number.
func appendNumber(dst, text []byte) []byte {
	if isNumber(text) {
		return append(dst, text...)
	}
	return appendString(dst, text)
}

// isNumber reports whether text is a number in JSON's grammar (RFC 8259, 6), as every finite one of PostgreSQL's is.
func isNumber(text []byte) bool {
	digits, rest := cutDigits(cutOne(text, "-"))
	ok := len(digits) == 1 || len(digits) > 1 && digits[0] != '0'
	if fraction := cutOne(rest, "."); len(fraction) < len(rest) {
		digits, rest = cutDigits(fraction)
		ok = ok && len(digits) > 0
	}
	if exponent := cutOne(rest, "eE"); len(exponent) < len(rest) {
		digits, rest = cutDigits(cutOne(exponent, "+-"))
		ok = ok && len(digits) > 0
	}
	return ok && len(rest) == 0
}

// cutOne returns text without its first byte when that is one of these.
func cutOne(text []byte, of string) []byte {
	if len(text) > 0 && strings.IndexByte(of, text[0]) >= 0 {
		return text[1:]
	}
	return text
}

func cutDigits(text []byte) (digits, rest []byte) {
	n := 0
	for n < len(text) && text[n] >= '0' && text[n] <= '9' {
		n++
	}
	return text[:n], text[n:]
}

// appendDocument embeds a document as it is. What is no JSON, as a Redshift SUPER may hold, becomes a string.
func appendDocument(dst, text []byte, compact bool) []byte {
	if !utf8.Valid(text) { // encoding/json looks at structure only
		text = bytes.ToValidUTF8(text, []byte("\uFFFD"))
	}
	if !compact {
		if json.Valid(text) {
			return append(dst, text...)
		}
		return appendString(dst, text)
	}
	buf := bytes.NewBuffer(dst)
	if err := json.Compact(buf, text); err != nil {
		return appendString(dst, text) // what Compact wrote lies behind dst and is overwritten
	}
	return buf.Bytes()
}

// appendBytes writes \x and hex digits, whatever bytea_output is: the old "escape" form never starts with \x,
// because it doubles backslashes (PostgreSQL documentation, 8.4 Binary Data Types).
func appendBytes(dst, text []byte) []byte {
	if bytes.HasPrefix(text, []byte(`\x`)) {
		return append(dst, text...)
	}
	dst = append(dst, `\x`...)
	for i := 0; i < len(text); i++ {
		b := text[i]
		if b == '\\' && i+1 < len(text) {
			if text[i+1] == '\\' {
				i++
			} else if i+3 < len(text) {
				b = (text[i+1]-'0')<<6 | (text[i+2]-'0')<<3 | (text[i+3] - '0')
				i += 3
			}
		}
		dst = hex.AppendEncode(dst, []byte{b})
	}
	return dst
}

const hexDigits = "0123456789abcdef"

// appendString appends a JSON string: RFC 8259 escapes and nothing else. Bytes that are no UTF-8, as a database in
// SQL_ASCII may send them, become U+FFFD.
func appendString[T []byte | string](dst []byte, s T) []byte {
	dst = append(dst, '"')
	start := 0
	for i := 0; i < len(s); {
		b := s[i]
		if b >= ' ' && b != '"' && b != '\\' && b < utf8.RuneSelf {
			i++
			continue
		}
		if b >= utf8.RuneSelf {
			r, size := utf8.DecodeRuneInString(string(s[i:min(i+utf8.UTFMax, len(s))]))
			if r != utf8.RuneError || size > 1 {
				i += size
				continue
			}
		}
		dst = append(dst, s[start:i]...)
		dst = appendEscaped(dst, b)
		i++
		start = i
	}
	return append(append(dst, s[start:]...), '"')
}

func appendEscaped(dst []byte, b byte) []byte {
	switch b {
	case '"', '\\':
		return append(dst, '\\', b)
	case '\n':
		return append(dst, `\n`...)
	case '\r':
		return append(dst, `\r`...)
	case '\t':
		return append(dst, `\t`...)
	case '\b':
		return append(dst, `\b`...)
	case '\f':
		return append(dst, `\f`...)
	}
	if b >= utf8.RuneSelf {
		return append(dst, `\ufffd`...)
	}
	return append(dst, '\\', 'u', '0', '0', hexDigits[b>>4], hexDigits[b&15])
}
