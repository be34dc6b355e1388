package gateway

import "strings"

// passwordless writes NULL for DISABLE where CREATE USER and ALTER USER have it as the password: PostgreSQL's way to say that
// nobody logs in with one (Amazon Redshift Database Developer Guide, "CREATE USER").
func passwordless(sql string) string {
	const disable = "disable"
	if !strings.Contains(strings.ToLower(sql), disable) {
		return sql
	}
	var out strings.Builder
	written, nth := 0, 0 // of the statement's tokens
	var about, before string
	for at := gap(sql); at < len(sql); {
		end := at + token(sql[at:])
		text := strings.ToLower(sql[at:end])
		switch {
		case text == ";":
			nth, about, before = -1, "", ""
		case nth == 0 && (text == "create" || text == "alter"), nth == 1 && about != "" && text == "user":
			about = text
		case nth <= 1:
			about = ""
		case nth > 3 && about == "user" && before == "password" && text == disable: // the third is the user's name
			out.WriteString(sql[written:at] + "NULL")
			written = end
		}
		if nth++; nth > 3 {
			before = text
		}
		at = end + gap(sql[end:])
	}
	return out.String() + sql[written:]
}

// token measures the word, the literal, the quoted name or the sign that sql begins with, as Redshift reads it: a backslash
// in a literal escapes.
func token(sql string) int {
	switch c := sql[0]; {
	case c == '\'' || c == '"':
		return quoted(sql, c)
	case c == '$':
		if tag := strings.IndexByte(sql[1:], '$') + 2; tag > 1 && word(sql[1:tag-1]) == tag-2 {
			if end := strings.Index(sql[tag:], sql[:tag]); end >= 0 {
				return tag + end + tag
			}
			return len(sql)
		}
	}
	return max(1, word(sql))
}

// quoted measures a literal or a quoted name. Two quotes in it are one.
func quoted(sql string, quote byte) int {
	for n := 1; n < len(sql); n++ {
		switch {
		case sql[n] == '\\' && quote == '\'':
			n++
		case sql[n] != quote:
		case n+1 < len(sql) && sql[n+1] == quote:
			n++
		default:
			return n + 1
		}
	}
	return len(sql)
}
