package airhook_test

import (
	"context"
	"errors"
	"testing"

	"github.com/airhook-go/airhook"
)

// Who completes an error hears of every session that did not open, by whatever login; who gave up is not explained to.
func TestEveryFailureIsCompleted(t *testing.T) {
	asked := 0
	c := must(airhook.New(airhook.Config{
		Registry: registry{"c": {ID: "c", Type: "postgres", Host: "127.0.0.1", Port: 1, Login: "u"}},
		Refused: func(_ context.Context, target airhook.Target, e *airhook.Error) {
			if asked++; target.ID == "c" && errors.Is(e.Kind, airhook.ErrUnreachable) && e.Stage == airhook.StageTCP && e.Hint != "" {
				e.Hint = "start it"
			}
		},
	}))
	defer c.Close()
	_, err := c.Acquire(t.Context(), "c")
	var e *airhook.Error
	if !errors.As(err, &e) || e.Hint != "start it" || asked != 1 {
		t.Errorf("asked %d times: %v", asked, err)
	}
	if e, ok := errors.AsType[*airhook.Error](c.Test(t.Context(), must(c.Get(t.Context(), "c"))).Err()); !ok || e.Hint != "start it" || asked != 2 {
		t.Errorf("asked %d times: %v", asked, e)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Acquire(ended, "c"); !errors.Is(err, airhook.ErrCancelled) || asked != 2 {
		t.Errorf("asked %d times: %v", asked, err)
	}
}
