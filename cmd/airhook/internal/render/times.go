package render

import (
	"bytes"
	"time"
)

// appendTimestamp turns "2024-01-31 12:00:00.5" into ISO 8601. Infinity, BC and years of five digits stay
// PostgreSQL's own text, because ISO 8601 has no agreed form for them.
func appendTimestamp(dst, text []byte) []byte {
	if !isCommon(text) {
		return append(dst, text...)
	}
	dst = append(dst, text[:10]...)
	dst = append(dst, 'T')
	return append(dst, text[11:]...)
}

// isCommon reports whether text is "YYYY-MM-DD hh:mm:ss…" of this era.
func isCommon(text []byte) bool {
	return len(text) >= 19 && text[4] == '-' && text[7] == '-' && text[10] == ' ' && text[13] == ':' &&
		!bytes.HasSuffix(text, []byte(" BC"))
}

// appendTimestampTZ turns "2024-01-31 13:00:00.5+01" into UTC, "2024-01-31T12:00:00.5Z". Times before year 1 and after
// 9999 are PostgreSQL's text of the same moment in UTC.
func appendTimestampTZ(dst, text []byte) []byte {
	if n := len(text); n > 3 && isCommon(text) && string(text[n-3:]) == "+00" {
		dst = appendTimestamp(dst, text[:n-3])
		return append(dst, 'Z')
	}
	local, fraction, offset, ok := parseMoment(text)
	if !ok {
		return append(dst, text...) // infinity, or a DateStyle that nobody should have let through
	}
	utc := local.Add(-offset)
	if year := utc.Year(); year < 1 || year > 9999 {
		return appendDistant(dst, utc, fraction)
	}
	dst = utc.AppendFormat(dst, "2006-01-02T15:04:05")
	dst = append(dst, fraction...)
	return append(dst, 'Z')
}

// appendDistant writes PostgreSQL's ISO text in UTC: "10000-01-01 00:00:00+00", "0044-03-15 00:00:00+00 BC".
func appendDistant(dst []byte, utc time.Time, fraction []byte) []byte {
	year, era := utc.Year(), ""
	if year < 1 { // astronomers count 1 BC as year 0
		year, era = 1-year, " BC"
	}
	dst = appendPadded(dst, year, 4)
	dst = utc.AppendFormat(dst, "-01-02 15:04:05")
	dst = append(dst, fraction...)
	dst = append(dst, "+00"...)
	return append(dst, era...)
}

func appendPadded(dst []byte, n, width int) []byte {
	digits := make([]byte, 0, 8)
	for ; n > 0 || len(digits) < width; n /= 10 {
		digits = append(digits, byte('0'+n%10))
	}
	for i := len(digits) - 1; i >= 0; i-- {
		dst = append(dst, digits[i])
	}
	return dst
}

// parseMoment reads PostgreSQL's ISO text with an offset: YYYY…-MM-DD hh:mm:ss[.ffffff]±hh[:mm[:ss]][ BC]. The fraction
// stays text, point included.
func parseMoment(text []byte) (local time.Time, fraction []byte, offset time.Duration, ok bool) {
	text, bc := bytes.CutSuffix(text, []byte(" BC"))
	s := scanner{text: text, ok: true}
	year := s.number('-')
	month, day := s.number('-'), s.number(' ')
	hour, minute, second := s.number(':'), s.number(':'), s.number(0)
	start := s.at
	if s.peek() == '.' {
		s.skip()
		s.number(0)
	}
	fraction = text[start:s.at]
	sign := s.peek()
	s.skip()
	offset = time.Duration(s.number(0)) * time.Hour
	for _, unit := range []time.Duration{time.Minute, time.Second} {
		if s.peek() == ':' {
			s.skip()
			offset += time.Duration(s.number(0)) * unit
		}
	}
	if sign == '-' {
		offset = -offset
	}
	if bc {
		year = 1 - year
	}
	ok = s.ok && s.at == len(text) && (sign == '+' || sign == '-')
	return time.Date(year, time.Month(month), day, hour, minute, second, 0, time.UTC), fraction, offset, ok
}

type scanner struct {
	text []byte
	at   int
	ok   bool
}

func (s *scanner) peek() byte {
	if s.at < len(s.text) {
		return s.text[s.at]
	}
	return 0
}

func (s *scanner) skip() { s.at = min(s.at+1, len(s.text)) }

// number reads digits and then the byte that must follow, unless that is 0.
func (s *scanner) number(follow byte) int {
	n, start := 0, s.at
	for c := s.peek(); c >= '0' && c <= '9'; c = s.peek() {
		n = n*10 + int(c-'0')
		s.at++
	}
	s.ok = s.ok && s.at > start
	if follow != 0 {
		s.ok = s.ok && s.peek() == follow
		s.skip()
	}
	return n
}
