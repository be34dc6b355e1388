package hook

import "strings"

// Split cuts SQL text into its statements, without their semicolons and the white space around. Semicolons in quotes,
// comments, parentheses and BEGIN ATOMIC bodies don't cut, as in psql (psqlscan.l). Comments stay with the statement
// that they stand in, so that optimizer hints work; pieces of nothing but comments are dropped.
func Split(sql string) []string { return dialect{}.split(sql) }

// SplitRedshift is Split for Redshift, where a backslash escapes in plain strings: 'it\'s'.
func SplitRedshift(sql string) []string { return dialect{backslash: true}.split(sql) }

func (d dialect) split(sql string) []string {
	var pieces []string
	var s statement
	start, at := 0, 0
	cut := func() {
		if s.any {
			pieces = append(pieces, strings.Trim(sql[start:at], blanks))
		}
	}
	for kind, text := range d.tokens(sql) {
		if kind == symbol && text == ";" && s.depth == 0 && s.body == 0 {
			cut()
			start, s = at+1, statement{}
		} else {
			s.add(kind, text)
		}
		at += len(text)
	}
	cut()
	return pieces
}

// statement is what psql knows of the statement it is reading.
type statement struct {
	any   bool   // there is more than white space and comments
	depth int    // of parentheses
	body  int    // of BEGIN and CASE in a routine's SQL body
	words int    // how many there were
	head  string // first letters of the leading words that matter, as psql keeps them: "cf" for CREATE FUNCTION
}

func (s *statement) add(kind tokenKind, text string) {
	s.any = s.any || kind > comment
	switch {
	case text == "(":
		s.depth++
	case text == ")" && s.depth > 0:
		s.depth--
	case kind == word:
		s.word(strings.ToLower(text))
	}
}

func (s *statement) word(w string) {
	if s.words++; s.words <= 4 {
		switch w {
		case "create", "function", "procedure", "or", "replace":
			s.head += w[:1]
		}
	}
	if s.depth > 0 || !s.createsRoutine() {
		return
	}
	switch {
	case w == "begin", w == "case" && s.body > 0:
		s.body++
	case w == "end" && s.body > 0:
		s.body--
	}
}

func (s *statement) createsRoutine() bool {
	switch s.head {
	case "cf", "cp", "corf", "corp":
		return true
	}
	return false
}
