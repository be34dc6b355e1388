package hermetic

import (
	"maps"
	"slices"

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
