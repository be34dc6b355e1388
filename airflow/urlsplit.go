package airflow

import (
	"errors"
	"net/netip"
	"regexp"
	"strconv"
	"strings"

	"golang.org/x/text/unicode/norm"
)

// splitURL are the parts of a URI as Python 3.11's urllib.parse.urlsplit cuts them, nothing decoded. net/url cuts
// elsewhere: it refuses what Python takes, and takes what Python refuses.
type splitURL struct{ scheme, netloc, path, query string }

const whatwgBlanks = "\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10\x11\x12\x13\x14\x15\x16\x17\x18\x19\x1a\x1b\x1c\x1d\x1e\x1f "

var vanishing = strings.NewReplacer("\t", "", "\r", "", "\n", "")

var (
	errIPv6     = errors.New("the brackets of the host don't hold an IPv6 address")
	errPort     = errors.New("the port is not a number from 0 to 65535")
	errLookUp   = errors.New("the host holds a character that another program may take for a mark, one of /?#@: in a URI")
	errProtocol = errors.New("it has more than one ://, or something other than a host's protocol before the second")
	errUTF8     = errors.New("it is not UTF-8 text")
)

func urlsplit(uri string) (splitURL, error) {
	var u splitURL
	rest := vanishing.Replace(strings.TrimLeft(uri, whatwgBlanks))
	if scheme, after, ok := strings.Cut(rest, ":"); ok && isScheme(scheme) {
		u.scheme, rest = strings.ToLower(scheme), after
	}
	if strings.HasPrefix(rest, "//") {
		rest = rest[2:]
		end := strings.IndexAny(rest, "/?#")
		if end < 0 {
			end = len(rest)
		}
		u.netloc, rest = rest[:end], rest[end:]
	}
	rest, _, _ = strings.Cut(rest, "#")
	u.path, u.query, _ = strings.Cut(rest, "?")
	return u, checkNetloc(u.netloc)
}

// isScheme is the rule of RFC 3986: a letter, then letters, digits, + - and dots.
func isScheme(s string) bool {
	for i := range len(s) {
		c := s[i] | 0x20
		letter := c >= 'a' && c <= 'z'
		if !letter && (i == 0 || (s[i] < '0' || s[i] > '9') && strings.IndexByte("+-.", s[i]) < 0) {
			return false
		}
	}
	return s != ""
}

var ipvFuture = regexp.MustCompile(`\Av[a-fA-F0-9]+\..+\z`)

func checkNetloc(netloc string) error {
	opens, closes := strings.Contains(netloc, "["), strings.Contains(netloc, "]")
	if opens != closes {
		return errIPv6
	}
	if opens {
		_, in, _ := strings.Cut(netloc, "[")
		in, _, _ = strings.Cut(in, "]")
		if !bracketed(in) {
			return errIPv6
		}
	}
	// A host must not turn into another authority when somebody normalises it (CVE-2019-9636).
	plain := strings.NewReplacer("@", "", ":", "", "#", "", "?", "").Replace(netloc)
	if normal := norm.NFKC.String(plain); normal != plain && strings.ContainsAny(normal, "/?#@:") {
		return errLookUp
	}
	return nil
}

func bracketed(host string) bool {
	if strings.HasPrefix(host, "v") {
		return ipvFuture.MatchString(host)
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Is6() && strings.Count(host, "%") < 2
}

// login returns the credentials before the last @, still quoted, and whether each is there.
func (u splitURL) login() (login, password string, hasLogin, hasPassword bool) {
	at := strings.LastIndexByte(u.netloc, '@')
	if at < 0 {
		return "", "", false, false
	}
	login, password, hasPassword = strings.Cut(u.netloc[:at], ":")
	return login, password, true, hasPassword
}

// host returns the decoded host, in lower case up to its first percent sign as Python has it. One that is a path keeps
// its case, and is read up to the first colon.
func (u splitURL) host() string {
	host, _ := u.hostPort()
	head, _, _ := strings.Cut(host, "%")
	if host = unquote(strings.ToLower(head) + host[len(head):]); !strings.Contains(host, "/") {
		return host
	}
	raw := u.netloc[strings.LastIndexByte(u.netloc, '@')+1:]
	raw, _, _ = strings.Cut(raw, ":")
	return unquote(raw)
}

func (u splitURL) hostPort() (host, port string) {
	info := u.netloc[strings.LastIndexByte(u.netloc, '@')+1:]
	if _, bracketed, ok := strings.Cut(info, "["); ok {
		host, port, _ = strings.Cut(bracketed, "]")
		_, port, _ = strings.Cut(port, ":")
		return host, port
	}
	host, port, _ = strings.Cut(info, ":")
	return host, port
}

// port returns the number and whether there is one.
func (u splitURL) port() (int, bool, error) {
	_, text := u.hostPort()
	if text == "" {
		return 0, false, nil
	}
	for i := range len(text) {
		if text[i] < '0' || text[i] > '9' {
			return 0, false, errPort
		}
	}
	port, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return 0, false, errPort
	}
	return int(port), true, nil
}
