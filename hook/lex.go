package hook

import (
	"iter"
	"strings"
)

// tokenKind is what a piece of SQL text is, as far as splitting and placeholders care.
type tokenKind byte

const (
	blank   tokenKind = iota // white space
	comment                  // from -- to the end of the line, or /* … */ with comments inside
	quoted                   // a string or a quoted name, in any of PostgreSQL's quotes
	word                     // a name, keyword or number
	symbol                   // any other byte
)

// dialect is how backslashes in plain strings are read: Redshift keeps the rule of PostgreSQL 8, where they escape.
type dialect struct{ backslash bool }

// tokens yields the pieces of sql; put together they are sql again. Something left open reaches to the end.
// The rules are those of PostgreSQL's scan.l (PostgreSQL manual, 4.1 Lexical Structure).
func (d dialect) tokens(sql string) iter.Seq2[tokenKind, string] {
	return func(yield func(tokenKind, string) bool) {
		for len(sql) > 0 {
			kind, n := d.next(sql)
			if !yield(kind, sql[:n]) {
				return
			}
			sql = sql[n:]
		}
	}
}

// words yields the names, keywords and numbers of sql in lower case.
func (d dialect) words(sql string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for kind, text := range d.tokens(sql) {
			if kind == word && !yield(strings.ToLower(text)) {
				return
			}
		}
	}
}

// next returns the kind and length of the first piece of s, which isn't empty.
func (d dialect) next(s string) (tokenKind, int) {
	c := s[0]
	switch {
	case isBlank(c):
		return blank, run(s, isBlank)
	case strings.HasPrefix(s, "--"):
		return comment, run(s, func(c byte) bool { return c != '\n' && c != '\r' })
	case strings.HasPrefix(s, "/*"):
		return comment, blockComment(s)
	case c == '\'':
		return quoted, quotedString(s, d.backslash)
	case (c == 'e' || c == 'E') && len(s) > 1 && s[1] == '\'':
		return quoted, 1 + quotedString(s[1:], true)
	case c == '"':
		return quoted, closing(s, '"', false)
	case c == '$':
		if n := dollarString(s); n > 0 {
			return quoted, n
		}
		return symbol, 1
	case startsName(c):
		return word, run(s, func(c byte) bool { return isNamePart(c) || c == '$' })
	case isDigit(c):
		return word, run(s, isNamePart)
	}
	return symbol, 1
}

// quotedString measures a string and its continuations: strings go on after white space that holds a line break.
func quotedString(s string, backslash bool) int {
	n := closing(s, '\'', backslash)
	for {
		gap := run(s[n:], isBlank)
		if n+gap == len(s) || s[n+gap] != '\'' || !strings.ContainsAny(s[n:n+gap], "\n\r") {
			return n
		}
		n += gap + closing(s[n+gap:], '\'', backslash)
	}
}

// closing measures from an opening quote to its end. A doubled quote is part of the text.
func closing(s string, quote byte, backslash bool) int {
	for i := 1; i < len(s); i++ {
		switch {
		case backslash && s[i] == '\\':
			i++
		case s[i] == quote && i+1 < len(s) && s[i+1] == quote:
			i++
		case s[i] == quote:
			return i + 1
		}
	}
	return len(s)
}

func blockComment(s string) int {
	depth := 1
	for i := 2; i < len(s); i++ {
		switch {
		case strings.HasPrefix(s[i:], "/*"):
			depth++
			i++
		case strings.HasPrefix(s[i:], "*/"):
			depth--
			i++
			if depth == 0 {
				return i + 1
			}
		}
	}
	return len(s)
}

// dollarString measures $$…$$ or $tag$…$tag$, and is 0 where s starts none, as in $1.
func dollarString(s string) int {
	n := 1
	if n < len(s) && startsName(s[n]) {
		n += run(s[n:], isNamePart)
	}
	if n >= len(s) || s[n] != '$' {
		return 0
	}
	tag := s[:n+1]
	if end := strings.Index(s[len(tag):], tag); end >= 0 {
		return end + 2*len(tag)
	}
	return len(s)
}

func run(s string, in func(byte) bool) int {
	n := 0
	for n < len(s) && in(s[n]) {
		n++
	}
	return n
}

const blanks = " \t\n\r\f\v"

func isBlank(c byte) bool { return strings.IndexByte(blanks, c) >= 0 }

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func startsName(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '_' || c >= 0x80
}

func isNamePart(c byte) bool { return startsName(c) || isDigit(c) }
