package gateway

import (
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// buffer is a connection that holds what a client sent.
type buffer struct {
	net.Conn
	bytes.Reader
}

func (b *buffer) Read(p []byte) (int, error) { return b.Reader.Read(p) }

func FuzzStartup(f *testing.F) {
	f.Add(packet(map[string]string{"user": "app", "database": "shop", "application_name": "psql"}))
	f.Add(packet(nil))
	f.Add([]byte{0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f})
	f.Add([]byte{0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x30})
	f.Add([]byte{0, 0, 0, 16, 0x04, 0xd2, 0x16, 0x2e, 1, 2, 3, 4, 5, 6, 7, 8})
	f.Add([]byte("\x00\x00\x00\x1e\x00\x03\x00\x02_pq_.x\x00on\x00user\x00a\x00\x00 and more"))
	f.Add([]byte("GET / HTTP/1.1\r\n\r\n"))
	f.Fuzz(func(t *testing.T, sent []byte) {
		in := &buffer{Reader: *bytes.NewReader(sent)}
		s, err := readStartup(in, nil)
		taken := len(sent) - in.Len()
		if taken > 4 && (binary.BigEndian.Uint32(sent) > longestStartup || binary.BigEndian.Uint32(sent) < 8) {
			t.Fatalf("read %d bytes of a packet that says %d", taken, binary.BigEndian.Uint32(sent))
		}
		if err != nil {
			return
		}
		if size := int(binary.BigEndian.Uint32(sent)); taken != size {
			t.Fatalf("read %d bytes of a packet of %d: what follows is TLS's", taken, size)
		}
		if s.params == nil {
			return
		}
		again, err := readStartup(&buffer{Reader: *bytes.NewReader(packet(s.params))}, nil)
		if _, nameless := s.params[""]; nameless { // can't be: an empty name ends the packet
			t.Fatalf("a parameter without a name in %q", sent)
		}
		if d := cmp.Diff(s.params, again.params); err != nil || d != "" || again.code != protocol3 {
			t.Fatalf("encoded and read again: %v, code %x (-want +got):\n%s", err, again.code, d)
		}
	})
}

func TestBytesReadEarlierCount(t *testing.T) {
	whole := packet(map[string]string{"user": "app"})
	s, err := readStartup(&buffer{Reader: *bytes.NewReader(whole[1:])}, whole[:1])
	if err != nil || s.params["user"] != "app" {
		t.Errorf("got %v, %v", s.params, err)
	}
}

func FuzzSCRAM(f *testing.F) {
	v, ok := parseVerifier("SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=")
	if !ok {
		f.Fatal("the verifier of RFC 7677's password is none")
	}
	if !v.matches("pencil") || v.matches("Pencil") {
		f.Fatal("RFC 7677's password does not fit")
	}
	f.Add([]byte("SCRAM-SHA-256\x00\x00\x00\x00\x20n,,n=user,r=rOprNGfwEbeRWgbNEkqO"), "c=biws,r=x,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=", "SCRAM-SHA-256$1:$:")
	f.Add([]byte("SCRAM-SHA-256\x00\xff\xff\xff\xffn,,"), ",p=", "SCRAM-SHA-256$$$$")
	f.Fuzz(func(t *testing.T, first []byte, final, text string) {
		parseVerifier(text)
		message, err := firstMessage(first)
		if err != nil {
			return
		}
		if _, err := newExchange(v, message, "nonce").finish(final); err == nil {
			t.Fatalf("%q and %q let somebody in who has no password", first, final)
		}
	})
}

// TestSCRAMFollowsItsRFC plays the exchange of RFC 7677, section 3.
func TestSCRAMFollowsItsRFC(t *testing.T) {
	v, _ := parseVerifier("SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=")
	const first, nonce = "n,,n=user,r=rOprNGfwEbeRWgbNEkqO", "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
	const final = "c=biws,r=rOprNGfwEbeRWgbNEkqO" + nonce + ",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
	if got, err := newExchange(v, first, nonce).finish(final); err != nil || got != "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=" {
		t.Errorf("got %q, %v", got, err)
	}
	for name, message := range map[string]string{
		"another nonce": "n,,n=user,r=other", "bound to a channel": "p=tls-server-end-point,,n=user,r=rOprNGfwEbeRWgbNEkqO",
		"for somebody else": "n,a=boss,n=user,r=rOprNGfwEbeRWgbNEkqO", "no nonce": "n,,n=user",
	} {
		if _, err := newExchange(v, message, nonce).finish(final); err == nil {
			t.Errorf("%s: let in", name)
		}
	}
}

func TestACancelWaitsForTheServer(t *testing.T) {
	listener, err := net.Listen("unix", t.TempDir()+"/s")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	g := &Gateway{o: Options{Socket: listener.Addr().String()}, ctx: t.Context()}
	pid, secret := g.keys.add([]byte{1, 2, 3, 4, 5, 6, 7, 8})
	done := make(chan error, 1)
	go func() { done <- g.forward(pid, secret) }()
	server, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 16)
	if _, err := io.ReadFull(server, got); err != nil || !bytes.Equal(got[8:], []byte{1, 2, 3, 4, 5, 6, 7, 8}) {
		t.Errorf("the server gets %v, %v, want its own key", got, err)
	}
	select {
	case err := <-done:
		t.Errorf("it ended before the server had acted: %v", err)
	case <-time.After(20 * time.Millisecond):
	}
	_ = server.Close()
	if err := <-done; err != nil {
		t.Error(err)
	}
	g.keys.remove(pid)
	if err := g.forward(pid, secret); err != nil { // nobody listens for it
		t.Error(err)
	}
}
