package extras

import (
	"maps"
	"slices"
	"strings"
)

// startup are the keys that become startup parameters; on Redshift, which may refuse a name that it doesn't know, only
// the first three.
var startup = []string{
	"application_name", "client_encoding", "options",
	"datestyle", "default_transaction_read_only", "extra_float_digits", "idle_in_transaction_session_timeout", "intervalstyle", "lock_timeout",
	"role", "search_path", "statement_timeout", "timezone",
}

// redshiftSettings are parameters that Redshift knows (Amazon Redshift Database Developer Guide, "Configuration
// reference"): SET in each new session.
var redshiftSettings = []string{
	"analyze_threshold_percent", "datestyle", "describe_field_name_in_uppercase", "enable_case_sensitive_identifier",
	"enable_case_sensitive_super_attribute", "enable_numeric_rounding", "enable_result_cache_for_session", "extra_float_digits",
	"json_serialization_enable", "json_serialization_parse_nested_strings", "query_group", "search_path", "statement_timeout", "timezone",
	"wlm_query_slot_count",
}

// Names are the spellings of all options and the keys of parameters, for suggestions.
func Names() []string {
	all := append(slices.Collect(maps.Keys(spelt())), startup...)
	all = append(all, redshiftSettings...)
	slices.Sort(all)
	return slices.Compact(all)
}

// Startup reports whether a key is a startup parameter of PostgreSQL. The names of parameters know no case.
func Startup(key string) bool { return slices.Contains(startup, strings.ToLower(key)) }

// RedshiftStartup reports whether a key is a startup parameter that Redshift takes too.
func RedshiftStartup(key string) bool { return slices.Contains(startup[:3], strings.ToLower(key)) }

// RedshiftSetting reports whether a key is a parameter that is SET in each new session with Redshift.
func RedshiftSetting(key string) bool { return slices.Contains(redshiftSettings, strings.ToLower(key)) }

// RedshiftSet is the statement that sets a parameter of Redshift. A search_path is a list of names: those in double quotes
// as they stand, others in lower case. To Redshift a backslash in a literal is an escape.
func RedshiftSet(key, value string) string {
	values := []string{value}
	if strings.EqualFold(key, "search_path") {
		values = identifiers(value)
	}
	for i, v := range values {
		values[i] = "'" + strings.NewReplacer(`\`, `\\`, "'", "''").Replace(v) + "'"
	}
	return "SET " + key + " TO " + strings.Join(values, ", ")
}

// identifiers splits a list of names at the commas outside double quotes, as PostgreSQL does (SplitIdentifierString).
func identifiers(list string) []string {
	var names []string
	for more := true; more; {
		list = strings.TrimLeft(list, " \t\r\n")
		var name, rest string
		if quoted, ok := strings.CutPrefix(list, `"`); ok {
			name, rest = unquote(quoted)
			_, list, more = strings.Cut(rest, ",")
		} else {
			name, list, more = strings.Cut(list, ",")
			name = strings.ToLower(strings.TrimRight(name, " \t\r\n"))
		}
		names = append(names, name)
	}
	return names
}

// unquote reads a quoted name after its opening quote; two quotes in it are one.
func unquote(text string) (name, rest string) {
	for {
		part, after, _ := strings.Cut(text, `"`)
		name += part
		text, _ = strings.CutPrefix(after, `"`)
		if text == after {
			return name, after
		}
		name += `"`
	}
}

// ignored are known keys without effect here, by why.
var ignored = map[string][]string{
	"it shapes Airflow's own cursors, engines and SQL": {
		"cursor", "sqlalchemy_scheme", "sqlalchemy_query", "placeholder", "insert_statement_format", "replace_statement_format",
		"escape_word_format", "escape_column_names", "dialect", "sqlalchemy_url", "connect_args", "engine_kwargs", "charset",
	},
	"it is an option of redshift_connector": {
		"access_key_id", "secret_access_key", "session_token", "credentials_provider", "idp_host", "idp_port", "idp_tenant", "idp_response_timeout",
		"client_id", "client_secret", "serverless_acct_id", "max_prepared_statements", "numeric_to_float", "allow_db_user_override",
		"app_id", "app_name", "application", "client_protocol_version", "database_metadata_current_db_only", "endpoint_url", "force_lowercase",
		"iam_disable_cache", "idc_client_display_name", "idc_region", "identity_namespace", "idp_partition", "issuer_url", "listen_port", "login_to_rp", "login_url",
		"partner_sp_id", "preferred_role", "principal_arn", "provider_name", "replication", "role_session_name", "scope", "source_address", "sql_server_custom_domain_name",
		"ssl_insecure", "token", "token_type", "unix_sock", "user_agent", "web_identity_token", "driver", "cluster_acct_id", "timeout_seconds",
	},
	"pgx has no such setting": {
		"fallback_application_name", "gssencmode", "krbsrvname", "gsslib", "gssdelegation", "service", "servicefile", "passfile", "load_balance_hosts",
		"min_protocol_version", "max_protocol_version", "sslcompression", "sslsni", "sslkeylogfile", "tcp_user_timeout", "scram_client_key", "scram_server_key",
		"oauth_issuer", "oauth_client_id", "oauth_client_secret", "oauth_scope",
	},
	"the client's key is read without a passphrase":       {"sslpassword"},
	"logins by Microsoft Entra are not what airhook does": {"azure_conn_id"},
	"session tokens stand in the aws connection":          {"aws_session_token"},
}

// Ignored reports why a known key has no effect.
func Ignored(key string) (why string, known bool) {
	for why, keys := range ignored {
		if slices.Contains(keys, key) {
			return why, true
		}
	}
	return "", false
}

// OtherIdentity reports whether an ignored key asks for another identity than the one that airhook would log in with.
func OtherIdentity(key string) bool {
	return slices.Contains([]string{"access_key_id", "secret_access_key", "session_token", "credentials_provider", "azure_conn_id", "web_identity_token"}, key)
}

// Unsafe reports whether passing over a key would leave out a check that somebody asked for.
func Unsafe(key string) bool {
	return slices.Contains([]string{"sslcrl", "sslcrldir", "requirepeer", "requiressl"}, key)
}
