package airhooktest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/airhook-go/airhook"
)

// canary is a secret that contracts look for where none may be.
const canary = "canary-3f9c-never-show-me"

// RegistryContract checks what every registry keeps. open returns a new one that holds exactly the given connections:
// a known id gives its connection back, an unknown one is ErrNotFound, a cancelled lookup never says that an id is
// unknown, no error holds a secret, and all of it may happen at once. Of a Lister and an Editor their part is checked too.
func RegistryContract(t *testing.T, open func(t testing.TB, conns ...airhook.Connection) airhook.Registry) {
	t.Helper()
	t.Run("a known id gives its connection", func(t *testing.T) {
		want := sample(t, "contract_known")
		got, err := open(t, want, sample(t, "contract_other")).Get(t.Context(), want.ID)
		same(t, got, err, want)
	})
	t.Run("an unknown id is ErrNotFound", func(t *testing.T) {
		_, err := open(t, sample(t, "contract_known")).Get(t.Context(), "contract_unknown")
		isKind(t, "Get", err, airhook.ErrNotFound)
	})
	t.Run("a cancelled lookup never says not found", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		r := open(t, sample(t, "contract_known"))
		cancel()
		_, err := r.Get(ctx, "contract_known")
		if err != nil && !errors.Is(err, context.Canceled) && !errors.Is(err, airhook.ErrCancelled) || errors.Is(err, airhook.ErrNotFound) {
			t.Errorf("Get with a cancelled context: %v, want the connection or that it was cancelled", err)
		}
		noSecret(t, err)
	})
	t.Run("many may ask at once", func(t *testing.T) {
		want := sample(t, "contract_known")
		r := open(t, want)
		atOnce(func() {
			got, err := r.Get(t.Context(), want.ID)
			same(t, got, err, want)
			_, err = r.Get(t.Context(), "contract_unknown")
			isKind(t, "Get", err, airhook.ErrNotFound)
		})
	})
	if _, ok := open(t).(airhook.Lister); ok {
		listerContract(t, open)
	}
	if _, ok := open(t).(airhook.Editor); ok {
		editorContract(t, open)
	}
}

func listerContract(t *testing.T, open func(t testing.TB, conns ...airhook.Connection) airhook.Registry) {
	t.Run("listing yields every connection once, as Get gives it", func(t *testing.T) {
		want := map[string]airhook.Connection{}
		for _, id := range []string{"contract_a", "contract_b", "contract_c"} {
			want[id] = sample(t, id)
		}
		r := open(t, want["contract_a"], want["contract_b"], want["contract_c"])
		for got, err := range r.(airhook.Lister).List(t.Context()) {
			if _, ok := want[got.ID]; !ok {
				t.Errorf("%q is listed twice, or was never there", got.ID)
			}
			same(t, got, err, want[got.ID])
			delete(want, got.ID)
		}
		for id := range want {
			t.Errorf("%q is not listed", id)
		}
	})
	t.Run("listing may stop early", func(t *testing.T) {
		r := open(t, sample(t, "contract_a"), sample(t, "contract_b"))
		for range r.(airhook.Lister).List(t.Context()) {
			break
		}
	})
}

func editorContract(t *testing.T, open func(t testing.TB, conns ...airhook.Connection) airhook.Registry) {
	t.Run("what is put is what is got", func(t *testing.T) {
		r, want := open(t), sample(t, "contract_put")
		for range 2 { // the second replaces the first
			want.Host += ".example.com"
			if err := r.(airhook.Editor).Put(t.Context(), want); err != nil {
				t.Fatalf("Put: %v", err)
			}
			got, err := r.Get(t.Context(), want.ID)
			same(t, got, err, want)
		}
	})
	t.Run("what is deleted is gone, and can't be deleted again", func(t *testing.T) {
		r := open(t, sample(t, "contract_delete"))
		if err := r.(airhook.Editor).Delete(t.Context(), "contract_delete"); err != nil {
			t.Fatalf("Delete: %v", err)
		}
		_, err := r.Get(t.Context(), "contract_delete")
		isKind(t, "Get", err, airhook.ErrNotFound)
		isKind(t, "Delete", r.(airhook.Editor).Delete(t.Context(), "contract_delete"), airhook.ErrNotFound)
	})
	t.Run("many may write at once", func(t *testing.T) {
		r := open(t)
		var mu sync.Mutex
		n := 0
		atOnce(func() {
			mu.Lock()
			n++
			c := sample(t, fmt.Sprintf("contract_%d", n))
			mu.Unlock()
			if err := r.(airhook.Editor).Put(t.Context(), c); err != nil {
				t.Errorf("Put: %v", err)
			}
			got, err := r.Get(t.Context(), c.ID)
			same(t, got, err, c)
		})
	})
}

