package hook

import (
	"slices"
	"strings"
)

// keeps are the first words of the statements that leave nothing behind in a session of Redshift (Amazon Redshift
// Database Developer Guide, SQL commands).
var keeps = strings.Fields(`select with values table insert update delete merge copy unload show explain fetch move close
	begin start commit end rollback abort savepoint release lock create alter drop truncate comment grant revoke
	vacuum analyze analyse refresh checkpoint notify`)

// touches reports whether a text may have changed the session that it ran in: settings, temporary objects, prepared
// statements, cursors. It is asked of Redshift alone, where a fresh session is a new one: PostgreSQL's are reset whatever
// ran. In doubt the answer is yes. What a view does nobody sees.
func (d dialect) touches(sql string) bool {
	for _, statement := range d.split(sql) {
		for first := range d.words(statement) {
			if !slices.Contains(keeps, first) {
				return true
			}
			break
		}
	}
	return d.temporary(sql)
}

// temporary looks for words of temporary objects and of the server's own functions that change a session.
func (d dialect) temporary(sql string) bool {
	before := ""
	for kind, text := range d.tokens(sql) {
		text = strings.ToLower(text)
		if kind == quoted { // a quoted name works like a plain one
			text = strings.Trim(text, `"`)
		}
		switch {
		case text == "temp", text == "temporary", text == "pg_temp", text == "set_config", text == "setseed",
			strings.HasPrefix(text, "pg_advisory_"), strings.HasPrefix(text, "pg_try_advisory_"), // a server in Redshift's place may have locks of sessions
			before == "#" && kind == word: // CREATE TABLE #name is temporary
			return true
		}
		before = text
	}
	return false
}
