package hook

import "strings"

// CopyStream reports whether a statement is COPY … FROM STDIN, which waits for data from us (in), or COPY … TO STDOUT,
// which sends it to us (out). Both leave the protocol of queries.
func CopyStream(statement string) (in, out bool) { return dialect{}.copyStream(statement) }

// copyStream looks at what stands after COPY's FROM or TO. PostgreSQL takes STDIN and STDOUT for the same (gram.y,
// copy_file_name). FROM and TO are reserved: outside parentheses they are no name, unless a dot stands before them.
func (d dialect) copyStream(statement string) (in, out bool) {
	depth, first, before, direction := 0, true, "", ""
	for kind, text := range d.tokens(statement) {
		if kind <= comment {
			continue
		}
		text = strings.ToLower(text)
		switch {
		case first && text != "copy":
			return false, false
		case direction != "":
			ours := text == "stdin" || text == "stdout"
			return ours && direction == "from", ours && direction == "to"
		case text == "(":
			depth++
		case text == ")":
			depth--
		case depth == 0 && before != "." && (text == "from" || text == "to"):
			direction = text
		}
		first, before = false, text
	}
	return false, false
}
