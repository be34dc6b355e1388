package airflow

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/airhook-go/airhook"
	"github.com/airhook-go/airhook/internal/pyjson"
)

const jsonHint = `write an object of conn_type, description, host, login, password, schema, port and extra`

// ParseJSON reads a connection from Airflow's JSON. An extra may be an object or the text of one; a key that Airflow
// doesn't know is an error, which names the key and quotes no value.
func ParseJSON(id, text string) (airhook.Connection, error) {
	c, err := parseJSON(text)
	if err != nil {
		return airhook.Connection{ID: id}, invalid(id, jsonHint, "read the JSON", err)
	}
	c.ID = id
	return c, nil
}

// parseJSON follows airflow/models/connection.py, from_json.
func parseJSON(text string) (airhook.Connection, error) {
	var c airhook.Connection
	if !utf8.ValidString(text) {
		return c, errUTF8
	}
	v, err := pyjson.Parse(text)
	if err != nil {
		return c, err
	}
	if v.Kind != pyjson.Object {
		return c, fmt.Errorf("it is a JSON %s, not an object", v.Kind)
	}
	var uri *pyjson.Value
	var fields []string
	for key, value := range v.All() {
		if key == "uri" {
			uri = &value
			continue
		}
		if c, err = setField(c, key, value); err != nil {
			return c, err
		}
		if key != "description" {
			fields = append(fields, key)
		}
	}
	if uri == nil {
		return c, nil
	}
	return fromURI(c, *uri, fields)
}

// fromURI is a connection whose JSON has the whole of it as a URI. Only a description may stand beside it.
func fromURI(c airhook.Connection, uri pyjson.Value, fields []string) (airhook.Connection, error) {
	if uri.Kind != pyjson.String {
		return c, fmt.Errorf("uri is a JSON %s, not a string", uri.Kind)
	}
	if len(fields) > 0 {
		return c, fmt.Errorf("uri and %s exclude each other", strings.Join(fields, ", "))
	}
	whole, err := parseURI(uri.Text)
	if err != nil {
		return c, fmt.Errorf("uri: %w", err)
	}
	whole.Description = c.Description
	return withPresent(whole, []presence{{airhook.FieldDescription, c.Has(airhook.FieldDescription)}}), nil
}

func setField(c airhook.Connection, key string, v pyjson.Value) (airhook.Connection, error) {
	switch key {
	case "extra":
		return setExtra(c, v)
	case "port":
		return setPort(c, v)
	case "conn_id":
		return c, errors.New("conn_id is given apart, leave it out of the object")
	case "team_name":
		if v.Kind == pyjson.Null {
			return c, nil
		}
		return c, errors.New("team_name can't be kept: connections belong to no team here")
	}
	text, present, err := textOf(key, v)
	if err != nil {
		return c, err
	}
	field := airhook.Field(0)
	switch key {
	case "conn_type":
		c.Type = normalType(text) // an empty one is absent
		return c, nil
	case "password":
		c.Password = airhook.NewSecret(text) // an empty one is absent
		return c, nil
	case "description":
		c.Description, field = text, airhook.FieldDescription
	case "host":
		c.Host, field = text, airhook.FieldHost
	case "login":
		c.Login, field = text, airhook.FieldLogin
	case "schema":
		c.Schema, field = text, airhook.FieldSchema
	default:
		return c, fmt.Errorf("%.40q is no field of a connection", key)
	}
	return withPresent(c, []presence{{field, present}}), nil
}

// textOf is a field's text. A bare number is taken as it is written, which is what a database makes of it.
func textOf(key string, v pyjson.Value) (text string, present bool, err error) {
	switch v.Kind {
	case pyjson.Null:
		return "", false, nil
	case pyjson.String, pyjson.Number:
		return v.Text, true, nil
	}
	return "", false, fmt.Errorf("%.40q is a JSON %s, not a string", key, v.Kind)
}

// setExtra takes the text of an object as it stands; an object becomes what Python's json.dumps writes, but for numbers,
// which keep their digits. What Python calls false is absent.
func setExtra(c airhook.Connection, v pyjson.Value) (airhook.Connection, error) {
	if falsy(v) {
		return c, nil
	}
	text := v.Text
	if v.Kind != pyjson.String {
		text = string(pyjson.Append(nil, v, pyjson.Python))
	}
	extra, err := airhook.ParseExtra(text)
	c.Extra = extra
	return c, err
}

