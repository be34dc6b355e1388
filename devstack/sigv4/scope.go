package sigv4

import (
	"strings"
	"time"
)

// scope is a credential scope with the key's id in front: KEY/20260131/us-east-1/redshift/aws4_request.
type scope struct {
	accessKeyID, date, region, service string
}

func parseScope(text string) (scope, error) {
	parts := strings.Split(text, "/")
	if len(parts) != 5 || parts[4] != terminator {
		return scope{}, incomplete("Credential must have the form <key id>/<date>/<region>/<service>/%s", terminator)
	}
	for i, part := range parts {
		if part == "" || len(part) > 128 || strings.Trim(part, allowed(i)) != "" {
			return scope{}, incomplete("Credential has a part that is empty or holds another character than letters, digits and hyphens")
		}
	}
	return scope{accessKeyID: parts[0], date: parts[1], region: parts[2], service: parts[3]}, nil
}

// allowed are the characters of a scope's part: the key's id may be any word, the rest is in lower case.
func allowed(part int) string {
	const lower, upper, digits = "abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "0123456789"
	switch part {
	case 0:
		return lower + upper + digits + "_-"
	case 1:
		return digits
	}
	return lower + digits + "-_"
}

// String is the scope as the signature covers it, without the key's id.
func (s scope) String() string { return s.date + "/" + s.region + "/" + s.service + "/" + terminator }

// parseDate reads X-Amz-Date, which must lie on the scope's day.
func parseDate(text string, s scope) (time.Time, error) {
	date, err := time.Parse(longDate, text)
	if err != nil || len(text) != len(longDate) { // time.Parse takes fractions of a second that the layout has not
		return time.Time{}, incomplete("X-Amz-Date must have the form YYYYMMDD'T'HHMMSS'Z'")
	}
	if date.Format(shortDate) != s.date {
		return time.Time{}, wrong("Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '%s' != '%s', from '%s'.", s.date, date.Format(shortDate), text)
	}
	return date, nil
}
