package airhook

import (
	"fmt"
	"log/slog"
	"strconv"

	"github.com/airhook-go/airhook/internal/mask"
	"github.com/airhook-go/airhook/internal/pyjson"
)

// Connection is one registry entry, in Airflow's words. A field of the zero value is absent; one that is present
// though empty ("" or port 0) is marked by [Connection.WithEmpty], because Airflow tells the two apart. Connections
// compare with ==. Printing one shows its secrets masked.
type Connection struct {
	// ID is Airflow's conn_id, Type its conn_type: postgres, redshift, aws, …
	ID, Type string
	// Description is free text; no URI holds it.
	Description string
	// Host, Login and Schema are what they are called; Schema is the database's name.
	Host, Login, Schema string
	// Password is absent when empty; Airflow never stores an empty one.
	Password Secret
	// Port is kept as it came, even when no port can have that number.
	Port int
	// Extra is a JSON object, kept as text.
	Extra Extra
	// FoundIn names the registry that the entry was read from. It is no part of what is stored.
	FoundIn string

	empty Field
}

// Field is a set of a connection's fields.
type Field uint8

// The fields that can be present though empty.
const (
	FieldType Field = 1 << iota
	FieldDescription
	FieldHost
	FieldLogin
	FieldSchema
	FieldPort
	FieldExtra
)

// WithEmpty returns c with those of the given fields that hold the zero value marked as present.
func (c Connection) WithEmpty(fields Field) Connection {
	c.empty |= fields
	return c
}

// Has reports whether a field is present, be it empty.
func (c Connection) Has(f Field) bool {
	set := map[Field]bool{
		FieldType: c.Type != "", FieldDescription: c.Description != "", FieldHost: c.Host != "", FieldLogin: c.Login != "",
		FieldSchema: c.Schema != "", FieldPort: c.Port != 0, FieldExtra: !c.Extra.IsZero(),
	}
	return set[f] || c.empty&f != 0
}

// Masked returns c as it may be shown: every secret is ***, also one in a field where none belongs.
func (c Connection) Masked() Connection {
	c.Host, c.Login, c.Schema, c.Description = mask.Field(c.Host), mask.Field(c.Login), mask.Field(c.Schema), mask.Field(c.Description)
	c.Password, c.Extra = NewSecret(c.Password.String()), Extra{NewSecret(c.Extra.String())}
	return c
}

// MarshalJSON writes Airflow's names in Airflow's order with every secret masked; absent fields are null and extra
// is an object.
func (c Connection) MarshalJSON() ([]byte, error) { return c.Masked().RevealJSON(), nil }

// RevealJSON writes what MarshalJSON writes, secrets included.
func (c Connection) RevealJSON() []byte {
	b := []byte(`{"conn_id":`)
	b = pyjson.AppendString(b, c.ID, pyjson.Strict)
	text := func(name, value string, present bool) {
		b = append(append(append(b, `,"`...), name...), `":`...)
		if !present {
			b = append(b, "null"...)
			return
		}
		b = pyjson.AppendString(b, value, pyjson.Strict)
	}
	text("conn_type", c.Type, c.Has(FieldType))
	text("description", c.Description, c.Has(FieldDescription))
	text("host", c.Host, c.Has(FieldHost))
	text("login", c.Login, c.Has(FieldLogin))
	text("password", c.Password.Reveal(), !c.Password.IsZero())
	text("schema", c.Schema, c.Has(FieldSchema))
	b = append(b, `,"port":`...)
	if c.Has(FieldPort) {
		b = strconv.AppendInt(b, int64(c.Port), 10)
	} else {
		b = append(b, "null"...)
	}
	b = append(b, `,"extra":`...)
	b = pyjson.Append(b, c.Extra.value(), pyjson.Strict)
	if c.FoundIn != "" {
		text("found_in", c.FoundIn, true)
	}
	return append(b, '}')
}

// Format writes the masked JSON for every verb.
func (c Connection) Format(f fmt.State, _ rune) {
	b, _ := c.MarshalJSON()
	_, _ = f.Write(b)
}

// LogValue shows which connection it is, not what is in it.
func (c Connection) LogValue() slog.Value {
	return slog.GroupValue(slog.String("id", c.ID), slog.String("type", c.Type), slog.String("host", mask.Field(c.Host)))
}
