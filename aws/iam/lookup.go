package iam

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/airhook-go/airhook"
	"github.com/airhook-go/airhook/aws/session"
	"github.com/airhook-go/airhook/internal/refresh"
)

const (
	lookupLife    = 5 * time.Minute
	askedLife     = 5 * time.Second // of what is asked anew because something is wrong
	lookupTimeout = 15 * time.Second
	mostLookups   = 4096
)

// resource is what AWS tells of a cluster, a workgroup or a database; what is empty it didn't tell.
type resource struct {
	id, arn, status string
	host            string
	port            int
	iamOff          bool // an RDS database without IAM authentication
}

// lookups keeps what AWS told for a while. However many ask, one call is made; a failure is kept for a moment.
type lookups[T comparable] struct {
	mu     sync.Mutex
	values map[string]*refresh.Value[T]
	closed bool
}

var errClosed = &airhook.Error{Kind: airhook.ErrInvalid, Err: errors.New("the AWS logins are closed"), Hint: "open a new client"}

// get answers from what is known, else by fetch. The key says who asks for what: fetch is kept.
func (k *lookups[T]) get(ctx context.Context, key string, life time.Duration, fetch func(ctx context.Context) (T, error)) (T, error) {
	k.mu.Lock()
	if k.closed {
		k.mu.Unlock()
		var none T
		return none, errClosed
	}
	value, ok := k.values[key]
	if !ok {
		if k.values == nil || len(k.values) >= mostLookups {
			k.values = map[string]*refresh.Value[T]{} // nothing runs while nobody asks, so nothing is to be closed
		}
		value = refresh.New(func(ctx context.Context) (T, time.Time, error) {
			asked := time.Now()
			found, err := fetch(ctx)
			return found, asked.Add(life), err
		}, refresh.Options{Timeout: lookupTimeout, Name: key})
		k.values[key] = value
	}
	k.mu.Unlock()
	found, err := value.Get(ctx)
	if errors.Is(err, refresh.ErrClosed) {
		err = errClosed
	}
	return found, err
}

// close ends the calls that run, and waits for them.
func (k *lookups[T]) close() {
	k.mu.Lock()
	k.closed = true
	k.mu.Unlock()
	for _, value := range k.values { // nobody adds to it any more
		value.Close()
	}
}

// lookupKey: what one identity may see, another may not.
func lookupKey(what string, s *session.Session, t airhook.Target, id string) string {
	return fmt.Sprintf("%s %q %q %q", what, s.Principal, t.Region, id)
}
