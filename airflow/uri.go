package airflow

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/airhook-go/airhook"
	"github.com/airhook-go/airhook/internal/pyjson"
)

// extraKey is the parameter that holds a whole extra.
const extraKey = "__extra__"

const uriHint = "write it as type://login:password@host:port/database?key=value; percent-encode / ? # @ : % in the login, password and database"

// ParseURI reads a connection from Airflow's URI, as its server does: parameters of the query become extras with JSON's
// types, __extra__ is taken as it stands. An error quotes nothing of the URI, because it may hold a password.
func ParseURI(id, uri string) (airhook.Connection, error) {
	c, err := parseURI(uri)
	if err != nil {
		return airhook.Connection{ID: id}, invalid(id, uriHint, "read the URI", err)
	}
	c.ID = id
	return c, nil
}

// parseURI follows airflow/models/connection.py, _parse_from_uri.
func parseURI(uri string) (airhook.Connection, error) {
	var c airhook.Connection
	if uri == "" {
		return c, nil
	}
	if !utf8.ValidString(uri) {
		return c, errUTF8
	}
	marks := strings.Count(uri, "://") // those of the query count too
	if marks > 2 {
		return c, errProtocol
	}
	whole, err := urlsplit(uri)
	if err != nil {
		return c, err
	}
	c.Type = normalType(whole.scheme)
	if marks < 2 {
		parts, err := urlsplit(strings.ReplaceAll(uri, whole.scheme+"://", "//"))
		if err != nil {
			return c, err
		}
		return fromParts(c, parts, "")
	}
	rest := strings.ReplaceAll(uri, whole.scheme+"://", "")
	if before, _, _ := strings.Cut(rest, "://"); strings.ContainsAny(before, "@:") {
		return c, misplaced(before)
	}
	parts, err := urlsplit(rest)
	if err != nil {
		return c, err
	}
	return fromParts(c, parts, parts.scheme)
}

// misplaced says which protocol stands behind the login. One that not everybody knows may be the end of a password.
func misplaced(before string) error {
	for _, protocol := range []string{"https", "http"} {
		if strings.HasSuffix(before, "@"+protocol) {
			return &airhook.Error{Err: errors.New("the host begins with " + protocol + "://"), Hint: "leave " + protocol + ":// out: a host is a name or an address"}
		}
	}
	return errProtocol
}

func fromParts(c airhook.Connection, u splitURL, protocol string) (airhook.Connection, error) {
	login, password, hasLogin, _ := u.login()
	port, hasPort, err := u.port()
	if err != nil {
		return c, err
	}
	c.Host, c.Port = u.host(), port
	if protocol != "" && c.Host != "" {
		c.Host = protocol + "://" + c.Host
	}
	c.Login, c.Password = unquote(login), airhook.NewSecret(unquote(password))
	if u.path != "" {
		_, size := utf8.DecodeRuneInString(u.path) // a slash, but in a text that is no URI
		c.Schema = unquote(u.path[size:])
	}
	present := []presence{{airhook.FieldType, true}, {airhook.FieldHost, true}, {airhook.FieldSchema, true}, {airhook.FieldLogin, hasLogin}, {airhook.FieldPort, hasPort}}
	if u.query != "" {
		text := extraOf(parseForm(u.query))
		if c.Extra, err = airhook.ParseExtra(text); err != nil {
			return c, err
		}
		present = append(present, presence{airhook.FieldExtra, true})
	}
	return withPresent(c, present), nil
}

type presence struct {
	field   airhook.Field
	present bool
}

// withPresent marks the fields that are present though empty.
func withPresent(c airhook.Connection, fields []presence) airhook.Connection {
	for _, f := range fields {
		if f.present && !c.Has(f.field) {
			c = c.WithEmpty(f.field)
		}
	}
	return c
}

// normalType is the type that Airflow keeps of a URI's scheme or a JSON's conn_type.
func normalType(t string) string {
	if t == "postgresql" {
		return "postgres"
	}
	return strings.ReplaceAll(t, "-", "_")
}

