package gateway

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
)

// Codes in a startup packet's place of the version (PostgreSQL manual, 55.7).
const (
	cancelRequest = 1234<<16 | 5678
	sslRequest    = 1234<<16 | 5679
	gssRequest    = 1234<<16 | 5680
	protocol3     = 3 << 16
	// longestStartup is PostgreSQL's own limit (MAX_STARTUP_PACKET_LENGTH).
	longestStartup = 10_000
)

// startup is a client's first packet: a wish to open a session, or one of the requests that have a code instead.
type startup struct {
	code   uint32
	params map[string]string
	// options are the names of the protocol extensions asked for ("_pq_.…"); we know none.
	options []string
	// pid and secret are a cancel request's.
	pid    uint32
	secret []byte
}

// readStartup reads one packet and not a byte more: what follows may belong to TLS, and plaintext read ahead would be
// taken for a part of it (CVE-2021-23214). first holds bytes that were read already.
func readStartup(conn net.Conn, first []byte) (startup, error) {
	head := make([]byte, 4)
	n := copy(head, first)
	if _, err := io.ReadFull(conn, head[n:]); err != nil {
		return startup{}, err
	}
	size := binary.BigEndian.Uint32(head)
	if size < 8 || size > longestStartup {
		return startup{}, fmt.Errorf("startup packet of %d bytes", size)
	}
	body := make([]byte, size-4)
	if _, err := io.ReadFull(conn, body); err != nil {
		return startup{}, err
	}
	return parseStartup(body)
}

// parseStartup reads a packet without its length.
func parseStartup(body []byte) (startup, error) {
	if len(body) < 4 {
		return startup{}, errors.New("startup packet without a version")
	}
	s := startup{code: binary.BigEndian.Uint32(body)}
	rest := body[4:]
	switch {
	case s.code == sslRequest || s.code == gssRequest:
		return s, nil
	case s.code == cancelRequest:
		if len(rest) < 8 || len(rest) > 260 { // the key has up to 256 bytes since protocol 3.2
			return s, fmt.Errorf("cancel request of %d bytes", len(rest))
		}
		s.pid, s.secret = binary.BigEndian.Uint32(rest), rest[4:]
		return s, nil
	case s.code>>16 != 3:
		return s, fmt.Errorf("protocol %d.%d", s.code>>16, s.code&0xFFFF)
	}
	return s, s.parameters(rest)
}

func (s *startup) parameters(rest []byte) error {
	s.params = map[string]string{}
	for len(rest) > 0 && rest[0] != 0 {
		name, after, found := cut(rest)
		value, after, foundToo := cut(after)
		if !found || !foundToo {
			return errors.New("startup packet with a parameter cut short")
		}
		if strings.HasPrefix(name, "_pq_.") {
			s.options = append(s.options, name)
		} else {
			s.params[name] = value
		}
		rest = after
	}
	if len(rest) != 1 {
		return errors.New("startup packet without its end")
	}
	return nil
}

func cut(b []byte) (string, []byte, bool) {
	before, after, found := bytes.Cut(b, []byte{0})
	return string(before), after, found
}

// packet is the startup packet of a protocol 3.0 session with these parameters.
func packet(params map[string]string) []byte {
	b := binary.BigEndian.AppendUint32(make([]byte, 4), protocol3)
	for name, value := range params {
		b = append(append(append(append(b, name...), 0), value...), 0)
	}
	b = append(b, 0)
	binary.BigEndian.PutUint32(b, uint32(len(b)))
	return b
}
