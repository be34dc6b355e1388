package sigv4

import (
	"strconv"
	"time"
)

// presignature is what the query of a presigned request says.
type presignature struct {
	claim
	at       time.Time
	lifetime time.Duration
}

func (p presignature) result() Result {
	return Result{AccessKeyID: p.scope.accessKeyID, Service: p.scope.service, Region: p.scope.region, Date: p.at, Expires: p.at.Add(p.lifetime)}
}

const (
	week     = 7 * 24 * time.Hour // no presigned request of AWS's lives longer
	earliest = 5 * time.Minute    // how far the clock of who presigned may be ahead
)

func presigned(p map[string]string) (presignature, error) {
	for _, name := range []string{"X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-Expires", "X-Amz-SignedHeaders", "X-Amz-Signature"} {
		if p[name] == "" {
			return presignature{}, incomplete("AWS query-string parameters must include '%s'. Re-examine the query-string parameters.", name)
		}
	}
	if p["X-Amz-Algorithm"] != algorithm {
		return presignature{}, incomplete("Unsupported AWS 'algorithm': '%s'", printable(p["X-Amz-Algorithm"]))
	}
	s, err := parseScope(p["X-Amz-Credential"])
	if err != nil {
		return presignature{}, err
	}
	at, err := parseDate(p["X-Amz-Date"], s)
	if err != nil {
		return presignature{}, err
	}
	lifetime, err := parseLifetime(p["X-Amz-Expires"])
	if err != nil {
		return presignature{}, err
	}
	c := claim{scope: s, date: p["X-Amz-Date"], signature: p["X-Amz-Signature"], sessionToken: p["X-Amz-Security-Token"]}
	return presignature{c, at, lifetime}, nil
}

func parseLifetime(text string) (time.Duration, error) {
	seconds, err := strconv.ParseUint(text, 10, 32)
	lifetime := time.Duration(seconds) * time.Second
	if err != nil || lifetime < time.Second || lifetime > week {
		return 0, incomplete("X-Amz-Expires must be a number of seconds from 1 to %d", int(week/time.Second))
	}
	return lifetime, nil
}

// inTime says whether a presigned request or a token is good now. It comes after the signature: who is told that
// something expired knows that the rest was right.
func (v Verifier) inTime(p presignature) error {
	now := v.now()
	switch {
	case now.Before(p.at.Add(-earliest)):
		return wrong("Signature not yet current: %s is still later than %s (%s + 5 min.)", p.date, now.Add(earliest).UTC().Format(longDate), now.UTC().Format(longDate))
	case !now.Before(p.at.Add(p.lifetime)):
		return expired("signed at %s for %s, and it is %s", p.date, p.lifetime, now.UTC().Format(longDate))
	}
	return nil
}
