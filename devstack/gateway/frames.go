package gateway

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"strings"

	"github.com/jackc/pgx/v5/pgproto3"
)

const (
	bufferSize = 64 << 10
	// longestEdit is the largest frame that is looked into.
	longestEdit = 16 << 10
)

// pipe passes frames from one side to the other and keeps its hands off their content, but for those that edit wants.
type pipe struct {
	from *bufio.Reader
	to   *bufio.Writer
	// kinds are the type bytes of the frames that edit is asked about: it returns what goes on instead, nil for nothing.
	kinds string
	edit  func(frame []byte) []byte
}

// connect returns a pipe that writes what it has whenever it has to wait for more, so that a Flush or Sync is on its
// way at once while rows still travel in large writes.
func connect(from io.Reader, to io.Writer) *pipe {
	w := bufio.NewWriterSize(to, bufferSize)
	return &pipe{from: bufio.NewReaderSize(flushing{from, w}, bufferSize), to: w}
}

// flushing is a reader that first writes out what waits.
type flushing struct {
	io.Reader
	w *bufio.Writer
}

func (f flushing) Read(b []byte) (int, error) {
	if err := f.w.Flush(); err != nil {
		return 0, err
	}
	return f.Reader.Read(b)
}

// run passes frames on until the end, which is io.EOF between two frames, or until pass says so.
func (p *pipe) run(pass func(kind byte) bool) error {
	for {
		head, err := p.from.Peek(5)
		if err != nil {
			return err
		}
		kind, size := head[0], int64(binary.BigEndian.Uint32(head[1:]))
		if size < 4 {
			return fmt.Errorf("frame %q of %d bytes", kind, size)
		}
		if size < longestEdit && strings.IndexByte(p.kinds, kind) >= 0 {
			err = p.edited(int(size) + 1)
		} else {
			err = p.copy(size + 1)
		}
		if err != nil {
			return err
		}
		if !pass(kind) {
			return p.to.Flush()
		}
	}
}

func (p *pipe) edited(size int) error {
	frame, err := p.from.Peek(size)
	if err != nil {
		return err
	}
	_, err = p.to.Write(p.edit(frame))
	if err == nil {
		_, err = p.from.Discard(size)
	}
	return err
}

func (p *pipe) copy(size int64) error {
	for size > 0 {
		if _, err := p.from.Peek(1); err != nil { // waits for bytes when there are none
			return err
		}
		b, err := p.from.Peek(int(min(size, int64(p.from.Buffered()))))
		if err == nil {
			_, err = p.to.Write(b)
		}
		if err == nil {
			_, err = p.from.Discard(len(b))
		}
		if err != nil {
			return err
		}
		size -= int64(len(b))
	}
	return nil
}

// encode is the bytes of messages of ours.
func encode(messages ...pgproto3.BackendMessage) []byte {
	var b []byte
	for _, m := range messages {
		b, _ = m.Encode(b) // fails for messages beyond a gigabyte only
	}
	return b
}

// refusal is a login that was refused: what the client is told, and why, for our log.
type refusal struct {
	code, message string
	why           error
}

func (r *refusal) Error() string { return r.message }

func (r *refusal) Unwrap() error { return r.why }

func (r *refusal) frame() []byte {
	return encode(&pgproto3.ErrorResponse{Severity: "FATAL", SeverityUnlocalized: "FATAL", Code: r.code, Message: r.message})
}

// closeWrite ends one direction of a connection, whatever it is made of.
func closeWrite(conn net.Conn) {
	if half, ok := conn.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite()
	}
}
