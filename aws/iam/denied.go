package iam

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/smithy-go"

	"github.com/airhook-go/airhook"
	"github.com/airhook-go/airhook/aws/session"
)

// failure explains why a Redshift service gave no credential; of a refusal by IAM also who asked for what, and the policy
// that would allow it.
func (l *Logins) failure(ctx context.Context, s *session.Session, t airhook.Target, doing string, err error) *airhook.Error {
	e := *session.Failure(ctx, doing, err)
	e.ID, e.Stage, e.Hint = t.ID, airhook.StageCredential, forID(t, e.Hint)
	var api smithy.APIError
	switch {
	case errors.Is(err, errUnknown):
		return l.missing(ctx, s, t)
	case !errors.As(err, &api), e.Resource != "": // AWS refused the role already, and the policy is its caller's
		return &e
	}
	switch api.ErrorCode() {
	case "AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "NotAuthorized":
		said := session.ParseDenial(api.ErrorMessage())
		if short := said.Short(); short != "" {
			e.Err = fmt.Errorf("%s: access denied: %s", doing, short)
		}
		l.denied(ctx, s, &e, t, said)
	case "ClusterNotFound", "ClusterNotFoundFault", "ResourceNotFoundException", "ResourceNotFound":
		return l.missing(ctx, s, t)
	}
	return &e
}

// clusterFailure is failure, and looks whether the cluster is paused where AWS only says that its state is wrong.
func (l *Logins) clusterFailure(ctx context.Context, s *session.Session, t airhook.Target, err error) error {
	var api smithy.APIError
	if errors.As(err, &api) && strings.HasPrefix(api.ErrorCode(), "InvalidClusterState") {
		if found, err := cluster(ctx, s, t); err == nil && stopped(found.status) {
			return notThere(t, airhook.StageCredential, found.status)
		}
	}
	return l.failure(ctx, s, t, fmt.Sprintf("get credentials for cluster %q", t.Cluster), err)
}

// denied adds who asked, for what, and the policy that would allow it: all that the login needs, as Needs prints it.
func (l *Logins) denied(ctx context.Context, s *session.Session, e *airhook.Error, t airhook.Target, said session.Denial) {
	e.Principal = said.Principal
	if e.Principal == "" && ctx.Err() == nil {
		if who, err := l.Identify(ctx, t); err == nil {
			e.Principal = who.ARN
		}
	}
	f := facts{account: first(accountOf(said.Resource), account(s, t, e.Principal)), onlyLook: onlyLook(ctx)}
	if strings.Contains(said.Resource, ":workgroup/") { // it holds an id that only AWS knows
		f.workgroup = said.Resource
	}
	needed := statements(inItsRegion(t), f)
	e.Resource = first(said.Resource, needed[0].Resource[0])
	if mayBeDomain(t) || toldByDomain(t) {
		needed = append(needed, domainStatement(t))
	}
	if mayBeDomain(t) {
		e.Err = fmt.Errorf("%w; %s is a guess from the host's name, which may be a custom domain", e.Err, what(t))
		e.Hint = settles(t) + "; or attach the policy, which also lets the identity ask whose domain the host is"
	}
	e.Policy = policy(needed)
	if wrong := elsewhere(t); wrong != nil {
		e.Err, e.Hint = fmt.Errorf("%w: %s", e.Err, wrong[0].why), wrong[0].do
	}
}

// forID writes a connection's id into a hint that was made where nobody knows it.
func forID(t airhook.Target, hint string) string {
	return strings.ReplaceAll(hint, "CONN_ID", shellWord(t.ID))
}

func first(words ...string) string {
	for _, w := range words {
		if w != "" {
			return w
		}
	}
	return ""
}

// last is what an ARN names in its account: user/alice.
func last(arn string) string {
	parts := strings.SplitN(arn, ":", 6)
	return parts[len(parts)-1]
}

// accountOf is the account in an ARN: arn:partition:service:region:account:resource.
func accountOf(arn string) string {
	parts := strings.SplitN(arn, ":", 6)
	if len(parts) == 6 && len(parts[4]) == 12 && strings.Trim(parts[4], "0123456789") == "" {
		return parts[4]
	}
	return ""
}
