package cloud

import (
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"

	"github.com/airhook-go/airhook/devstack/sigv4"
)

const longestBody = 1 << 20

// call is one request: what is asked, in either of the protocols, and who asks.
type call struct {
	action  string
	version string // Query: the API's version; JSON: the service's prefix of the target
	payload string // the body's hash

	json bool
	form url.Values // of Query
	body []byte     // of JSON

	who    holder
	region string
}

// readCall reads a request of the Query protocol (STS, Redshift) or of JSON 1.1 (Redshift Serverless).
//
// https://smithy.io/2.0/aws/protocols/aws-query-protocol.html
// https://smithy.io/2.0/aws/protocols/aws-json-1_1-protocol.html
func readCall(w http.ResponseWriter, r *http.Request) (call, error) {
	c := call{json: r.Header.Get("X-Amz-Target") != ""}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, longestBody))
	if tooLong := (*http.MaxBytesError)(nil); errors.As(err, &tooLong) {
		return c, &fault{status: 413, code: "RequestEntityTooLarge", message: "The request's body is longer than 1 MiB."}
	}
	if err != nil {
		return c, &fault{status: 400, code: "MalformedInput", message: "The request's body ended early.", why: err.Error()}
	}
	c.payload = sigv4.PayloadHash(body)
	if c.json {
		c.version, c.action, _ = strings.Cut(r.Header.Get("X-Amz-Target"), ".")
		c.body = body
		return c, nil
	}
	return c.query(r, body)
}

// query reads the parameters of a Query call, which are in the URL or in a form.
func (c call) query(r *http.Request, body []byte) (call, error) {
	form, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return c, &fault{status: 400, code: "MalformedQueryString", message: "The query string is malformed.", why: err.Error()}
	}
	if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind == "application/x-www-form-urlencoded" {
		more, err := url.ParseQuery(string(body))
		if err != nil {
			return c, &fault{status: 400, code: "MalformedInput", message: "The form is malformed.", why: err.Error()}
		}
		for name, values := range more {
			form[name] = append(form[name], values...)
		}
	}
	for name, values := range form {
		if len(values) > 1 && !strings.HasPrefix(name, "X-Amz-") { // those are the signature's
			return c, &fault{status: 400, code: "InvalidParameterCombination", message: "The parameter " + short(name) + " is given twice."}
		}
	}
	c.form, c.action, c.version = form, form.Get("Action"), form.Get("Version")
	return c, nil
}

// list reads a list parameter: Name.Member.1, Name.Member.2, …
func (c call) list(name, member string) []string {
	var values []string
	for i := 1; ; i++ {
		value, found := c.form[name+"."+member+"."+itoa(i)]
		if !found {
			return values
		}
		values = append(values, value[0])
	}
}

// decode reads the body of a JSON call.
func (c call) decode(into any) error {
	if err := json.Unmarshal(c.body, into); err != nil {
		return &fault{status: 400, code: "SerializationException", message: "The body is not the JSON of this operation.", why: err.Error()}
	}
	return nil
}
