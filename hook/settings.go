package hook

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/airhook-go/airhook"
)

// settings are the SET and RESET statements that hold for a hook's later calls. They are kept as text: no server tells
// everything that was set. They are safe for concurrent use.
type settings struct {
	mu   sync.Mutex
	kept []setting
}

// setting is one statement; a savepoint has no parameter.
type setting struct{ parameter, sql string }

// Parameters that stand for many: those of RESET ALL and of DISCARD ALL.
const (
	resettable = "*"
	everything = "**"
	resetAll   = "RESET ALL"
)

// keep takes statements that are committed, in their order. A later one replaces an earlier one of its parameter.
func (s *settings) keep(statements []setting) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, next := range statements {
		if next.parameter == "" {
			continue
		}
		s.kept = slices.DeleteFunc(s.kept, func(old setting) bool {
			switch next.parameter {
			case everything:
				return true
			case resettable: // it leaves who one is (PostgreSQL manual, RESET)
				return old.parameter != "role" && old.parameter != "session_authorization"
			}
			return old.parameter == next.parameter
		})
		s.kept = append(s.kept, next)
	}
}

func (s *settings) all() []setting {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.kept)
}

// restore brings a session to where the hook's earlier calls left off.
func (s *session) restore(ctx context.Context) error {
	for _, one := range s.hook.settings.all() {
		s.touched = true
		err := s.pg().Exec(ctx, one.sql).Close()
		if err == nil {
			continue
		}
		err = s.hook.fail(ctx, fmt.Errorf("run this hook's earlier SET statements again (%s): %w", one.parameter, err))
		var e *airhook.Error
		if errors.As(err, &e) && e.Hint == "" {
			e.Hint = "a new hook starts without them"
		}
		return err
	}
	return nil
}

// note follows what statements that have run set, through transactions and savepoints.
func (s *session) note(sql string) {
	for _, statement := range s.dialect.split(sql) {
		words := slices.Collect(s.dialect.words(statement))
		switch {
		case len(words) == 0:
		case words[0] == "commit", words[0] == "end":
			s.committed()
		case words[0] == "savepoint":
			s.pending = append(s.pending, setting{sql: words[len(words)-1]})
		case (words[0] == "rollback" || words[0] == "abort") && slices.Contains(words, "to"):
			mark := setting{sql: words[len(words)-1]}
			for len(s.pending) > 0 && s.pending[len(s.pending)-1] != mark {
				s.pending = s.pending[:len(s.pending)-1]
			}
		case words[0] == "rollback", words[0] == "abort":
			s.pending = nil
		default:
			if one, ok := s.dialect.setting(statement); ok {
				s.pending = append(s.pending, one)
			}
		}
	}
	if s.pg().TxStatus() == 'I' {
		s.committed()
	}
}

func (s *session) committed() {
	s.hook.settings.keep(s.pending)
	s.pending = nil
}

// setting reads a statement that changes the session's parameters for longer than its transaction.
func (d dialect) setting(statement string) (setting, bool) {
	var names []string
	for kind, text := range d.tokens(statement) {
		if kind > comment {
			names = append(names, strings.ToLower(strings.Trim(text, `"`)))
		}
	}
	if len(names) < 2 {
		return setting{}, false
	}
	verb, names := names[0], names[1:]
	if verb == "set" && names[0] == "session" && len(names) > 1 && names[1] != "authorization" {
		names = names[1:] // SET SESSION is what SET means
	}
	switch {
	case verb == "discard":
		return setting{everything, resetAll}, names[0] == "all" // the rest of it a new session does not have
	case verb == "reset" && names[0] == "all":
		return setting{resettable, resetAll}, true
	case verb == "reset":
		return setting{parameter(names), statement}, true
	case verb != "set", names[0] == "local", names[0] == "transaction", names[0] == "constraints":
		return setting{}, false
	case names[0] == "characteristics": // each sets some of several parameters
		return setting{strings.Join(names, " "), statement}, true
	}
	return setting{parameter(names), statement}, true
}

// aliases are SQL's words for parameters (PostgreSQL manual, SET).
var aliases = map[string]string{"time": "timezone", "names": "client_encoding", "schema": "search_path", "session": "session_authorization"}

// parameter takes the parameter out of "a.b TO c", "TIME ZONE 'x'", "ROLE x".
func parameter(names []string) string {
	if alias, ok := aliases[names[0]]; ok {
		return alias
	}
	name := names[0]
	for i := 1; i+1 < len(names) && names[i] == "."; i += 2 {
		name += "." + names[i+1]
	}
	return name
}
