package iam

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/aws/smithy-go"

	"github.com/airhook-go/airhook"
	"github.com/airhook-go/airhook/aws/session"
)

// failure explains why a Redshift service gave no credential; of a refusal by IAM also who asked for what, and the policy
// that would allow it.
func (l *Logins) failure(ctx context.Context, t airhook.Target, doing string, err error) error {
	e := *session.Failure(ctx, doing, err)
	e.ID, e.Stage = t.ID, airhook.StageCredential
	var api smithy.APIError
	if !errors.As(err, &api) {
		return &e
	}
	switch api.ErrorCode() {
	case "AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "NotAuthorized":
		said := parseDenial(api.ErrorMessage())
		if short := said.short(); short != "" {
			e.Err = fmt.Errorf("%s: access denied: %s", doing, short)
		}
		l.denied(ctx, &e, t, said)
	case "ClusterNotFound", "ClusterNotFoundFault":
		e.Kind = airhook.ErrClusterNotFound
		e.Err = fmt.Errorf("cluster %q not found in %s", t.Cluster, t.Region)
		e.Hint = "check cluster-identifier (it is case-sensitive), the region, and that the AWS account is the cluster's"
	case "ResourceNotFoundException", "ResourceNotFound":
		e.Kind = airhook.ErrWorkgroupNotFound
		e.Err = fmt.Errorf("workgroup %q not found in %s", t.Workgroup, t.Region)
		e.Hint = "check workgroup-name, the region, and that the AWS account is the workgroup's"
	}
	return &e
}

// denied adds who asked, for what, and the policy that would allow it.
func (l *Logins) denied(ctx context.Context, e *airhook.Error, t airhook.Target, said denial) {
	e.Principal = said.principal
	if e.Principal == "" && ctx.Err() == nil {
		if who, err := l.Identify(ctx, t); err == nil {
			e.Principal = who.ARN
		}
	}
	grant := Grant(t, first(accountOf(said.resource), t.EndpointAccount(), accountOf(e.Principal)))
	e.Resource, e.Policy = first(said.resource, grant.Resource), grant.Policy
	if t.Method == airhook.MethodRedshiftServerless && strings.Contains(said.resource, ":workgroup/") {
		// The workgroup's ARN holds an id that only AWS knows.
		e.Policy = policy(statement{"redshift-serverless:GetCredentials", []string{said.resource}})
	}
}

func first(words ...string) string {
	for _, w := range words {
		if w != "" {
			return w
		}
	}
	return ""
}

// denial is what IAM's refusal tells: "User: ARN is not authorized to perform: ACTION on resource: ARN because …"
// (IAM User Guide, "Troubleshoot access denied error messages").
type denial struct{ principal, action, resource, why string }

var (
	denialUser     = regexp.MustCompile(`\bUser: (arn:[^\s,;]+)`)
	denialAction   = regexp.MustCompile(`\bto perform: ([A-Za-z0-9-]+:[A-Za-z0-9*]+)`)
	denialResource = regexp.MustCompile(`\bon resource: (arn:[^\s,;]+)`)
	denialWhy      = regexp.MustCompile(`\bon resource: arn:\S+ ((?:because|with) [^\n]{1,300})`)
)

func parseDenial(text string) denial {
	find := func(re *regexp.Regexp) string {
		if m := re.FindStringSubmatch(text); m != nil {
			return strings.TrimRight(m[1], ".")
		}
		return ""
	}
	return denial{find(denialUser), find(denialAction), find(denialResource), find(denialWhy)}
}

// short says it without the ARNs, which the error has apart; "" when the text was another one.
func (d denial) short() string {
	if d.principal == "" || d.action == "" || d.resource == "" {
		return ""
	}
	text := fmt.Sprintf("%s may not %s on %s", last(d.principal), d.action, last(d.resource))
	// The usual reason is healed by the policy that the error has. Others are not: an explicit deny, a service control policy.
	if d.why == "" || strings.HasPrefix(d.why, "because no identity-based policy") {
		return text
	}
	return text + ", " + d.why
}

// last is what an ARN names in its account: user/alice.
func last(arn string) string {
	parts := strings.SplitN(arn, ":", 6)
	return parts[len(parts)-1]
}

var accountID = regexp.MustCompile(`^[0-9]{12}$`)

// accountOf is the account in an ARN: arn:partition:service:region:account:resource.
func accountOf(arn string) string {
	parts := strings.SplitN(arn, ":", 6)
	if len(parts) == 6 && accountID.MatchString(parts[4]) {
		return parts[4]
	}
	return ""
}
