package hook

import (
	"slices"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// keeps are the first words of the command tags whose commands leave nothing behind in the session
// (PostgreSQL manual, CommandComplete; Redshift's UNLOAD).
var keeps = strings.Fields(`SELECT INSERT UPDATE DELETE MERGE COPY UNLOAD SHOW EXPLAIN FETCH MOVE CLOSE
	BEGIN START COMMIT ROLLBACK SAVEPOINT RELEASE LOCK CREATE ALTER DROP TRUNCATE COMMENT GRANT REVOKE SECURITY
	VACUUM ANALYZE REINDEX CLUSTER REFRESH CHECKPOINT NOTIFY`)

// touches reports whether statements may have changed the session that they ran in: settings, temporary objects,
// prepared statements, cursors, listeners, session locks. The server's tags say it, except for temporary objects
// (CREATE TEMP TABLE has the tag of any table, SELECT INTO TEMP that of a query) and for functions; those are told by
// words in the text. In doubt the answer is yes, and costs a round trip or, on Redshift, a new session. What a trigger
// does nobody sees.
func (d dialect) touches(sql string, tags []pgconn.CommandTag) bool {
	calls := false // functions: definitions and maintenance call none of the user's
	for _, tag := range tags {
		first, rest, _ := strings.Cut(tag.String(), " ")
		if first != "" && !slices.Contains(keeps, first) || rest == "PREPARED" {
			return true
		}
		calls = calls || slices.Contains(calling, first)
	}
	return d.temporary(sql) || calls && !d.backslash && d.foreign(sql) // functions of Redshift's users run no SQL
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
			strings.Contains(text, "advisory_lock"), strings.HasPrefix(text, "dblink_connect"),
			before == "#" && kind == word: // Redshift: CREATE TABLE #name is temporary
			return true
		}
		before = text
	}
	return false
}

// calling are the first words of the tags of statements that may call functions.
var calling = strings.Fields("SELECT INSERT UPDATE DELETE MERGE COPY EXPLAIN FETCH MOVE")

// harmless are words that often stand before a parenthesis: keywords, types, and functions of the server's own that
// leave the session as it is.
var harmless = strings.Fields(`in values exists any all some over filter using on as and or not where from join lateral select then when else
	by distinct returning row array within cube rollup sets materialized case limit offset union except intersect
	numeric decimal varchar char character varying bit timestamp timestamptz time interval float
	count sum avg min max coalesce nullif greatest least cast extract now lower upper length substring substr trim replace concat concat_ws
	round abs floor ceil mod date_trunc date_part to_char to_date to_timestamp to_number to_regclass left right position split_part
	string_agg array_agg json_agg jsonb_agg json_build_object jsonb_build_object row_number rank dense_rank lag lead first_value last_value
	generate_series unnest repeat md5 random current_setting current_database current_schema version pg_backend_pid pg_sleep
	pg_table_size pg_total_relation_size pg_database_size has_table_privilege`)

// foreign looks for calls of functions that the server's makers did not write, as far as names tell. An alias with a
// list of columns looks the same.
func (d dialect) foreign(sql string) bool {
	name, into, table := "", false, false // a name after INTO is a table's
	for kind, text := range d.tokens(sql) {
		switch {
		case kind == symbol && text == "(":
			if name != "" && !slices.Contains(harmless, name) {
				return true
			}
			name = ""
		case kind == word || kind == quoted && text[0] == '"':
			name = strings.ToLower(text)
			if table = into; table {
				name = ""
			}
			into = name == "into"
		case kind > comment:
			name, into, table = "", table && text == ".", false
		}
	}
	return false
}
