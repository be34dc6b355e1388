package hermetic

import (
	"maps"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

var options = map[string][]string{
	"channel_binding": {"disable", "prefer", "require"}, "sslnegotiation": {"postgres", "direct"}, "sslcertmode": {"disable", "allow", "require"},
	"target_session_attrs": {"any", "read-write", "read-only", "primary", "standby", "prefer-standby"}, "require_auth": nil,
}

// Options are libpq's keywords that pgx has fields for and [Apply] sets, sorted.
func Options() []string { return slices.Sorted(maps.Keys(options)) }

// Values are the values that an option may have; nil when it may have any.
func Values(option string) (values []string, known bool) {
	values, known = options[option]
	return values, known
}

// methods are the ways to log in that require_auth may name (PostgreSQL manual, 34.1.2).
var methods = []string{"password", "md5", "gss", "sspi", "scram-sha-256", "oauth", "none"}

// Problem says what an option may be that is not; "" when the value is one that it may have.
func Problem(option, value string) string {
	allowed := options[option]
	switch {
	case option == "require_auth" && !areMethods(value):
		return "a list of " + strings.Join(methods, ", ") + ", separated by commas: each once, and an exclamation mark before all of them or none"
	case allowed != nil && !slices.Contains(allowed, value):
		return "one of " + strings.Join(allowed, ", ")
	}
	return ""
}

// areMethods reports whether a list is one as libpq takes it; an empty one asks for nothing.
func areMethods(list string) bool {
	seen, negated := map[string]bool{}, strings.HasPrefix(strings.TrimSpace(list), "!")
	for _, item := range strings.Split(list, ",") {
		method, not := strings.CutPrefix(strings.TrimSpace(item), "!")
		if seen[method] || !slices.Contains(methods, method) || not != negated {
			return list == ""
		}
		seen[method] = true
	}
	return true
}

// Apply sets options in a config.
func Apply(cc *pgconn.Config, values map[string]string) {
	for option, value := range values {
		switch option {
		case "channel_binding":
			cc.ChannelBinding = value
		case "sslnegotiation":
			cc.SSLNegotiation = value
		case "sslcertmode":
			cc.SSLCertMode = value
		case "require_auth":
			cc.RequireAuth = value
		case "target_session_attrs":
			cc.ValidateConnect = map[string]pgconn.ValidateConnectFunc{
				"read-write": pgconn.ValidateConnectTargetSessionAttrsReadWrite, "read-only": pgconn.ValidateConnectTargetSessionAttrsReadOnly,
				"primary": pgconn.ValidateConnectTargetSessionAttrsPrimary, "standby": pgconn.ValidateConnectTargetSessionAttrsStandby,
				"prefer-standby": pgconn.ValidateConnectTargetSessionAttrsPreferStandby,
			}[value]
		}
	}
}
