package session

import (
	"fmt"
	"regexp"
	"strings"
)

// Denial is what IAM's refusal tells: "User: ARN is not authorized to perform: ACTION on resource: ARN because …"
// (IAM User Guide, "Troubleshoot access denied error messages"). What the text doesn't tell is "".
type Denial struct{ Principal, Action, Resource, Why string }

var (
	denialUser     = regexp.MustCompile(`\bUser: (arn:[^\s,;]+)`)
	denialAction   = regexp.MustCompile(`\bto perform: ([A-Za-z0-9-]+:[A-Za-z0-9*]+)`)
	denialResource = regexp.MustCompile(`\bon resource: (arn:[^\s,;]+)`)
	denialWhy      = regexp.MustCompile(`\bon resource: arn:\S+ ((?:because|with) [^\n]+)`)
)

// ParseDenial reads the text of an AccessDenied.
func ParseDenial(text string) Denial {
	find := func(re *regexp.Regexp) string {
		if m := re.FindStringSubmatch(text); m != nil {
			return strings.TrimRight(m[1], ".")
		}
		return ""
	}
	return Denial{find(denialUser), find(denialAction), find(denialResource), atMost300(find(denialWhy))}
}

// atMost300 keeps AWS's reason to a length that a message can hold.
func atMost300(text string) string {
	if len(text) > 300 {
		return strings.ToValidUTF8(text[:300], "")
	}
	return text
}

// Short says it without the ARNs, which an error has apart; "" when the text was another one.
func (d Denial) Short() string {
	if d.Principal == "" || d.Action == "" || d.Resource == "" {
		return ""
	}
	text := fmt.Sprintf("%s may not %s on %s", named(d.Principal), d.Action, named(d.Resource))
	// The usual reason is healed by the policy that the error has. Others are not: an explicit deny, a service control policy.
	if d.Why == "" || strings.HasPrefix(d.Why, "because no identity-based policy") {
		return text
	}
	return text + ", " + d.Why
}

// named is what an ARN names in its account: user/alice.
func named(arn string) string {
	parts := strings.SplitN(arn, ":", 6)
	return parts[len(parts)-1]
}
