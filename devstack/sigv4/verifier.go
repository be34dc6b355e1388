package sigv4

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"time"
)

const (
	algorithm  = "AWS4-HMAC-SHA256"
	terminator = "aws4_request"
	longDate   = "20060102T150405Z"
	shortDate  = "20060102"
)

// UnsignedPayload stands in a signature to S3 where the payload's hash would, when the signer did not read the payload.
const UnsignedPayload = "UNSIGNED-PAYLOAD"

// Key is an access key of somebody's. SessionToken and Expires belong to temporary ones and are zero for the others.
type Key struct {
	AccessKeyID, SecretAccessKey, SessionToken string
	Expires                                    time.Time
}

// Verifier says whose key signed something, and whether the signature holds. It is safe for concurrent use when Find
// and Now are.
type Verifier struct {
	// Find returns the key of that id. Required.
	Find func(accessKeyID string) (Key, bool)
	// Now is the verifier's clock; nil is time.Now.
	Now func() time.Time
}

// Result is what a good signature says.
type Result struct {
	// AccessKeyID is the id of the key that signed.
	AccessKeyID string
	// Service and Region are those that the signature is good for.
	Service, Region string
	// Date is when it was signed, by the signer's clock, and Expires when a presigned request or a token ends; of a
	// request signed in its header Expires is zero.
	Date, Expires time.Time
}

// PayloadHash returns what a signature says of that body.
func PayloadHash(body []byte) string {
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:])
}

func (v Verifier) now() time.Time {
	if v.Now == nil {
		return time.Now()
	}
	return v.Now()
}

// claim is what a request or a token says of its signature; it is checked last.
type claim struct {
	scope        scope
	date         string // X-Amz-Date
	signature    string
	sessionToken string
}

// check finds the key of a claim and compares the signature with that of each canonical request: clients disagree
// about details such as the case of a host's name. Which of them fits is no secret.
func (v Verifier) check(c claim, canonical ...string) (Key, error) {
	given, err := hex.DecodeString(c.signature)
	if err != nil || len(given) != sha256.Size {
		return Key{}, incomplete("the signature is not 64 hexadecimal digits")
	}
	key, found := v.Find(c.scope.accessKeyID)
	if !found || key.AccessKeyID != c.scope.accessKeyID || key.SecretAccessKey == "" {
		return Key{}, invalidKey("nobody has access key %s", c.scope.accessKeyID)
	}
	if subtle.ConstantTimeCompare([]byte(key.SessionToken), []byte(c.sessionToken)) != 1 {
		return Key{}, invalidKey("the session token does not belong to access key %s", c.scope.accessKeyID)
	}
	signer := signingKey(key.SecretAccessKey, c.scope)
	matches := false
	for _, request := range canonical {
		matches = hmac.Equal(given, mac(signer, stringToSign(c, request))) || matches
	}
	if !matches {
		return Key{}, mismatch("the signature is not that of access key %s over this", c.scope.accessKeyID)
	}
	if !key.Expires.IsZero() && !v.now().Before(key.Expires) {
		return Key{}, &Error{
			Code: "ExpiredToken", Status: 403, Message: "The security token included in the request is expired",
			Why: "access key " + key.AccessKeyID + " expired at " + key.Expires.UTC().Format(time.RFC3339),
		}
	}
	return key, nil
}

func stringToSign(c claim, canonical string) string {
	return algorithm + "\n" + c.date + "\n" + c.scope.String() + "\n" + PayloadHash([]byte(canonical))
}

func signingKey(secret string, s scope) []byte {
	key := []byte("AWS4" + secret)
	for _, part := range []string{s.date, s.region, s.service, terminator} {
		key = mac(key, part)
	}
	return key
}

func mac(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}
