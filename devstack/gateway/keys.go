package gateway

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/binary"
	"io"
	"net"
	"sync"
	"time"
)

// keys maps the cancel keys that we gave out to the server's own. A key lives as long as its session, so a cancel
// request that comes late finds nothing.
type keys struct {
	mu      sync.Mutex
	running map[uint32]key
}

type key struct {
	secret   [4]byte // protocol 3.0 has room for no more
	upstream []byte  // the server's process id and secret, as in its BackendKeyData
}

// add gives out a key for the server's; remove takes it back.
func (k *keys) add(upstream []byte) (pid uint32, secret []byte) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.running == nil {
		k.running = map[uint32]key{}
	}
	var b [8]byte
	for pid == 0 || k.running[pid].upstream != nil {
		_, _ = rand.Read(b[:])                   // never fails (crypto/rand)
		pid = binary.BigEndian.Uint32(b[:]) >> 1 // libpq's PQbackendPID is a signed int
	}
	entry := key{upstream: upstream, secret: [4]byte(b[4:])}
	k.running[pid] = entry
	return pid, entry.secret[:]
}

func (k *keys) remove(pid uint32) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.running, pid)
}

func (k *keys) find(pid uint32, secret []byte) []byte {
	k.mu.Lock()
	defer k.mu.Unlock()
	entry, known := k.running[pid]
	if !known || subtle.ConstantTimeCompare(entry.secret[:], secret) != 1 {
		return nil
	}
	return entry.upstream
}

// forward sends a cancel request to the server and waits until it has acted on it: the client takes our closing its
// connection for that, and what it sends next must not be hit.
func (g *Gateway) forward(pid uint32, secret []byte) error {
	upstream := g.keys.find(pid, secret)
	if upstream == nil {
		return nil // PostgreSQL says nothing either
	}
	conn, err := g.dial()
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(dialTimeout))
	b := binary.BigEndian.AppendUint32(nil, uint32(8+len(upstream)))
	b = append(binary.BigEndian.AppendUint32(b, cancelRequest), upstream...)
	if _, err := conn.Write(b); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, conn)
	return err
}

func (g *Gateway) dial() (net.Conn, error) {
	return (&net.Dialer{Timeout: dialTimeout}).DialContext(g.ctx, "unix", g.o.Socket)
}
