package iam

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/airhook-go/airhook"
	"github.com/airhook-go/airhook/aws/session"
)

// The services under their names in boto3, which service_config uses.
const (
	serviceSTS        = "sts"
	serviceRedshift   = "redshift"
	serviceServerless = "redshift-serverless"
)

// Logins logs in with IAM. It is safe for concurrent use.
type Logins struct {
	sessions *session.Resolver

	mu         sync.Mutex
	identities map[string]identified
}

// New returns the logins that sign with the AWS connections of a resolver.
func New(sessions *session.Resolver) *Logins {
	return &Logins{sessions: sessions, identities: map[string]identified{}}
}

// Logins returns a login for each IAM method of a target, for airhook.Config.
func (l *Logins) Logins() map[string]airhook.Login {
	return map[string]airhook.Login{
		airhook.MethodRDS: l.rds, airhook.MethodRedshift: l.redshift, airhook.MethodRedshiftServerless: l.serverless,
	}
}

// Resolve fills in a target's region and principal, and says in Refused why it can't log in where it can't. It calls no
// service. A target without a region, or without a host, is ErrInvalid; an undefined aws_conn_id ErrNotFound.
func (l *Logins) Resolve(ctx context.Context, t airhook.Target) (airhook.Target, error) {
	if t.Method == airhook.MethodPassword {
		if t.Region == "" && t.EndpointRegion() != "" {
			t.Region, t.RegionFrom = t.EndpointRegion(), "endpoint name"
		}
		return t, nil
	}
	s, err := l.open(ctx, t)
	if err != nil {
		return t, err
	}
	t.Principal = s.Principal
	t.Warnings = append(t.Warnings[:len(t.Warnings):len(t.Warnings)], s.Warnings...)
	if why, _ := refused(s, t); why != "" && t.Refused == "" {
		t.Refused = why
	}
	if err := region(s, &t); err != nil {
		return t, err
	}
	return endpoint(t)
}

// open returns the session that signs for a target; errors say where its id was named.
func (l *Logins) open(ctx context.Context, t airhook.Target) (*session.Session, error) {
	s, err := l.sessions.Open(ctx, t.AWSConnID)
	if err == nil {
		return s, nil
	}
	e := *session.Failure(ctx, "open aws connection", err)
	e.ID, e.Stage = t.ID, airhook.StageEndpoint
	if errors.Is(err, airhook.ErrNotFound) {
		e.Err = fmt.Errorf("aws connection %q, which aws_conn_id of connection %q names, isn't defined", t.AWSConnID, t.ID)
	}
	return nil, &e
}

// region finds where tokens are signed for: the extra, the aws connection, the endpoint's name, the environment.
func region(s *session.Session, t *airhook.Target) error {
	named := t.EndpointRegion()
	switch {
	case t.Region != "":
	case s.Region != "":
		t.Region, t.RegionFrom = s.Region, fmt.Sprintf("connection %q", s.ID)
	case named != "":
		t.Region, t.RegionFrom = named, "endpoint name"
	default:
		t.Region, t.RegionFrom = s.EnvironmentRegion()
	}
	switch {
	case t.Region == "":
		return invalid(*t, airhook.StageEndpoint, "no region is known: neither extra, aws connection, endpoint name nor environment names one",
			"set region_name in the extra or in the aws connection, or AWS_REGION")
	case !session.ValidRegion(t.Region):
		return invalid(*t, airhook.StageEndpoint, fmt.Sprintf("%q (%s) is no region's name", t.Region, t.RegionFrom), "for example us-east-1")
	case named != "" && named != t.Region:
		t.Warnings = append(t.Warnings, fmt.Sprintf("the endpoint's name says region %s, %s says %s: a token for another region is refused", named, t.RegionFrom, t.Region))
	}
	return nil
}

// endpoint completes a target that names a cluster or workgroup and no host. Nothing is looked up.
func endpoint(t airhook.Target) (airhook.Target, error) {
	if t.Host != "" {
		return t, nil
	}
	what := fmt.Sprintf("cluster %q", t.Cluster)
	if t.Method == airhook.MethodRedshiftServerless {
		what = fmt.Sprintf("workgroup %q", t.Workgroup)
	}
	return t, invalid(t, airhook.StageEndpoint, "the connection has no host, and the endpoint of "+what+" is not looked up", "set host to the endpoint that the AWS console shows")
}

// refused says why a target can't log in, and what to do about it.
func refused(s *session.Session, t airhook.Target) (why, hint string) {
	switch {
	case t.Refused != "":
		return t.Refused, "put keys into an aws connection and name it in aws_conn_id"
	case t.Profile != "":
		return fmt.Sprintf("extra \"profile\" asks for AWS profile %q, which airhook does not log in with", t.Profile), "put its keys into an aws connection and name it in aws_conn_id, or set AWS_PROFILE"
	case t.RoleARN != "":
		return fmt.Sprintf("extra \"role_arn\" asks for role %s, which airhook does not log in with", t.RoleARN), "put keys of that role into an aws connection and name it in aws_conn_id"
	}
	return s.Refused, s.RefusedHint
}

func invalid(t airhook.Target, stage airhook.Stage, text, hint string) error {
	return &airhook.Error{ID: t.ID, Stage: stage, Kind: airhook.ErrInvalid, Err: errors.New(text), Hint: hint}
}
