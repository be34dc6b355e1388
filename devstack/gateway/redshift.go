package gateway

import (
	"bytes"
	"encoding/binary"
	"regexp"
	"strings"

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

// ofSettings finds the name of a setting where SET, SHOW and RESET have it.
var ofSettings = regexp.MustCompile(`(?i)^\s*(?:set\s+(?:session\s+|local\s+)?|show\s+|reset\s+)([a-z_]+)`)

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
	if strings.EqualFold(strings.Join(strings.Fields(strings.TrimRight(sql, "; \t\r\n")), " "), "show server_version") {
		return "SELECT '" + RedshiftServer + "'::text AS server_version"
	}
	at := ofSettings.FindStringSubmatchIndex(sql)
	if at == nil {
		return sql
	}
	if _, own := settings[strings.ToLower(sql[at[2]:at[3]])]; !own {
		return sql
	}
	return sql[:at[2]] + prefix + sql[at[2]:]
}
