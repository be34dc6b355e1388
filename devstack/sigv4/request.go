package sigv4

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// VerifyRequest checks a request as the server got it, signed in its Authorization header or in its query. payload is
// PayloadHash of its body. Who cannot hold the body, as a server of objects, gives what the request says of it in
// X-Amz-Content-Sha256 (else UnsignedPayload) and compares that with the body while reading it.
func (v Verifier) VerifyRequest(r *http.Request, payload string) (Result, error) {
	query, err := parseQuery(r.URL.RawQuery)
	if err != nil {
		return Result{}, err
	}
	inQuery := slices.ContainsFunc(query, func(p parameter) bool {
		return strings.EqualFold(p.name, "X-Amz-Algorithm") || strings.EqualFold(p.name, "X-Amz-Signature")
	})
	headers := r.Header.Values("Authorization")
	switch {
	case len(headers) == 0 && !inQuery:
		return Result{}, missing("the request is not signed")
	case len(headers) > 1 || len(headers) == 1 && inQuery:
		return Result{}, incomplete("Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter or the Authorization header should be specified")
	case inQuery:
		return v.presignedRequest(r, query, payload)
	}
	return v.headerRequest(r, query, headers[0], payload)
}

func (v Verifier) presignedRequest(r *http.Request, query []parameter, payload string) (Result, error) {
	p, err := once(query, "X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-Expires", "X-Amz-SignedHeaders", "X-Amz-Signature", "X-Amz-Security-Token")
	if err != nil {
		return Result{}, err
	}
	signed, err := presigned(p)
	if err != nil {
		return Result{}, err
	}
	if r.Header.Get("X-Amz-Security-Token") != "" {
		return Result{}, incomplete("the session token of a presigned request is in its query, not in a header")
	}
	if err := v.verify(r, query, signed.claim, p["X-Amz-SignedHeaders"], payload); err != nil {
		return Result{}, err
	}
	return signed.result(), v.inTime(signed)
}

func (v Verifier) headerRequest(r *http.Request, query []parameter, authorization, payload string) (Result, error) {
	c, signedHeaders, err := parseAuthorization(authorization)
	if err != nil {
		return Result{}, err
	}
	if c.date, err = single(r.Header, "X-Amz-Date"); err != nil {
		return Result{}, err
	}
	if c.sessionToken, err = single(r.Header, "X-Amz-Security-Token"); err != nil {
		return Result{}, err
	}
	at, err := parseDate(c.date, c.scope)
	if err != nil {
		return Result{}, err
	}
	if err := v.verify(r, query, c, signedHeaders, payload); err != nil {
		return Result{}, err
	}
	return Result{AccessKeyID: c.scope.accessKeyID, Service: c.scope.service, Region: c.scope.region, Date: at}, v.nearNow(c, at)
}

// nearNow refuses a header's signature whose clock and ours are too far apart.
func (v Verifier) nearNow(c claim, at time.Time) error {
	now, skew := v.now(), 5*time.Minute
	if c.scope.service == "s3" {
		skew = 15 * time.Minute
	}
	if now.Sub(at).Abs() <= skew {
		return nil
	}
	if c.scope.service == "s3" {
		return &Error{
			Code: "RequestTimeTooSkewed", Status: 403, Message: "The difference between the request time and the current time is too large.",
			Why: "signed at " + c.date + ", and it is " + now.UTC().Format(longDate),
		}
	}
	if at.Before(now) {
		return wrong("Signature expired: %s is now earlier than %s (%s - 5 min.)", c.date, now.Add(-skew).UTC().Format(longDate), now.UTC().Format(longDate))
	}
	return wrong("Signature not yet current: %s is still later than %s (%s + 5 min.)", c.date, now.Add(skew).UTC().Format(longDate), now.UTC().Format(longDate))
}

