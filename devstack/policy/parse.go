package policy

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/airhook-go/airhook/internal/suggest"
)

// Document is a policy that was read. The zero value allows nothing.
type Document struct {
	statements []statement
	variables  bool // ${…} means something, since the version of 2012
}

type statement struct {
	sid        string
	deny       bool
	actions    list
	resources  list
	principals []principal // of a trust policy
	conditions []condition
}

// list is Action or NotAction, Resource or NotResource.
type list struct {
	patterns []string
	not      bool
}

// The elements that a document and a statement may have.
var (
	documentElements = []string{"Version", "Id", "Statement"}
	identityElements = []string{"Sid", "Effect", "Action", "NotAction", "Resource", "NotResource", "Condition"}
	trustElements    = []string{"Sid", "Effect", "Principal", "Action", "NotAction", "Condition"}
)

// Parse reads the policy of a user or role, or of a session. The error names the element that is wrong.
func Parse(text []byte) (Document, error) { return parse(text, identityElements) }

// ParseTrust reads the trust policy of a role, whose statements name principals and no resources.
func ParseTrust(text []byte) (Document, error) { return parse(text, trustElements) }

func parse(text []byte, known []string) (Document, error) {
	var any any
	if err := json.Unmarshal(text, &any); err != nil {
		return Document{}, notJSON(text, err)
	}
	members, err := object(text, "the document", documentElements)
	if err != nil {
		return Document{}, err
	}
	var d Document
	var statements []json.RawMessage
	for _, m := range members {
		switch m.name {
		case "Version":
			if d.variables, err = version(m.value); err != nil {
				return Document{}, err
			}
		case "Statement":
			if statements, err = oneOrMany(m.value, m.name); err != nil {
				return Document{}, err
			}
		}
	}
	if len(statements) == 0 {
		return Document{}, fmt.Errorf("%s: missing or empty", "Statement")
	}
	for i, raw := range statements {
		s, err := parseStatement(raw, fmt.Sprintf("Statement[%d]", i), known)
		if err != nil {
			return Document{}, err
		}
		if s.sid != "" && slices.ContainsFunc(d.statements, func(other statement) bool { return other.sid == s.sid }) {
			return Document{}, fmt.Errorf("Statement[%d].Sid: %q is taken by another statement", i, s.sid)
		}
		d.statements = append(d.statements, s)
	}
	return d, nil
}

func version(raw json.RawMessage) (variables bool, err error) {
	var text string
	if json.Unmarshal(raw, &text) != nil || text != "2012-10-17" && text != "2008-10-17" {
		return false, fmt.Errorf("%s: want \"2012-10-17\" or \"2008-10-17\"", "Version")
	}
	return text == "2012-10-17", nil
}

// notJSON says in which line a text stops being JSON.
func notJSON(text []byte, err error) error {
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		line := 1 + bytes.Count(text[:min(int(syntax.Offset), len(text))], []byte("\n"))
		return fmt.Errorf("no JSON, in line %d: %w", line, err)
	}
	return fmt.Errorf("no JSON: %w", err)
}

type member struct {
	name  string
	value json.RawMessage
}

// object reads the members of an object in their order, each of which may be there once. known are the names that it may
// have; nil is any.
func object(raw []byte, at string, known []string) ([]member, error) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return nil, fmt.Errorf("%s: want an object", at)
	}
	var members []member
	for dec.More() {
		t, err := dec.Token()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", at, err)
		}
		m := member{name: t.(string)}
		if err := dec.Decode(&m.value); err != nil {
			return nil, fmt.Errorf("%s.%s: %w", at, m.name, err)
		}
		switch {
		case known != nil && !slices.Contains(known, m.name):
			return nil, unknown(at, "element", m.name, known)
		case slices.ContainsFunc(members, func(other member) bool { return other.name == m.name }):
			return nil, fmt.Errorf("%s: element %s is there twice", at, m.name)
		}
		members = append(members, m)
	}
	return members, nil
}

func unknown(at, what, name string, known []string) error {
	if near := suggest.Nearest(name, known); len(near) > 0 {
		return fmt.Errorf("%s: unknown %s %q, did you mean %s?", at, what, name, near[0])
	}
	return fmt.Errorf("%s: unknown %s %q", at, what, name)
}

