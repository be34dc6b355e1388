package iam

import (
	"context"
	"errors"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/airhook-go/airhook"
	"github.com/airhook-go/airhook/aws/session"
)

const (
	identifyTimeout = 3 * time.Second // nobody waits longer to learn who was asking
	identityLife    = time.Minute
)

type identified struct {
	arn   string
	until time.Time
}

// Identify asks STS who a target's login is, within three seconds; an answer is kept for a minute. Source is known even
// when STS can't be asked. Of a target that is refused only the source is told.
func (l *Logins) Identify(ctx context.Context, t airhook.Target) (airhook.Identity, error) {
	s, err := l.open(ctx, t)
	if err != nil {
		return airhook.Identity{}, err
	}
	who := airhook.Identity{Source: s.Source(aws.Credentials{}), RoleARN: s.RoleARN}
	if first(t.Refused, s.Refused) != "" {
		return who, nil
	}
	bounded, cancel := context.WithTimeout(ctx, identifyTimeout)
	defer cancel()
	creds, err := s.Credentials(bounded)
	if err != nil {
		return who, inStage(t, err)
	}
	who.Source = s.Source(creds)
	who.ARN, err = l.arn(bounded, s, t, creds)
	return who, err
}

// arn asks STS, or its answer of a moment ago to the same keys.
func (l *Logins) arn(ctx context.Context, s *session.Session, t airhook.Target, creds aws.Credentials) (string, error) {
	key := s.Principal + " " + creds.AccessKeyID + " " + t.Region
	if arn, ok := l.remembered(key); ok {
		return arn, nil
	}
	out, err := callerIdentity(ctx, s, t)
	if err != nil {
		return "", inStage(t, err)
	}
	if aws.ToString(out.Arn) == "" {
		return "", inStage(t, errors.New("ask STS who signs: it answered without an ARN"))
	}
	l.remember(key, *out.Arn)
	return *out.Arn, nil
}

// callerIdentity asks STS. Nobody waits long for a name: it is tried twice.
func callerIdentity(ctx context.Context, s *session.Session, t airhook.Target) (*sts.GetCallerIdentityOutput, error) {
	client := sts.NewFromConfig(s.Config, func(o *sts.Options) {
		o.Region, o.BaseEndpoint = s.ServiceRegion(serviceSTS, t.Region), s.Endpoint(serviceSTS, o.BaseEndpoint)
		o.RetryMaxAttempts = 2
	})
	out, err := client.GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil {
		return nil, session.Failure(ctx, "ask STS who signs", err)
	}
	return out, nil
}

func (l *Logins) remembered(key string) (arn string, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	known, ok := l.identities[key]
	return known.arn, ok && time.Now().Before(known.until)
}

func (l *Logins) remember(key, arn string) {
	now := time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	for k, known := range l.identities {
		if now.After(known.until) {
			delete(l.identities, k)
		}
	}
	l.identities[key] = identified{arn: arn, until: now.Add(identityLife)}
}
