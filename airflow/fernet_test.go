package airflow_test

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/airhook-go/airhook"
	"github.com/airhook-go/airhook/airflow"
)

const (
	keyA = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
	keyB = "ZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXp7fH1-f4CBgoM="
)

// TestFernetVectors pins the clock and the cipher's random bytes, so that a token must be Airflow's to the last byte.
func TestFernetVectors(t *testing.T) {
	for _, v := range vectors(t, "fernet") {
		in := input[struct {
			Key       string `json:"fernet_key"`
			Plaintext string
			Time      int64
			IV        string `json:"iv_hex"`
		}](t, v)
		if plain, ok := airflow.Open(keyB+","+keyA, v.Token); !ok || plain != in.Plaintext {
			t.Errorf("line %d: opened %q, %v, want %q", v.Line, plain, ok, in.Plaintext)
		}
		iv, err := hex.DecodeString(in.IV)
		if err != nil {
			t.Fatal(err)
		}
		synctest.Test(t, func(t *testing.T) {
			<-time.After(time.Until(time.Unix(in.Time, 0)))
			random := rand.Reader
			rand.Reader = bytes.NewReader(iv)
			defer func() { rand.Reader = random }()
			if token, err := airflow.Seal(in.Key+","+keyA, in.Plaintext); err != nil || token != v.Token {
				t.Errorf("line %d: sealed %q, %v, want %q", v.Line, token, err, v.Token)
			}
		})
	}
}

func TestTokenOfAnotherKeyDoesNotOpen(t *testing.T) {
	t.Parallel()
	token, err := airflow.Seal(keyA, "secret")
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{token[:20], token[:len(token)-4] + "AAAA", "", "gAAAAA", "plain text"} {
		if plain, ok := airflow.Open(keyA, bad); ok {
			t.Errorf("%q opened: %q", bad, plain)
		}
	}
	if plain, ok := airflow.Open(keyB, token); ok {
		t.Errorf("another key opened it: %q", plain)
	}
}

func TestFernetKeyVectors(t *testing.T) {
	t.Parallel()
	for _, v := range vectors(t, "fernet_key") {
		in := input[struct {
			Key string `json:"fernet_key"`
		}](t, v)
		err := airflow.CheckKeys(in.Key)
		if (err != nil) != (v.Core.Error != nil) {
			t.Errorf("line %d: %v, Airflow says %v", v.Line, err, v.Core.Error)
		}
		if err == nil {
			continue
		}
		var e *airhook.Error
		if !errors.As(err, &e) || e.Hint == "" || !errors.Is(err, airhook.ErrInvalid) || !strings.Contains(err.Error(), "AIRFLOW__CORE__FERNET_KEY") ||
			strings.Contains(err.Error(), in.Key) {
			t.Errorf("line %d: %v must name the variable, and not quote it", v.Line, err)
		}
	}
}
