package render

import "bytes"

// appendArray turns PostgreSQL's array text into a JSON array: nested braces, quoted elements with backslashes, NULL
// without quotes, and a prefix of bounds such as [0:2]= that JSON has no place for (PostgreSQL documentation, 8.15.6).
// Text that is no array, or one of more dimensions than PostgreSQL has, becomes a string.
func appendArray(dst []byte, t Type, text []byte, compact bool) []byte {
	at := len(dst)
	p := arrayText{text: text, elem: *t.Elem, delim: t.Delim, compact: compact}
	if p.peek() == '[' {
		p.at = bytes.IndexByte(text, '=') + 1
	}
	dst, ok := p.array(dst)
	if !ok || p.at != len(text) {
		return appendString(dst[:at], text)
	}
	return dst
}

// maxDimensions is PostgreSQL's MAXDIM (utils/array.h).
const maxDimensions = 6

type arrayText struct {
	text    []byte
	at      int
	depth   int
	elem    Type
	delim   byte
	compact bool
	scratch []byte
}

func (p *arrayText) peek() byte {
	if p.at < len(p.text) {
		return p.text[p.at]
	}
	return 0
}

func (p *arrayText) array(dst []byte) ([]byte, bool) {
	if p.peek() != '{' || p.depth == maxDimensions {
		return dst, false
	}
	p.depth++
	p.at++
	dst = append(dst, '[')
	for first := true; ; first = false {
		if first && p.peek() == '}' {
			break
		}
		if !first {
			if p.peek() != p.delim {
				break
			}
			p.at++
			dst = append(dst, ',')
		}
		var ok bool
		if dst, ok = p.element(dst); !ok {
			return dst, false
		}
	}
	if p.peek() != '}' {
		return dst, false
	}
	p.at++
	p.depth--
	return append(dst, ']'), true
}

func (p *arrayText) element(dst []byte) ([]byte, bool) {
	switch p.peek() {
	case '{':
		return p.array(dst)
	case '"':
		value, ok := p.quoted()
		return appendJSON(dst, p.elem, value, p.compact), ok
	}
	start := p.at
	for c := p.peek(); c != 0 && c != p.delim && c != '}'; c = p.peek() {
		p.at++
	}
	value := p.text[start:p.at]
	if len(value) == 0 {
		return dst, false
	}
	if bytes.EqualFold(value, []byte("NULL")) {
		value = nil
	}
	return appendJSON(dst, p.elem, value, p.compact), true
}

func (p *arrayText) quoted() ([]byte, bool) {
	p.scratch = p.scratch[:0]
	for p.at++; p.at < len(p.text); p.at++ {
		switch c := p.text[p.at]; c {
		case '"':
			p.at++
			if p.scratch == nil {
				p.scratch = []byte{}
			}
			return p.scratch, true
		case '\\':
			p.at++
			if p.at == len(p.text) {
				return nil, false
			}
			p.scratch = append(p.scratch, p.text[p.at])
		default:
			p.scratch = append(p.scratch, c)
		}
	}
	return nil, false
}

// appendVector writes "1 2 3" as [1,2,3].
func appendVector(dst, text []byte) []byte {
	dst = append(dst, '[')
	for i, field := range bytes.Fields(text) {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendNumber(dst, field)
	}
	return append(dst, ']')
}
