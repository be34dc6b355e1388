package policy

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// condition is one key of one operator, with the values that it may have.
type condition struct {
	operator operator
	set      string // ForAllValues, ForAnyValue or ""
	ifExists bool
	key      string
	want     []string
}

// operator compares the value of a key with one of the policy's. negated ones hold when none of the policy's fits.
type operator struct {
	negated bool
	fits    func(d Document, have, want string, keys Keys) bool
	check   func(want string) string // "", or what is wanted instead
}

const null = "Null"

// operators are those of IAM without dates, addresses and binary values.
//
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
var operators = map[string]operator{
	"StringEquals":              {false, equals, nil},
	"StringNotEquals":           {true, equals, nil},
	"StringEqualsIgnoreCase":    {false, equalsFold, nil},
	"StringNotEqualsIgnoreCase": {true, equalsFold, nil},
	"StringLike":                {false, like, nil},
	"StringNotLike":             {true, like, nil},
	"ArnEquals":                 {false, arnLike, checkARN},
	"ArnLike":                   {false, arnLike, checkARN},
	"ArnNotEquals":              {true, arnLike, checkARN},
	"ArnNotLike":                {true, arnLike, checkARN},
	"Bool":                      {false, equalsFold, checkBool},
	null:                        {false, nil, checkBool},
	"NumericEquals":             {false, number(func(a, b float64) bool { return a == b }), checkNumber},
	"NumericNotEquals":          {true, number(func(a, b float64) bool { return a == b }), checkNumber},
	"NumericLessThan":           {false, number(func(a, b float64) bool { return a < b }), checkNumber},
	"NumericLessThanEquals":     {false, number(func(a, b float64) bool { return a <= b }), checkNumber},
	"NumericGreaterThan":        {false, number(func(a, b float64) bool { return a > b }), checkNumber},
	"NumericGreaterThanEquals":  {false, number(func(a, b float64) bool { return a >= b }), checkNumber},
}

func equals(d Document, have, want string, keys Keys) bool {
	text, ok := d.expand(want, keys, false)
	return ok && string(text) == have
}

func equalsFold(d Document, have, want string, keys Keys) bool {
	text, ok := d.expand(want, keys, false)
	return ok && strings.EqualFold(string(text), have)
}

func like(d Document, have, want string, keys Keys) bool {
	pattern, ok := d.expand(want, keys, true)
	return ok && glob(pattern, have)
}

func arnLike(d Document, have, want string, keys Keys) bool { return d.matchesARN(want, have, keys) }

func number(compare func(have, want float64) bool) func(Document, string, string, Keys) bool {
	return func(_ Document, have, want string, _ Keys) bool {
		a, err := strconv.ParseFloat(have, 64)
		b, wrong := strconv.ParseFloat(want, 64)
		return err == nil && wrong == nil && compare(a, b)
	}
}

func checkARN(want string) string { return checkResource(want) }

func checkBool(want string) string {
	if strings.EqualFold(want, "true") || strings.EqualFold(want, "false") {
		return ""
	}
	return "want true or false"
}

func checkNumber(want string) string {
	if _, err := strconv.ParseFloat(want, 64); err == nil {
		return ""
	}
	return "want a number"
}

// parseConditions reads {OPERATOR: {KEY: VALUES}}.
func parseConditions(raw json.RawMessage, at string) ([]condition, error) {
	blocks, err := object(raw, at, nil)
	if err != nil {
		return nil, err
	}
	var all []condition
	for _, block := range blocks {
		c, err := parseOperator(block.name, at)
		if err != nil {
			return nil, err
		}
		here := at + "." + block.name
		keys, err := object(block.value, here, nil)
		if err != nil {
			return nil, err
		}
		for _, key := range keys {
			if c.want, err = values(key.value, here+"."+key.name, c.operator.check); err != nil {
				return nil, err
			}
			c.key = strings.ToLower(key.name)
			all = append(all, c)
		}
	}
	return all, nil
}

func parseOperator(name, at string) (condition, error) {
	var c condition
	rest := name
	for _, set := range []string{"ForAllValues", "ForAnyValue"} {
		if after, found := strings.CutPrefix(rest, set+":"); found {
			c.set, rest = set, after
		}
	}
	rest, c.ifExists = strings.CutSuffix(rest, "IfExists")
	var known bool
	if c.operator, known = operators[rest]; !known || rest == null && rest != name {
		return condition{}, unknown(at, "operator", name, slices.Sorted(maps.Keys(operators)))
	}
	return c, nil
}

// values reads a value or several. Numbers and truth values may stand as such.
func values(raw json.RawMessage, at string, check func(string) string) ([]string, error) {
	all, err := oneOrMany(raw, at)
	if err != nil {
		return nil, err
	}
	var found []string
	for _, one := range all {
		text := string(one)
		switch one[0] {
		case '"':
			err = json.Unmarshal(one, &text)
		case '{', '[', 'n':
			err = fmt.Errorf("%s: want a string, a number, true or false, or several", at)
		}
		if err != nil {
			return nil, err
		}
		wrong := checkVariables(text)
		if check != nil && wrong == "" {
			wrong = check(text)
		}
		if wrong != "" {
			return nil, fmt.Errorf("%s: %q: %s", at, text, wrong)
		}
		found = append(found, text)
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("%s: empty", at)
	}
	return found, nil
}

// holds says whether a condition is met. A key that is not known meets none, but for negated ones, …IfExists, and
// ForAllValues.
func (d Document) holds(c condition, keys Keys) bool {
	have := keys[c.key]
	switch {
	case c.operator.fits == nil: // Null
		return slices.ContainsFunc(c.want, func(want string) bool { return strings.EqualFold(want, "true") == (len(have) == 0) })
	case len(have) == 0:
		return c.ifExists || c.set == "ForAllValues" || c.operator.negated && c.set == ""
	}
	fails := func(value string) bool {
		fits := slices.ContainsFunc(c.want, func(want string) bool { return c.operator.fits(d, value, want, keys) })
		return fits == c.operator.negated
	}
	if c.set == "ForAllValues" {
		return !slices.ContainsFunc(have, fails)
	}
	return slices.ContainsFunc(have, func(value string) bool { return !fails(value) })
}
