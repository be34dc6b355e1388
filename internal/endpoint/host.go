package endpoint

import (
	"net/netip"
	"strings"
)

// IsAddress reports whether a host is an IP address.
func IsAddress(host string) bool {
	_, err := netip.ParseAddr(host)
	return err == nil
}

// Problem says what makes a text no host that can be dialled, or "". The directory of a Unix socket is one.
func Problem(host string) string {
	if IsAddress(host) || strings.HasPrefix(host, "/") {
		return ""
	}
	switch {
	case strings.Contains(host, "://"):
		return "holds a scheme (" + host[:strings.Index(host, "://")] + "://)"
	case strings.Contains(host, ","):
		return "names several hosts; airhook connects to one"
	case strings.ContainsAny(host, "@"):
		return "holds credentials"
	case strings.Contains(host, ":"):
		return "holds a port"
	case strings.ContainsFunc(host, notInHost):
		return "holds a character that no host name has"
	}
	return ""
}

func notInHost(c rune) bool { return c <= ' ' || c == 0x7f || strings.ContainsRune("/?#'\"\\<>[]", c) }
