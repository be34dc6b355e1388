package airhook

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/airhook-go/airhook/internal/extras"
	"github.com/airhook-go/airhook/internal/hermetic"
	"github.com/airhook-go/airhook/internal/mask"
	"github.com/airhook-go/airhook/internal/suggest"
)

// reader reads a connection's extra beside its fields.
type reader struct {
	*extras.Reader
	conn Connection
}

func newReader(c Connection) *reader { return &reader{extras.Read(c.Extra.value()), c} }

// err is the first thing that is wrong with the connection.
func (r *reader) err() error {
	if p := r.Problem(); p != nil {
		return &Error{ID: r.conn.ID, Stage: StageTarget, Kind: ErrInvalid, Hint: p.Hint, Err: p.Err}
	}
	return nil
}

// same merges a field with the option that means the same; only different values contradict.
func (r *reader) same(field, value string, o extras.Option) string {
	extra := r.Text(o)
	r.Filled("field "+field, o, value)
	if value != "" && extra != "" && value != extra {
		r.Fail(field, fmt.Errorf("field %s is %q and extra %s is %q", field, mask.Field(value), r.Quoted(o), mask.Field(extra)), "keep one of the two")
	}
	return cmp.Or(value, extra)
}

// leftovers sorts the keys that are no options of ours into parameters, ignored ones and errors.
func (r *reader) leftovers(t *Target) {
	for _, key := range r.Rest {
		why, ignored := extras.Ignored(key)
		switch {
		case t.Engine == Redshift && extras.RedshiftSetting(key):
			r.setting(t, key)
		case extras.Startup(key) && (t.Engine != Redshift || extras.RedshiftStartup(key)):
			if text, ok := r.RestText(key); ok {
				t.RuntimeParams[key] = text
			}
		case extras.Startup(key):
			t.Ignored = append(t.Ignored, Ignored{key, "Redshift has no such parameter"})
		case extras.Unsafe(key):
			r.Fail(key, fmt.Errorf("extra %q asks for a check that airhook cannot make", key), "remove it, and say what to check with sslmode and sslrootcert")
		case ignored:
			t.Ignored = append(t.Ignored, Ignored{key, why})
			if t.Method != MethodPassword && extras.OtherIdentity(key) && !r.Off(key) {
				t.Refused = fmt.Sprintf("extra %q asks for an identity that airhook does not log in with", key)
			}
		default:
			r.libpq(t, key)
		}
	}
}

// setting is a parameter that Redshift gets by SET.
func (r *reader) setting(t *Target, key string) {
	if text, ok := r.RestText(key); ok {
		t.Session = append(t.Session, extras.RedshiftSet(key, text))
	}
}

// libpq notes an option of libpq that pgx has a field for; any other key is unknown.
func (r *reader) libpq(t *Target, key string) {
	if _, known := hermetic.Values(key); !known {
		r.unknown(key)
		return
	}
	text, ok := r.RestText(key)
	if !ok {
		return
	}
	if problem := hermetic.Problem(key, text); problem != "" {
		r.Fail(key, fmt.Errorf("extra %q is %q", key, mask.Field(text)), problem)
	}
	if t.libpq == nil {
		t.libpq = map[string]string{}
	}
	t.libpq[key] = text
}

func (r *reader) unknown(key string) {
	hint := "remove the key"
	if near := suggest.Nearest(key, append(hermetic.Options(), extras.Names()...)); len(near) > 0 {
		hint = "did you mean " + strings.Join(near, ", ") + "?"
	}
	r.Fail(key, fmt.Errorf("extra %q is unknown", suggest.Short(key)), hint)
}
