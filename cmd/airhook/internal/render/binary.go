package render

import (
	"encoding/binary"
	"strconv"
	"time"
)

// The OIDs whose text depends on DateStyle: date, timestamp, timestamptz and their arrays.
const (
	dateOID        = 1082
	timestampOID   = 1114
	timestamptzOID = 1184
)

// DependsOnDateStyle reports whether the text of a type is ISO only while DateStyle is. Such values are asked for in
// binary when a session has another style, and go through [FromBinary].
func DependsOnDateStyle(oid uint32) bool {
	if elem, ok := arrays[oid]; ok {
		oid = elem
	}
	return oid == dateOID || oid == timestampOID || oid == timestamptzOID
}

// FromBinary returns PostgreSQL's ISO text, in UTC, of a value in binary format that DependsOnDateStyle. Values of a
// shape that no server sends come back empty.
func FromBinary(oid uint32, b []byte) []byte {
	if b == nil {
		return nil
	}
	if elem, ok := arrays[oid]; ok {
		return binaryArray(elem, b)
	}
	return binaryMoment(oid, b)
}

// epoch is PostgreSQL's day zero (utils/timestamp.h, POSTGRES_EPOCH_JDATE).
var epoch = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

func binaryMoment(oid uint32, b []byte) []byte {
	var n, low, high int64
	switch {
	case oid == dateOID && len(b) == 4:
		n, low, high = int64(int32(binary.BigEndian.Uint32(b))), -1<<31, 1<<31-1
	case oid != dateOID && len(b) == 8:
		n, low, high = int64(binary.BigEndian.Uint64(b)), -1<<63, 1<<63-1
	default:
		return []byte{}
	}
	switch n {
	case low:
		return []byte("-infinity")
	case high:
		return []byte("infinity")
	}
	if oid == dateOID {
		return momentText(oid, epoch.AddDate(0, 0, int(n)), 0)
	}
	seconds, micros := n/1e6, n%1e6
	if micros < 0 {
		seconds, micros = seconds-1, micros+1e6
	}
	return momentText(oid, time.Unix(epoch.Unix()+seconds, 0).UTC(), micros)
}

func momentText(oid uint32, t time.Time, micros int64) []byte {
	year, era := t.Year(), ""
	if year < 1 {
		year, era = 1-year, " BC"
	}
	b := appendPadded(nil, year, 4)
	b = t.AppendFormat(b, "-01-02")
	if oid != dateOID {
		b = t.AppendFormat(b, " 15:04:05")
		if micros != 0 {
			fraction := appendPadded([]byte{'.'}, int(micros), 6)
			for fraction[len(fraction)-1] == '0' {
				fraction = fraction[:len(fraction)-1]
			}
			b = append(b, fraction...)
		}
	}
	if oid == timestamptzOID {
		b = append(b, "+00"...)
	}
	return append(b, era...)
}

// binaryArray reads array_send's form: dimensions, a flag, the element's OID, length and lower bound of each
// dimension, then the elements, each after its length or -1 for NULL (arrayfuncs.c).
func binaryArray(elem uint32, b []byte) []byte {
	r := wire{b: b}
	dims, _, _ := r.int32(), r.int32(), r.int32()
	switch {
	case dims == 0:
		return []byte("{}")
	case dims < 0 || dims > maxDimensions:
		return []byte{}
	}
	room := len(b) / 4 // every element has at least its length
	var lengths []int
	var bounds []byte
	shifted := false
	for range dims {
		n, from := r.int32(), r.int32()
		if n < 1 || n > room {
			return []byte{}
		}
		room /= n
		lengths = append(lengths, n)
		shifted = shifted || from != 1
		bounds = append(bounds, '[')
		bounds = strconv.AppendInt(bounds, int64(from), 10)
		bounds = append(bounds, ':')
		bounds = strconv.AppendInt(bounds, int64(from+n-1), 10)
		bounds = append(bounds, ']')
	}
	text := []byte{}
	if shifted {
		text = append(bounds, '=')
	}
	if text = r.nested(text, elem, lengths); r.short {
		return []byte{}
	}
	return text
}

type wire struct {
	b     []byte
	short bool // something was to be read that is not there
}

func (r *wire) int32() int {
	if len(r.b) < 4 {
		r.b, r.short = nil, true
		return 0
	}
	n := int(int32(binary.BigEndian.Uint32(r.b)))
	r.b = r.b[4:]
	return n
}

func (r *wire) nested(text []byte, elem uint32, lengths []int) []byte {
	text = append(text, '{')
	for i := range lengths[0] {
		if i > 0 {
			text = append(text, ',')
		}
		if len(lengths) > 1 {
			text = r.nested(text, elem, lengths[1:])
			continue
		}
		n := r.int32()
		if r.short = r.short || n > len(r.b); n < 0 || r.short {
			text = append(text, "NULL"...)
			continue
		}
		text = append(text, '"')
		text = append(text, binaryMoment(elem, r.b[:n])...)
		text = append(text, '"')
		r.b = r.b[n:]
	}
	return append(text, '}')
}