// LoginContract checks what every login keeps, for a target that it can log in to: each call, of many at once too, gives
// a user and a password that are good now and that printing doesn't show; a cancelled one gives such a credential or says
// that it was cancelled, and its error holds no password that the login gave before. Whether it signs anew each time,
// and what errors say of other failures, is for the login's own tests.
func LoginContract(t *testing.T, login airhook.Login, target airhook.Target) {
	t.Helper()
	t.Run("each call gives a credential that is good now", func(t *testing.T) { givesCredentials(t, login, target) })
	t.Run("a cancelled call says so, and no secret", func(t *testing.T) { obeysCancel(t, login, target) })
	t.Run("many may log in at once", func(t *testing.T) {
		atOnce(func() { givesCredentials(t, login, target) })
	})
}

func givesCredentials(t testing.TB, login airhook.Login, target airhook.Target) {
	t.Helper()
	for range 2 {
		cred, err := login(t.Context(), target)
		if err != nil {
			t.Errorf("login: %v", err)
			return
		}
		goodNow(t, cred)
	}
}

// obeysCancel has a credential given first, so that there is a secret to look for.
func obeysCancel(t testing.TB, login airhook.Login, target airhook.Target) {
	t.Helper()
	before, err := login(t.Context(), target)
	if err != nil {
		t.Errorf("login: %v", err)
		return
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	cred, err := login(ctx, target)
	switch {
	case err == nil: // signing takes no network, so an answer is no harm
		goodNow(t, cred)
	case shows(err, before.Password):
		t.Error("an error shows a password")
	case !errors.Is(err, context.Canceled) && !errors.Is(err, airhook.ErrCancelled):
		t.Errorf("got %v, want that it was cancelled", err)
	case !cred.Password.IsZero():
		t.Error("it gives a password beside its error")
	}
}

func goodNow(t testing.TB, cred airhook.Credential) {
	t.Helper()
	if cred.User == "" || cred.Password.IsZero() {
		t.Errorf("got user %q and an empty password (%v), want both", cred.User, cred.Password.IsZero())
	}
	if !cred.Expires.IsZero() && !cred.Expires.After(time.Now()) {
		t.Errorf("the credential expired at %v", cred.Expires)
	}
	if shows(cred, cred.Password) {
		t.Error("printing the credential shows its password")
	}
}

// shows reports whether printing v in any way gives the secret away.
func shows(v any, secret airhook.Secret) bool {
	return !secret.IsZero() && strings.Contains(fmt.Sprintf("%v %+v %#v", v, v, v), secret.Reveal())
}

// atOnce runs what eight times at once.
func atOnce(what func()) {
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(what)
	}
	wg.Wait()
}

// sample is a connection that an Airflow could hold, with what stores like to lose: key order, spacing and a large
// number in the extra, and characters that URIs and SQL quote.
func sample(t testing.TB, id string) airhook.Connection {
	t.Helper()
	extra, err := airhook.ParseExtra(`{"z": 1, "a":  12345678901234567890, "region_name": "eu-central-1", "note": "ü/ö?&=%41"}`)
	if err != nil {
		t.Fatal(err)
	}
	return airhook.Connection{
		ID: id, Type: "postgres", Host: "db.example.com", Port: 5432, Login: "app@home", Schema: "shop/2",
		Password: airhook.NewSecret(canary + "/@:%"), Extra: extra,
	}
}

func same(t testing.TB, got airhook.Connection, err error, want airhook.Connection) {
	t.Helper()
	if err != nil {
		t.Errorf("connection %q: %v", want.ID, err)
		noSecret(t, err)
		return
	}
	got.FoundIn, want.FoundIn = "", ""
	if got != want {
		t.Errorf("got %v, want %v (or the same with another secret or extra text)", got, want)
	}
}

func isKind(t testing.TB, verb string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: %v, want %v", verb, err, want)
	}
	noSecret(t, err)
}

func noSecret(t testing.TB, err error) {
	t.Helper()
	if err != nil && shows(err, airhook.NewSecret(canary)) {
		t.Error("an error shows a password")
	}
}
