package sigv4

import (
	"strconv"
	"strings"
	"time"
)

// Endpoint is where a token must let in: the host and port of a database instance, its region, and the database user.
type Endpoint struct {
	Host   string
	Port   int
	Region string
	User   string
}

const (
	longestToken    = 64 << 10
	longestLifetime = 900 * time.Second
)

// VerifyToken checks a token for Amazon RDS: a request "connect" to the instance itself, presigned for at most 15
// minutes. The error says why the token is no good; RDS tells the client nothing.
func (v Verifier) VerifyToken(token string, at Endpoint) (Result, error) {
	authority, query, err := splitToken(token)
	if err != nil {
		return Result{}, err
	}
	if !at.named(authority) {
		return Result{}, wrong("the token is for %s, not for %s", printable(authority), at.address())
	}
	p, err := once(query, "Action", "DBUser", "X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-Expires", "X-Amz-SignedHeaders", "X-Amz-Signature", "X-Amz-Security-Token")
	if err != nil {
		return Result{}, err
	}
	signed, err := presigned(p)
	if err != nil {
		return Result{}, err
	}
	if err := at.matches(p, signed); err != nil {
		return Result{}, err
	}
	if _, err := v.check(signed.claim, tokenRequests(authority, canonicalQuery(query))...); err != nil {
		return Result{}, err
	}
	return signed.result(), v.inTime(signed)
}

// splitToken takes a token apart: HOST:PORT/?QUERY, of which the SDK for Go leaves out the slash.
func splitToken(token string) (authority string, query []parameter, err error) {
	if len(token) > longestToken {
		return "", nil, incomplete("the token has more than %d bytes", longestToken)
	}
	address, text, found := strings.Cut(token, "?")
	if !found || !strings.Contains(text, "X-Amz-Signature=") { // a password of somebody's: not for the log
		return "", nil, missing("the password is not a token")
	}
	query, err = parseQuery(text)
	return strings.TrimSuffix(address, "/"), query, err
}

func (e Endpoint) address() string { return e.Host + ":" + strconv.Itoa(e.Port) }

// named reports whether a token was made for the endpoint; hosts have no case, and 443 goes without saying.
func (e Endpoint) named(authority string) bool {
	return strings.EqualFold(authority, e.address()) || e.Port == 443 && strings.EqualFold(authority, e.Host)
}

// matches checks what the token asks for.
func (e Endpoint) matches(p map[string]string, signed presignature) error {
	s := signed.scope
	switch {
	case p["Action"] != "connect":
		return wrong("the token's action is '%s', not 'connect'", printable(p["Action"]))
	case p["DBUser"] != e.User:
		return wrong("the token is for database user %s, not for %s", printable(p["DBUser"]), printable(e.User))
	case p["X-Amz-SignedHeaders"] != "host":
		return wrong("the token signs headers '%s', not 'host'", printable(p["X-Amz-SignedHeaders"]))
	case s.service != "rds-db":
		return wrong("the token is for service '%s', not for 'rds-db'", s.service)
	case s.region != e.Region:
		return wrong("the token is for region '%s', not for '%s'", s.region, e.Region)
	case signed.lifetime > longestLifetime:
		return wrong("the token lives for %s, longer than %s", signed.lifetime, longestLifetime)
	}
	return nil
}

// tokenRequests are the canonical requests that a token may have signed. botocore signs the host in lower case, the
// SDK for Go as it was given; both leave the default port of HTTPS out.
func tokenRequests(authority, query string) []string {
	host := strings.TrimSuffix(authority, ":443")
	requests := []string{tokenRequest(host, query)}
	if lower := strings.ToLower(host); lower != host {
		requests = append(requests, tokenRequest(lower, query))
	}
	return requests
}

func tokenRequest(host, query string) string {
	const emptyPayload = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	return "GET\n/\n" + query + "\nhost:" + host + "\n\nhost\n" + emptyPayload
}

// printable makes what a client sent fit for a log line.
func printable(text string) string {
	if len(text) > 100 {
		text = text[:100] + "…"
	}
	quoted := strconv.QuoteToASCII(text)
	return quoted[1 : len(quoted)-1]
}
