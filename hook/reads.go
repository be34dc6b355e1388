package hook

import (
	"slices"
	"strings"
)

// onlyReads reports whether ending the statement early loses rows and nothing else, as far as its text tells: what a
// view, an operator or an overload of a built-in function does stands elsewhere. In doubt the answer is no.
func (d dialect) onlyReads(sql string) bool {
	at := 0
	for w := range d.words(sql) {
		switch w {
		case "insert", "update", "delete", "merge", "into", "call":
			return false
		case "select", "with", "values", "table":
		default:
			if at == 0 {
				return false
			}
		}
		at++
	}
	return at > 0 && (d.backslash || !d.foreign(sql)) // functions of Redshift's users write nothing
}

// harmless are words that often stand before a parenthesis: keywords, types, and functions of the server's own that
// change nothing.
var harmless = strings.Fields(`in values exists any all some over filter using on as and or not where from join lateral select then when else
	by distinct returning row array within group cube rollup sets materialized case limit offset union except intersect between like
	numeric decimal varchar char character varying bit timestamp timestamptz time timetz interval float
	count sum avg min max stddev variance percentile_cont percentile_disc mode bool_and bool_or every
	coalesce nullif greatest least cast extract overlay now age clock_timestamp
	lower upper initcap length char_length octet_length substring substr trim btrim ltrim rtrim lpad rpad replace translate reverse
	concat concat_ws format left right position strpos split_part starts_with ascii chr quote_ident quote_literal
	regexp_replace regexp_match regexp_matches regexp_split_to_array regexp_split_to_table encode decode
	round trunc abs sign floor ceil ceiling mod div power sqrt exp ln log random width_bucket
	date_trunc date_part date_bin make_date make_interval make_timestamp make_timestamptz to_char to_date to_timestamp to_number to_regclass
	string_agg array_agg json_agg jsonb_agg json_object_agg jsonb_object_agg json_build_object jsonb_build_object to_json to_jsonb row_to_json
	json_array_elements jsonb_array_elements json_array_elements_text jsonb_array_elements_text json_each jsonb_each json_each_text jsonb_each_text
	array_length array_to_string string_to_array array_position cardinality
	row_number rank dense_rank percent_rank ntile lag lead first_value last_value nth_value
	generate_series generate_subscripts unnest repeat md5 sha256 gen_random_uuid
	current_setting current_database current_schema version pg_backend_pid pg_sleep pg_typeof
	pg_table_size pg_total_relation_size pg_relation_size pg_database_size has_table_privilege`)

// foreign looks for calls of functions that the server's makers did not write, as far as names tell.
func (d dialect) foreign(sql string) bool {
	var c call
	for kind, text := range d.tokens(sql) {
		switch {
		case kind == symbol && text == "(":
			if c.foreign() {
				return true
			}
			c = call{}
		case kind == symbol && text == ".":
			c.dotted = true
		case kind == word || kind == quoted && text[0] == '"':
			c = c.name(strings.ToLower(text))
		case kind > comment:
			c = call{}
		}
	}
	return false
}

// call is the name that an opening parenthesis would call, with what stands before it.
type call struct {
	before, schema, function string
	dotted                   bool // a dot was read last
}

func (c call) name(text string) call {
	if c.dotted {
		return call{before: c.before, schema: c.function, function: text}
	}
	return call{before: c.function, function: text}
}

func (c call) foreign() bool {
	switch {
	case c.function == "", c.before == "as", c.before == "with", c.before == "recursive": // an alias's list of columns
		return false
	}
	return c.schema != "" && c.schema != "pg_catalog" || !slices.Contains(harmless, c.function)
}
