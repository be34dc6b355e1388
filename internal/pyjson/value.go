package pyjson

import (
	"iter"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Kind is what a [Value] is.
type Kind uint8

// The kinds of a JSON value. Number covers NaN, Infinity and -Infinity too, as Python has them.
const (
	Null Kind = iota
	Bool
	Number
	String
	Array
	Object
)

func (k Kind) String() string {
	return [...]string{"null", "boolean", "number", "string", "array", "object"}[k]
}

// Value is one JSON value. Numbers keep the text that was read. The zero Value is null.
type Value struct {
	Kind Kind
	// Bool is the value of a boolean.
	Bool bool
	// Text is a number's text or a string's content. A lone surrogate stands in it as its three-byte
	// (WTF-8) form, so that it can be written again.
	Text string
	// Items are the elements of an array.
	Items []Value
	// Members are the members of an object, in order, duplicates included.
	Members []Member
}

// Member is one key of an object.
type Member struct {
	Key   string
	Value Value
}

// Lookup returns the member of that key; of several the last, as Python does.
func (v Value) Lookup(key string) (Value, bool) {
	for i := len(v.Members) - 1; i >= 0; i-- {
		if v.Members[i].Key == key {
			return v.Members[i].Value, true
		}
	}
	return Value{}, false
}

// Scalar returns the content of a string, the text of a number, and "true" or "false"; "" of anything else.
func (v Value) Scalar() string {
	switch v.Kind {
	case String, Number:
		return v.Text
	case Bool:
		return strconv.FormatBool(v.Bool)
	}
	return ""
}

// All yields an object's members as a Python dict has them: each key once, at the place where it came
// first, with the value that came last.
func (v Value) All() iter.Seq2[string, Value] {
	return func(yield func(string, Value) bool) {
		last := make(map[string]int, len(v.Members))
		for i, m := range v.Members {
			last[m.Key] = i
		}
		for _, m := range v.Members {
			i, first := last[m.Key]
			if !first {
				continue
			}
			delete(last, m.Key)
			if !yield(m.Key, v.Members[i].Value) {
				return
			}
		}
	}
}

// Valid reports whether every string in v is valid Unicode, that is without lone surrogates.
func (v Value) Valid() bool {
	if !utf8.ValidString(v.Text) {
		return false
	}
	for _, item := range v.Items {
		if !item.Valid() {
			return false
		}
	}
	for _, m := range v.Members {
		if !utf8.ValidString(m.Key) || !m.Value.Valid() {
			return false
		}
	}
	return true
}

// Style is how [Append] writes.
type Style uint8

const (
	// Python writes what json.dumps writes: ", " and ": ", ASCII only, NaN and Infinity bare.
	Python Style = iota
	// Strict writes compact JSON of RFC 8259: UTF-8, NaN and infinities as strings, lone surrogates as U+FFFD.
	Strict
)

// Append writes v to dst.
func Append(dst []byte, v Value, style Style) []byte {
	switch v.Kind {
	case Bool:
		return strconv.AppendBool(dst, v.Bool)
	case Number:
		if style == Strict && strings.ContainsAny(v.Text, "NI") {
			return AppendString(dst, v.Text, style)
		}
		return append(dst, v.Text...)
	case String:
		return AppendString(dst, v.Text, style)
	case Array:
		dst = append(dst, '[')
		for i, item := range v.Items {
			dst = comma(dst, i, style)
			dst = Append(dst, item, style)
		}
		return append(dst, ']')
	case Object:
		dst = append(dst, '{')
		i := 0
		for k, item := range v.All() {
			dst = comma(dst, i, style)
			dst = AppendString(dst, k, style)
			dst = append(dst, ':')
			if style == Python {
				dst = append(dst, ' ')
			}
			dst = Append(dst, item, style)
			i++
		}
		return append(dst, '}')
	}
	return append(dst, "null"...)
}

func comma(dst []byte, i int, style Style) []byte {
	if i == 0 {
		return dst
	}
	if style == Python {
		return append(dst, ", "...)
	}
	return append(dst, ',')
}

const hexDigits = "0123456789abcdef"

// AppendString writes s as a JSON string.
func AppendString(dst []byte, s string, style Style) []byte {
	dst = append(dst, '"')
	for i := 0; i < len(s); {
		if c := s[i]; c < utf8.RuneSelf {
			dst = appendASCII(dst, c)
			i++
			continue
		}
		r, size := decode(s[i:])
		i += size
		switch {
		case style == Python:
			dst = appendEscaped(dst, r)
		case isSurrogate(r):
			dst = utf8.AppendRune(dst, utf8.RuneError)
		default:
			dst = utf8.AppendRune(dst, r)
		}
	}
	return append(dst, '"')
}

func appendASCII(dst []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(dst, '\\', c)
	case '\n':
		return append(dst, '\\', 'n')
	case '\r':
		return append(dst, '\\', 'r')
	case '\t':
		return append(dst, '\\', 't')
	case '\b':
		return append(dst, '\\', 'b')
	case '\f':
		return append(dst, '\\', 'f')
	}
	if c < 0x20 {
		return append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
	}
	return append(dst, c)
}

// appendEscaped writes a rune as one \u escape or, outside the basic plane, as a surrogate pair.
func appendEscaped(dst []byte, r rune) []byte {
	if r >= 0x10000 {
		r -= 0x10000
		dst = appendEscaped(dst, 0xd800+(r>>10))
		return appendEscaped(dst, 0xdc00+(r&0x3ff))
	}
	return append(dst, '\\', 'u', hexDigits[r>>12&15], hexDigits[r>>8&15], hexDigits[r>>4&15], hexDigits[r&15])
}

func isSurrogate(r rune) bool { return r >= 0xd800 && r <= 0xdfff }

// decode reads a rune of WTF-8: UTF-8 in which a lone surrogate has its three-byte form.
func decode(s string) (rune, int) {
	r, size := utf8.DecodeRuneInString(s)
	if r != utf8.RuneError || size != 1 {
		return r, size
	}
	if len(s) >= 3 && s[0] == 0xed && s[1] >= 0xa0 && s[1] <= 0xbf && s[2]&0xc0 == 0x80 {
		return rune(s[0]&0x0f)<<12 | rune(s[1]&0x3f)<<6 | rune(s[2]&0x3f), 3
	}
	return r, size
}

func appendWTF8(dst []byte, r rune) []byte {
	if isSurrogate(r) {
		return append(dst, 0xe0|byte(r>>12), 0x80|byte(r>>6&0x3f), 0x80|byte(r&0x3f))
	}
	return utf8.AppendRune(dst, r)
}
