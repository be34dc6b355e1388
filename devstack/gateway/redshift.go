package gateway

import (
	"bytes"
	"encoding/binary"
	"strings"
	"unicode"

	"github.com/jackc/pgx/v5/pgproto3"
)

// What a Redshift cluster says it is. Its version is that of the PostgreSQL it was made from.
const (
	RedshiftServer  = "8.0.2"
	RedshiftVersion = "PostgreSQL 8.0.2 on i686-pc-linux-gnu, compiled by GCC gcc (GCC) 3.4.2 20041017 (Red Hat 3.4.2-6.fc3), Redshift " + redshiftRelease
	redshiftRelease = "1.0.12103"
)

// report is a ParameterStatus as Redshift has it. It does not tell standard_conforming_strings, from which clients
// gather that backslashes escape.
func report(frame []byte) []byte {
	name, _, _ := cut(frame[5:])
	switch name {
	case "server_version":
		return encode(&pgproto3.ParameterStatus{Name: name, Value: RedshiftServer})
	case "standard_conforming_strings", "scram_iterations", "default_transaction_read_only", "in_hot_standby", "search_path":
		return nil // those that came after 8.0
	}
	return frame
}

// settings are Redshift's own, with their defaults (Amazon Redshift, "Modifying the server configuration"; readonly is what
// its JDBC driver sets). PostgreSQL keeps any setting whose name has a prefix.
var settings = map[string]string{
	"query_group": "default", "enable_result_cache_for_session": "on", "wlm_query_slot_count": "1", "enable_case_sensitive_identifier": "off",
	"json_serialization_enable": "off", "describe_field_name_in_uppercase": "off", "readonly": "off",
}

const prefix = "redshift."

// asRedshift lets SET, SHOW and RESET find Redshift's own settings, and answers SHOW server_version, a setting that
// PostgreSQL does not let anybody change.
func asRedshift(frame []byte) []byte {
	head, sql := frame[:5], frame[5:]
	if frame[0] == 'P' {
		name, rest, found := bytes.Cut(sql, []byte{0})
		if !found {
			return frame // the server says what is wrong with it
		}
		head, sql = frame[:5+len(name)+1], rest
	}
	sql, tail, found := bytes.Cut(sql, []byte{0})
	if !found {
		return frame
	}
	text := statement(string(sql))
	if text == string(sql) {
		return frame
	}
	out := append(append(bytes.Clone(head), text...), 0)
	out = append(out, tail...)
	binary.BigEndian.PutUint32(out[1:], uint32(len(out)-1))
	return out
}

func statement(sql string) string {
	sql = passwordless(sql)
	verb, from, to := setting(sql)
	name := strings.ToLower(sql[from:to])
	if rest := strings.TrimRight(sql[to:], "; \t\r\n"); verb == "show" && name == "server_version" && gap(rest) == len(rest) {
		return "SELECT '" + RedshiftServer + "'::text AS server_version"
	}
	if _, own := settings[name]; !own {
		return sql
	}
	return sql[:from] + prefix + sql[from:]
}

// setting finds the verb and the name where SET, SHOW and RESET have them, behind comments too.
func setting(sql string) (verb string, from, to int) {
	next := func() string {
		from = to + gap(sql[to:])
		to = from + word(sql[from:])
		return strings.ToLower(sql[from:to])
	}
	switch verb = next(); verb {
	case "set":
		if scope := next(); scope == "session" || scope == "local" {
			next()
		}
	case "show", "reset":
		next()
	default:
		return "", 0, 0
	}
	return verb, from, to
}

// word measures the name or keyword that sql begins with.
func word(sql string) int {
	return len(sql) - len(strings.TrimLeftFunc(sql, func(r rune) bool { return r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r) }))
}

// gap measures the white space and comments that sql begins with. Comments nest (PostgreSQL manual, 4.1.5 Comments).
func gap(sql string) int {
	n := 0
	for depth := 0; n < len(sql); {
		rest := sql[n:]
		switch {
		case strings.HasPrefix(rest, "/*"):
			depth++
			n += 2
		case depth > 0 && strings.HasPrefix(rest, "*/"):
			depth--
			n += 2
		case depth > 0 || strings.IndexByte(" \t\r\n\f\v", rest[0]) >= 0:
			n++
		case strings.HasPrefix(rest, "--"):
			end := strings.IndexAny(rest, "\r\n")
			if end < 0 {
				return len(sql)
			}
			n += end
		default:
			return n
		}
	}
	return n
}
