package gateway

import (
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

const (
	mechanism = "SCRAM-SHA-256"
	// maxIterations keeps a verifier that somebody wrote by hand from costing minutes.
	maxIterations = 1_000_000
)

// verifier is what pg_authid.rolpassword holds: SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>.
type verifier struct {
	iterations        int
	salt              []byte
	stored, serverKey []byte
}

func parseVerifier(text string) (verifier, bool) {
	parts := strings.FieldsFunc(strings.TrimPrefix(text, mechanism), func(r rune) bool { return r == '$' || r == ':' })
	if !strings.HasPrefix(text, mechanism+"$") || len(parts) != 4 {
		return verifier{}, false
	}
	var v verifier
	var errs [4]error
	v.iterations, errs[0] = strconv.Atoi(parts[0])
	v.salt, errs[1] = base64.StdEncoding.DecodeString(parts[1])
	v.stored, errs[2] = base64.StdEncoding.DecodeString(parts[2])
	v.serverKey, errs[3] = base64.StdEncoding.DecodeString(parts[3])
	ok := errors.Join(errs[:]...) == nil && v.iterations > 0 && v.iterations <= maxIterations && len(v.stored) == sha256.Size
	return v, ok
}

// mock is a verifier that no password fits. Like a real one it has the same salt whenever the user asks.
func mock(secret []byte, user string) verifier {
	b := make([]byte, 2*sha256.Size)
	_, _ = rand.Read(b) // never fails (crypto/rand)
	return verifier{iterations: 4096, salt: mac(secret, user)[:16], stored: b[:sha256.Size], serverKey: b[sha256.Size:]}
}

// matches checks a password in clear. SASLprep leaves printable ASCII and composed letters as they are; anything more
// exotic is compared as it came.
func (v verifier) matches(password string) bool {
	salted, err := pbkdf2.Key(sha256.New, password, v.salt, v.iterations, sha256.Size)
	if err != nil {
		return false
	}
	return v.fits(mac(salted, "Client Key"))
}

func (v verifier) fits(clientKey []byte) bool {
	sum := sha256.Sum256(clientKey)
	return subtle.ConstantTimeCompare(sum[:], v.stored) == 1
}

func mac(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}

// firstMessage takes client-first-message out of a SASLInitialResponse.
func firstMessage(body []byte) (string, error) {
	name, rest, found := cut(body)
	if !found || name != mechanism || len(rest) < 4 {
		return "", fmt.Errorf("mechanism %q", name)
	}
	if size := binary.BigEndian.Uint32(rest); uint64(size) != uint64(len(rest)-4) {
		return "", errors.New("message of another length than it says")
	}
	return string(rest[4:]), nil
}

// exchange is one SCRAM login, seen from the server.
type exchange struct {
	v               verifier
	header, bare    string // of the client's first message
	nonce           string
	challenge       string
	clientFirstGood bool
}

func newExchange(v verifier, first, nonce string) *exchange {
	e := &exchange{v: v}
	flag, rest, _ := strings.Cut(first, ",")
	authzid, bare, found := strings.Cut(rest, ",")
	e.header, e.bare = flag+","+authzid+",", bare
	_, clientNonce, _ := strings.Cut(bare, ",r=")
	clientNonce, _, _ = strings.Cut(clientNonce, ",")
	// "p=…" would bind to the TLS channel, which we did not offer; "y" and "n" say that the client does not.
	e.clientFirstGood = found && (flag == "n" || flag == "y") && authzid == "" && clientNonce != ""
	e.nonce = clientNonce + nonce
	e.challenge = fmt.Sprintf("r=%s,s=%s,i=%d", e.nonce, base64.StdEncoding.EncodeToString(v.salt), v.iterations)
	return e
}

// finish checks client-final-message and returns server-final-message.
func (e *exchange) finish(final string) (string, error) {
	withoutProof, proof, found := strings.Cut(final, ",p=")
	binding := "c=" + base64.StdEncoding.EncodeToString([]byte(e.header))
	if !e.clientFirstGood || !found || withoutProof != binding+",r="+e.nonce {
		return "", errors.New("SCRAM message that does not fit")
	}
	got, err := base64.StdEncoding.DecodeString(proof)
	if err != nil || len(got) != sha256.Size {
		return "", errors.New("SCRAM proof that is none")
	}
	message := e.bare + "," + e.challenge + "," + withoutProof
	key := make([]byte, sha256.Size)
	subtle.XORBytes(key, got, mac(e.v.stored, message))
	if !e.v.fits(key) {
		return "", errors.New("wrong password")
	}
	return "v=" + base64.StdEncoding.EncodeToString(mac(e.v.serverKey, message)), nil
}