func falsy(v pyjson.Value) bool {
	switch v.Kind {
	case pyjson.Bool:
		return !v.Bool
	case pyjson.Number:
		f, err := strconv.ParseFloat(v.Text, 64)
		return err == nil && f == 0
	case pyjson.String:
		return v.Text == ""
	}
	return len(v.Items) == 0 && len(v.Members) == 0
}

// setPort does what Python's int does to a JSON value. Any number is kept; what can be dialled is for the target to say.
func setPort(c airhook.Connection, v pyjson.Value) (airhook.Connection, error) {
	if falsy(v) {
		return c, nil
	}
	text := v.Text
	switch v.Kind {
	case pyjson.Bool:
		text = "1"
	case pyjson.Number:
		text = whole(text)
	case pyjson.String:
		text = digits(text)
	default:
		return c, fmt.Errorf("port is a JSON %s, not a number", v.Kind)
	}
	port, err := strconv.ParseInt(text, 10, 32)
	if err != nil {
		return c, errors.New("port is not a whole number, or too large for one")
	}
	c.Port = int(port)
	return withPresent(c, []presence{{airhook.FieldPort, true}}), nil
}

// whole cuts a number's fraction off.
func whole(number string) string {
	if !strings.ContainsAny(number, ".eE") {
		return number
	}
	f, err := strconv.ParseFloat(number, 64)
	if err != nil || f > 1<<31 || f < -1<<31 {
		return ""
	}
	return strconv.FormatInt(int64(f), 10)
}

// digits is text as Python's int reads it: blanks around it, a sign, the decimal digits of any script, single
// underscores between them.
func digits(text string) string {
	var b strings.Builder
	text = strip(text)
	for i, r := range text {
		switch {
		case r == '_':
			if i == 0 || i == len(text)-1 || text[i-1] == '_' || text[i-1] == '+' || text[i-1] == '-' {
				return ""
			}
		case unicode.IsDigit(r):
			b.WriteByte('0' + decimal(r))
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// decimal is a digit's value: every script's ten digits stand together, in order, and some scripts' runs touch.
func decimal(r rune) byte {
	for _, run := range unicode.Nd.R16 {
		if rune(run.Lo) <= r && r <= rune(run.Hi) {
			return byte((r - rune(run.Lo)) % 10)
		}
	}
	for _, run := range unicode.Nd.R32 {
		if rune(run.Lo) <= r && r <= rune(run.Hi) {
			return byte((r - rune(run.Lo)) % 10)
		}
	}
	return 0
}

// strip is Python's str.strip, whose blanks are Unicode's and four separators of ASCII.
func strip(s string) string {
	return strings.TrimFunc(s, func(r rune) bool { return unicode.IsSpace(r) || r >= 0x1c && r <= 0x1f })
}

// FormatJSON writes what Airflow's as_json gives, password and all: the fields that are present in Airflow's order,
// without the id, the extra as an object. Numbers in the extra keep their digits.
func FormatJSON(c airhook.Connection) string {
	v := pyjson.Value{Kind: pyjson.Object}
	add := func(key string, value pyjson.Value, present bool) {
		if present {
			v.Members = append(v.Members, pyjson.Member{Key: key, Value: value})
		}
	}
	text := func(s string) pyjson.Value { return pyjson.Value{Kind: pyjson.String, Text: s} }
	add("conn_type", text(c.Type), c.Has(airhook.FieldType))
	add("description", text(c.Description), c.Has(airhook.FieldDescription))
	add("host", text(c.Host), c.Has(airhook.FieldHost))
	add("login", text(c.Login), c.Has(airhook.FieldLogin))
	add("password", text(c.Password.Reveal()), !c.Password.IsZero())
	add("schema", text(c.Schema), c.Has(airhook.FieldSchema))
	add("port", pyjson.Value{Kind: pyjson.Number, Text: strconv.Itoa(c.Port)}, c.Has(airhook.FieldPort))
	extra, _ := pyjson.Parse(c.Extra.Reveal()) // an absent one is no object
	add("extra", extra, len(extra.Members) > 0)
	return string(pyjson.Append(nil, v, pyjson.Python))
}
