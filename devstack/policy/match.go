package policy

import (
	"strings"
	"unicode/utf8"
)

// What a pattern has in place of * and ?; no text holds these.
const (
	anyRun rune = -1
	anyOne rune = -2
)

// expand makes a pattern of a policy's text: the values of its variables are taken as they stand, wildcards of theirs
// too. It fails when a variable has no value, or several.
func (d Document) expand(text string, keys Keys, wildcards bool) ([]rune, bool) {
	var pattern []rune
	for text != "" {
		if name, rest, found := variable(text); found && d.variables {
			value, known := valueOf(name, keys)
			if !known {
				return nil, false
			}
			pattern, text = append(pattern, []rune(value)...), rest
			continue
		}
		r, size := utf8.DecodeRuneInString(text)
		switch {
		case r == '*' && wildcards:
			r = anyRun
		case r == '?' && wildcards:
			r = anyOne
		}
		pattern, text = append(pattern, r), text[size:]
	}
	return pattern, true
}

// variable cuts ${name} off the front of a text.
func variable(text string) (name, rest string, found bool) {
	if inside, is := strings.CutPrefix(text, "${"); is {
		return strings.Cut(inside, "}")
	}
	return "", text, false
}

// checkVariables refuses a variable with a default, ${aws:PrincipalTag/team, 'all'}, which would be taken for one without a
// value.
//
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html
func checkVariables(text string) string {
	for i := range text {
		if name, _, found := variable(text[i:]); found && strings.Contains(name, ",") {
			return "variables with a default value are not known here: name the value, or write a second statement"
		}
	}
	return ""
}

func valueOf(name string, keys Keys) (string, bool) {
	if name == "*" || name == "?" || name == "$" {
		return name, true
	}
	values := keys[strings.ToLower(name)]
	if len(values) != 1 {
		return "", false
	}
	return values[0], true
}

// glob reports whether a text has a pattern.
func glob(pattern []rune, text string) bool {
	runes := []rune(text)
	p, t, star, mark := 0, 0, -1, 0
	for t < len(runes) {
		switch {
		case p < len(pattern) && pattern[p] == anyRun:
			star, mark = p, t
			p++
		case p < len(pattern) && (pattern[p] == anyOne || pattern[p] == runes[t]):
			p++
			t++
		case star >= 0: // the last * takes one more
			mark++
			p, t = star+1, mark
		default:
			return false
		}
	}
	for p < len(pattern) && pattern[p] == anyRun {
		p++
	}
	return p == len(pattern)
}

// splitARN cuts an ARN, or a pattern of ARNs, into its six parts. The colon of a variable cuts nothing.
func splitARN(text string) []string {
	var parts []string
	begin := 0
	for i := 0; i < len(text) && len(parts) < 5; i++ {
		if _, rest, found := variable(text[i:]); found {
			i = len(text) - len(rest) - 1
		} else if text[i] == ':' {
			parts, begin = append(parts, text[begin:i]), i+1
		}
	}
	return append(parts, text[begin:])
}

// matchesARN compares part by part: a wildcard does not reach over a colon, but for those within the last part.
//
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_resource.html
func (d Document) matchesARN(pattern, arn string, keys Keys) bool {
	if pattern == "*" {
		return true
	}
	want, have := splitARN(pattern), strings.SplitN(arn, ":", 6)
	if len(want) != len(have) {
		return false
	}
	for i := range want {
		part, ok := d.expand(want[i], keys, true)
		if !ok || !glob(part, have[i]) {
			return false
		}
	}
	return true
}

// matchesAction compares as AWS does, without regard to case.
func (d Document) matchesAction(pattern, action string) bool {
	want, _ := Document{}.expand(strings.ToLower(pattern), nil, true)
	return glob(want, strings.ToLower(action))
}