// parseAuthorization reads AWS4-HMAC-SHA256 Credential=…, SignedHeaders=…, Signature=….
func parseAuthorization(header string) (c claim, signedHeaders string, err error) {
	kind, rest, _ := strings.Cut(strings.TrimSpace(header), " ")
	if kind != algorithm {
		return claim{}, "", incomplete("Authorization header requires the algorithm '%s'", algorithm)
	}
	parts := map[string]string{}
	for part := range strings.SplitSeq(rest, ",") {
		name, value, found := strings.Cut(strings.TrimSpace(part), "=")
		if _, twice := parts[name]; twice || !found {
			return claim{}, "", incomplete("the Authorization header has a part that is not a key=value pair, or one twice")
		}
		parts[name] = value
	}
	for _, name := range []string{"Credential", "Signature", "SignedHeaders"} {
		if parts[name] == "" {
			return claim{}, "", incomplete("Authorization header requires '%s' parameter.", name)
		}
	}
	c.scope, err = parseScope(parts["Credential"])
	c.signature = parts["Signature"]
	return c, parts["SignedHeaders"], err
}

// single is a header that may be there once at most.
func single(header http.Header, name string) (string, error) {
	values := header.Values(name)
	if len(values) > 1 {
		return "", incomplete("header '%s' is given twice", name)
	}
	return header.Get(name), nil
}

// verify compares the claim with the request.
func (v Verifier) verify(r *http.Request, query []parameter, c claim, signedHeaders, payload string) error {
	if said := r.Header.Values("X-Amz-Content-Sha256"); len(said) > 1 || len(said) == 1 && said[0] != payload {
		return mismatch("X-Amz-Content-Sha256 is not the hash of the body")
	}
	names, err := signedNames(signedHeaders)
	if err != nil {
		return err
	}
	for header := range r.Header {
		if name := strings.ToLower(header); strings.HasPrefix(name, "x-amz-") && !slices.Contains(names, name) {
			return notSigned(name)
		}
	}
	path, err := canonicalPath(sentPath(r), c.scope.service)
	if err != nil {
		return err
	}
	var requests []string
	for _, host := range hosts(r.Host) {
		requests = append(requests, r.Method+"\n"+path+"\n"+canonicalQuery(query)+"\n"+canonicalHeaders(r, names, host)+"\n"+signedHeaders+"\n"+payload)
	}
	_, err = v.check(c, requests...)
	return err
}

// signedNames are the headers that a signature covers: host, and more in lower case and in order.
func signedNames(list string) ([]string, error) {
	names := strings.Split(list, ";")
	for i, name := range names {
		if name == "" || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" || i > 0 && names[i-1] >= name {
			return nil, incomplete("SignedHeaders must be header names in lower case, sorted, each once")
		}
	}
	if !slices.Contains(names, "host") {
		return nil, wrong("'Host' must be a 'SignedHeader' in the AWS Authorization.")
	}
	return names, nil
}

func canonicalHeaders(r *http.Request, names []string, host string) string {
	var out strings.Builder
	for _, name := range names {
		out.WriteString(name + ":" + headerValue(r, name, host) + "\n")
	}
	return out.String()
}

// headerValue is what a signature says of a header. net/http keeps some of them apart.
func headerValue(r *http.Request, name, host string) string {
	switch name {
	case "host":
		return host
	case "content-length":
		return strconv.FormatInt(max(r.ContentLength, 0), 10)
	case "transfer-encoding":
		return strings.Join(r.TransferEncoding, ",")
	}
	values := slices.Clone(r.Header.Values(name))
	for i, value := range values {
		values[i] = strings.Join(strings.Fields(value), " ")
	}
	return strings.Join(values, ",")
}

// hosts are the ways in which signers write the host that a request names: as it is, in lower case, without the
// default ports.
func hosts(host string) []string {
	found := []string{host}
	for _, other := range []string{strings.ToLower(host), strings.TrimSuffix(strings.TrimSuffix(strings.ToLower(host), ":443"), ":80")} {
		if !slices.Contains(found, other) {
			found = append(found, other)
		}
	}
	return found
}

// sentPath is the path as it stood in the request line.
func sentPath(r *http.Request) string {
	path, _, _ := strings.Cut(r.RequestURI, "?")
	if !strings.HasPrefix(path, "/") { // made by hand, or for a proxy
		return r.URL.EscapedPath()
	}
	return path
}