func oneOrMany(raw json.RawMessage, at string) ([]json.RawMessage, error) {
	if raw[0] != '[' {
		return []json.RawMessage{raw}, nil
	}
	var many []json.RawMessage
	if err := json.Unmarshal(raw, &many); err != nil {
		return nil, fmt.Errorf("%s: %w", at, err)
	}
	return many, nil
}

func parseStatement(raw json.RawMessage, at string, known []string) (statement, error) {
	members, err := object(raw, at, known)
	if err != nil {
		return statement{}, err
	}
	var s statement
	var effect string
	for _, m := range members {
		here := at + "." + m.name
		switch m.name {
		case "Sid":
			s.sid, err = sid(m.value, here)
		case "Effect":
			if json.Unmarshal(m.value, &effect) != nil || effect != "Allow" && effect != "Deny" {
				err = fmt.Errorf("%s: want \"Allow\" or \"Deny\"", here)
			}
		case "Action", "NotAction":
			err = s.actions.read(m, here, checkAction)
		case "Resource", "NotResource":
			err = s.resources.read(m, here, checkResource)
		case "Principal":
			s.principals, err = parsePrincipals(m.value, here)
		case "Condition":
			s.conditions, err = parseConditions(m.value, here)
		}
		if err != nil {
			return statement{}, err
		}
	}
	s.deny = effect == "Deny"
	return s, s.complete(at, effect, known)
}

// complete checks that a statement has what it must have.
func (s statement) complete(at, effect string, known []string) error {
	missing := ""
	switch {
	case effect == "":
		missing = "Effect"
	case s.actions.patterns == nil:
		missing = "Action"
	case slices.Contains(known, "Resource") && s.resources.patterns == nil:
		missing = "Resource"
	case slices.Contains(known, "Principal") && s.principals == nil:
		missing = "Principal"
	}
	if missing != "" {
		return fmt.Errorf("%s.%s: missing", at, missing)
	}
	return nil
}

func sid(raw json.RawMessage, at string) (string, error) {
	var text string
	odd := func(r rune) bool { return (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z') }
	if json.Unmarshal(raw, &text) != nil || strings.ContainsFunc(text, odd) {
		return "", fmt.Errorf("%s: want letters and digits only", at)
	}
	return text, nil
}

// read reads a list of patterns, of which a statement has one: with Not or without.
func (l *list) read(m member, at string, check func(pattern string) string) error {
	if l.patterns != nil {
		return fmt.Errorf("%s: %s and Not%[2]s exclude each other", at, strings.TrimPrefix(m.name, "Not"))
	}
	var err error
	if l.patterns, err = texts(m.value, at); err != nil {
		return err
	}
	l.not = strings.HasPrefix(m.name, "Not")
	for _, pattern := range l.patterns {
		if want := check(pattern); want != "" {
			return fmt.Errorf("%s: %q: %s", at, pattern, want)
		}
	}
	return nil
}

// texts reads a string or several.
func texts(raw json.RawMessage, at string) ([]string, error) {
	all, err := oneOrMany(raw, at)
	if err != nil {
		return nil, err
	}
	var values []string
	for _, one := range all {
		var text string
		if one[0] != '"' || json.Unmarshal(one, &text) != nil {
			return nil, fmt.Errorf("%s: want a string, or several", at)
		}
		values = append(values, text)
	}
	if len(values) == 0 {
		return nil, fmt.Errorf("%s: empty", at)
	}
	return values, nil
}

func checkAction(pattern string) string {
	service, verb, found := strings.Cut(pattern, ":")
	if pattern == "*" || found && service != "" && verb != "" && !strings.ContainsAny(service, "*? ") && !strings.ContainsAny(verb, ": ") {
		return ""
	}
	return "want SERVICE:ACTION, or *"
}

func checkResource(pattern string) string {
	if parts := splitARN(pattern); pattern == "*" || len(parts) == 6 && parts[0] == "arn" && parts[5] != "" {
		return checkVariables(pattern)
	}
	return "want an ARN, arn:PARTITION:SERVICE:REGION:ACCOUNT:RESOURCE, or *"
}
