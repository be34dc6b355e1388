package sigv4

import (
	"net/url"
	"slices"
	"strings"
)

// parameter is one of a query string, decoded.
type parameter struct{ name, value string }

// parseQuery keeps the order and duplicates, which url.ParseQuery does not. A + is a space: signers never send one for
// a plus sign.
func parseQuery(text string) ([]parameter, error) {
	var query []parameter
	for part := range strings.SplitSeq(text, "&") {
		if part == "" {
			continue
		}
		name, value, _ := strings.Cut(part, "=")
		decodedName, err := url.QueryUnescape(name)
		if err != nil {
			return nil, incomplete("the query string has a percent sign without two hexadecimal digits")
		}
		decodedValue, err := url.QueryUnescape(value)
		if err != nil {
			return nil, incomplete("the query string has a percent sign without two hexadecimal digits")
		}
		query = append(query, parameter{decodedName, decodedValue})
	}
	return query, nil
}

// once returns the value of each of those parameters, none of which may be there twice. One that is missing is "".
func once(query []parameter, names ...string) (map[string]string, error) {
	found := make(map[string]string, len(names))
	for _, p := range query {
		if !slices.Contains(names, p.name) {
			continue
		}
		if _, twice := found[p.name]; twice {
			return nil, incomplete("parameter '%s' is given twice", p.name)
		}
		found[p.name] = p.value
	}
	return found, nil
}

// canonicalQuery sorts and encodes as signatures do: by encoded name, then encoded value; without the signature itself.
func canonicalQuery(query []parameter) string {
	encoded := make([]parameter, 0, len(query))
	for _, p := range query {
		if p.name != "X-Amz-Signature" {
			encoded = append(encoded, parameter{escape(p.name, false), escape(p.value, false)})
		}
	}
	slices.SortFunc(encoded, func(a, b parameter) int {
		if order := strings.Compare(a.name, b.name); order != 0 {
			return order
		}
		return strings.Compare(a.value, b.value)
	})
	var out strings.Builder
	for i, p := range encoded {
		if i > 0 {
			out.WriteByte('&')
		}
		out.WriteString(p.name + "=" + p.value)
	}
	return out.String()
}

// escape is AWS's UriEncode: everything but the unreserved characters of RFC 3986, and slashes in a path.
func escape(text string, path bool) string {
	const digits = "0123456789ABCDEF"
	var out strings.Builder
	out.Grow(len(text))
	for i := range len(text) {
		c := text[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '_', c == '.', c == '~', path && c == '/':
			out.WriteByte(c)
		default:
			out.Write([]byte{'%', digits[c>>4], digits[c&15]})
		}
	}
	return out.String()
}

// canonicalPath encodes the path of the request line once more, except for S3, which signs it as it is meant. Paths
// that hold dot segments are not made shorter: no signer in use sends one.
func canonicalPath(sent, service string) (string, error) {
	if sent == "" {
		return "/", nil
	}
	if service != "s3" {
		return escape(sent, true), nil
	}
	plain, err := url.PathUnescape(sent)
	if err != nil {
		return "", incomplete("the path has a percent sign without two hexadecimal digits")
	}
	return escape(plain, true), nil
}
