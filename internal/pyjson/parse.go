package pyjson

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// maxDepth bounds nesting, so that hostile text cannot exhaust the stack. Python gives up near 1,000 too.
const maxDepth = 500

// SyntaxError says where text stops being JSON. It never quotes the text, which may hold secrets.
type SyntaxError struct {
	Problem      string
	Line, Column int // from 1
}

func (e *SyntaxError) Error() string {
	return fmt.Sprintf("%s at line %d column %d", e.Problem, e.Line, e.Column)
}

// Parse reads one JSON value with nothing but blanks around it. The error is a [*SyntaxError]. Text that is not UTF-8 is
// refused, as by Python: bytes that stand for nothing would be written as one and the same sign.
func Parse(text string) (Value, error) {
	p := parser{s: text}
	if at := invalid(text); at >= 0 {
		p.i = at
		p.fail("bytes that are not UTF-8")
		return Value{}, p.err
	}
	p.blanks()
	v := p.value(0)
	p.blanks()
	if p.err == nil && p.i < len(p.s) {
		p.fail("extra data")
	}
	if p.err != nil {
		return Value{}, p.err
	}
	return v, nil
}

// invalid is where text stops being UTF-8, or -1.
func invalid(text string) int {
	if utf8.ValidString(text) {
		return -1
	}
	for i, r := range text {
		if _, size := utf8.DecodeRuneInString(text[i:]); r == utf8.RuneError && size == 1 {
			return i
		}
	}
	return -1
}

type parser struct {
	s   string
	i   int
	err error
}

func (p *parser) fail(problem string) Value {
	if p.err == nil {
		before := p.s[:min(p.i, len(p.s))]
		line := strings.Count(before, "\n") + 1
		p.err = &SyntaxError{Problem: problem, Line: line, Column: len(before) - strings.LastIndexByte(before, '\n')}
	}
	return Value{}
}

func (p *parser) blanks() {
	for p.i < len(p.s) && strings.IndexByte(" \t\n\r", p.s[p.i]) >= 0 {
		p.i++
	}
}

func (p *parser) peek() byte {
	if p.i < len(p.s) {
		return p.s[p.i]
	}
	return 0
}

func (p *parser) take(word string) bool {
	if strings.HasPrefix(p.s[p.i:], word) {
		p.i += len(word)
		return true
	}
	return false
}

func (p *parser) value(depth int) Value {
	if depth > maxDepth {
		return p.fail("nested too deeply")
	}
	switch c := p.peek(); {
	case c == '{':
		return p.object(depth)
	case c == '[':
		return p.array(depth)
	case c == '"':
		return Value{Kind: String, Text: p.str()}
	case p.take("null"):
		return Value{}
	case p.take("true"):
		return Value{Kind: Bool, Bool: true}
	case p.take("false"):
		return Value{Kind: Bool}
	case p.take("NaN"):
		return Value{Kind: Number, Text: "NaN"}
	case p.take("Infinity"):
		return Value{Kind: Number, Text: "Infinity"}
	case p.take("-Infinity"):
		return Value{Kind: Number, Text: "-Infinity"}
	}
	return p.number()
}

func (p *parser) object(depth int) Value {
	v := Value{Kind: Object}
	p.i++
	p.blanks()
	if p.peek() == '}' {
		p.i++
		return v
	}
	for p.err == nil {
		if p.peek() != '"' {
			return p.fail("a key in double quotes is missing")
		}
		key := p.str()
		p.blanks()
		if p.peek() != ':' {
			return p.fail("a colon is missing")
		}
		p.i++
		p.blanks()
		v.Members = append(v.Members, Member{key, p.value(depth + 1)})
		p.blanks()
		switch p.peek() {
		case ',':
			p.i++
			p.blanks()
		case '}':
			p.i++
			return v
		default:
			return p.fail("a comma or closing brace is missing")
		}
	}
	return v
}

func (p *parser) array(depth int) Value {
	v := Value{Kind: Array}
	p.i++
	p.blanks()
	if p.peek() == ']' {
		p.i++
		return v
	}
	for p.err == nil {
		v.Items = append(v.Items, p.value(depth+1))
		p.blanks()
		switch p.peek() {
		case ',':
			p.i++
			p.blanks()
		case ']':
			p.i++
			return v
		default:
			return p.fail("a comma or closing bracket is missing")
		}
	}
	return v
}

func (p *parser) digits() int {
	start := p.i
	for p.i < len(p.s) && p.s[p.i] >= '0' && p.s[p.i] <= '9' {
		p.i++
	}
	return p.i - start
}

func (p *parser) number() Value {
	start := p.i
	if p.peek() == '-' {
		p.i++
	}
	if p.peek() == '0' {
		p.i++
	} else if p.digits() == 0 {
		p.i = start
		return p.fail("a value is missing")
	}
	if mark := p.i; p.peek() == '.' {
		p.i++
		if p.digits() == 0 {
			p.i = mark
		}
	}
	if mark := p.i; p.peek() == 'e' || p.peek() == 'E' {
		p.i++
		if p.peek() == '+' || p.peek() == '-' {
			p.i++
		}
		if p.digits() == 0 {
			p.i = mark
		}
	}
	return Value{Kind: Number, Text: p.s[start:p.i]}
}

func (p *parser) str() string {
	p.i++ // the opening quote
	start := p.i
	for p.i < len(p.s) {
		switch c := p.s[p.i]; {
		case c == '"':
			p.i++
			return p.s[start : p.i-1]
		case c == '\\':
			return p.escaped(start)
		case c < 0x20:
			p.fail("a control character inside a string")
			return ""
		}
		p.i++
	}
	p.fail("a string does not end")
	return ""
}

// escaped goes on with a string from its first backslash.
func (p *parser) escaped(start int) string {
	out := []byte(p.s[start:p.i])
	for p.i < len(p.s) {
		c := p.s[p.i]
		switch {
		case c == '"':
			p.i++
			return string(out)
		case c < 0x20:
			p.fail("a control character inside a string")
			return ""
		case c != '\\':
			out = append(out, c)
			p.i++
		default:
			out = p.escape(out)
			if p.err != nil {
				return ""
			}
		}
	}
	p.fail("a string does not end")
	return ""
}

func (p *parser) escape(out []byte) []byte {
	p.i++
	c := p.peek()
	if at := strings.IndexByte(`"\/bfnrt`, c); c != 0 && at >= 0 {
		p.i++
		return append(out, "\"\\/\b\f\n\r\t"[at])
	}
	if c != 'u' {
		p.fail("an unknown escape")
		return out
	}
	r := p.hex()
	if r >= 0xd800 && r < 0xdc00 && strings.HasPrefix(p.s[p.i:], `\u`) {
		mark := p.i
		p.i++
		if low := p.hex(); low >= 0xdc00 && low <= 0xdfff {
			r = 0x10000 + (r-0xd800)<<10 + (low - 0xdc00)
		} else if p.err == nil {
			p.i = mark
		}
	}
	return appendWTF8(out, r)
}

// hex reads u and four hexadecimal digits.
func (p *parser) hex() rune {
	if p.i+5 > len(p.s) {
		p.fail("an escape is cut short")
		return 0
	}
	var r rune
	for _, c := range []byte(p.s[p.i+1 : p.i+5]) {
		d := strings.IndexByte(hexDigits, c|0x20)
		if d < 0 || c < '0' {
			p.fail("an escape that is not hexadecimal")
			return 0
		}
		r = r<<4 | rune(d)
	}
	p.i += 5
	return r
}