// extraOf makes the extra's text of a query. Every value that is JSON becomes what it says; the digits of a number stay
// as they are written, so that 1.10 is no 1.1.
func extraOf(form pyjson.Value) string {
	if whole, ok := form.Lookup(extraKey); ok {
		return whole.Text
	}
	for i, m := range form.Members {
		form.Members[i].Value = typed(m.Value.Text)
	}
	return string(pyjson.Append(nil, form, pyjson.Python))
}

func typed(text string) pyjson.Value {
	if v, err := pyjson.Parse(text); err == nil {
		return v
	}
	return pyjson.Value{Kind: pyjson.String, Text: text}
}

// FormatURI writes Airflow's URI of a connection, password and all, so that Airflow and ParseURI read it back. A URI has
// no place for the id and the description, and doesn't tell an empty login, port 0 and an empty extra from absent ones.
// Text that is no valid Unicode is ErrInvalid.
func FormatURI(c airhook.Connection) (string, error) {
	for _, text := range []string{c.Type, c.Host, c.Login, c.Schema, c.Password.Reveal(), c.Extra.Reveal()} {
		if !utf8.ValidString(text) {
			return "", invalid(c.ID, "use JSON, which can hold it", "write the URI", errors.New("a field is no valid Unicode text"))
		}
	}
	var b strings.Builder
	scheme := strings.ReplaceAll(strings.ToLower(c.Type), "_", "-")
	if c.Type != "" {
		b.WriteString(scheme + ":")
	}
	b.WriteString("//")
	protocol, host := splitHost(c.Host, scheme)
	b.WriteString(protocol)
	b.WriteString(authority(c, host))
	if c.Schema != "" {
		b.WriteString("/" + quote(c.Schema))
	}
	if !c.Extra.IsZero() {
		if c.Schema == "" {
			b.WriteString("/")
		}
		b.WriteString("?" + formatExtra(c.Extra.Reveal()))
	}
	return b.String(), nil
}

// splitHost cuts a host's protocol off, which is written before the credentials. One that a reader would take for the
// scheme, or for no protocol, stays in the host, where its :// is quoted.
func splitHost(host, scheme string) (protocol, rest string) {
	p, rest, ok := strings.Cut(host, "://")
	written := strings.ReplaceAll(strings.ToLower(p), "_", "-")
	if !ok || rest == "" || scheme == "" || !isScheme(p) || strings.HasSuffix(written, scheme) {
		return "", host
	}
	return p + "://", rest
}

func authority(c airhook.Connection, host string) string {
	credentials := quote(c.Login)
	if !c.Password.IsZero() {
		credentials += ":" + quote(c.Password.Reveal())
	}
	if credentials != "" {
		credentials += "@"
	}
	port := ""
	if c.Port != 0 {
		port = ":" + strconv.Itoa(c.Port)
		if credentials == "" && host == "" {
			port = "@" + port
		}
	}
	return credentials + quote(host) + port
}

// formatExtra writes parameters when reading them gives the same object, that is when all values are strings that look
// like nothing else; otherwise the whole text as __extra__.
func formatExtra(text string) string {
	whole := extraKey + "=" + quoteForm(text)
	v, err := pyjson.Parse(text)
	if err != nil || len(v.Members) == 0 {
		return whole
	}
	var pieces []string
	for key, value := range v.All() {
		if value.Kind != pyjson.String || key == extraKey || typed(value.Text).Kind != pyjson.String || typed(value.Text).Text != value.Text ||
			!utf8.ValidString(key) || !utf8.ValidString(value.Text) {
			return whole
		}
		pieces = append(pieces, quoteForm(key)+"="+quoteForm(value.Text))
	}
	return strings.Join(pieces, "&")
}

// invalid makes an error of a connection's text. A cause that has a hint keeps it.
func invalid(id, hint, doing string, err error) error {
	e := &airhook.Error{ID: id, Kind: airhook.ErrInvalid, Hint: hint}
	var inner *airhook.Error
	if errors.As(err, &inner) {
		e.Hint, err = inner.Hint, inner.Err
	}
	e.Err = fmt.Errorf("%s: %w", doing, err)
	return e
}
