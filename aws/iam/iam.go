package iam

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/airhook-go/airhook"
	"github.com/airhook-go/airhook/aws/session"
	"github.com/airhook-go/airhook/internal/mask"
)

// The services under their names in boto3, which service_config uses.
const (
	serviceSTS        = "sts"
	serviceRedshift   = "redshift"
	serviceServerless = "redshift-serverless"
	serviceRDS        = "rds"
)

// Logins logs in with IAM. It is safe for concurrent use.
type Logins struct {
	// Logger hears when this machine's clock is ahead of AWS's so far that passwords come expired; nil is silent.
	Logger *slog.Logger

	sessions *session.Resolver
	seen     lookups[resource]
	asked    lookups[asked]
	names    lookups[string]

	mu         sync.Mutex
	identities map[string]identified
	ends       map[string]time.Time // when the last password of a login runs out, by AWS's clock
	told       bool                 // that the clock is ahead
}

// New returns the logins that sign with the AWS connections of a resolver.
func New(sessions *session.Resolver) *Logins {
	return &Logins{sessions: sessions, identities: map[string]identified{}, ends: map[string]time.Time{}}
}

// Close ends the look-ups that still run, and waits for them. After it nothing is looked up.
func (l *Logins) Close() {
	l.seen.close()
	l.asked.close()
	l.names.close()
}

// Logins returns a login for each IAM method of a target, for airhook.Config.
func (l *Logins) Logins() map[string]airhook.Login {
	return map[string]airhook.Login{
		airhook.MethodRDS: l.rds, airhook.MethodRedshift: l.redshift, airhook.MethodRedshiftServerless: l.serverless,
	}
}

// Resolve fills in a target's region and principal, and says in Refused why it can't log in where it can't. Of a Redshift
// target without a host it looks up the endpoint, and of one with a host that is no endpoint of AWS whether it is the
// custom domain of a cluster or workgroup; for others it calls no service. A target without a region is ErrInvalid, an
// undefined aws_conn_id ErrNotFound; a look-up fails with the kinds of a login.
func (l *Logins) Resolve(ctx context.Context, t airhook.Target) (airhook.Target, error) {
	if t.Method == airhook.MethodPassword && t.Host == "" {
		return l.byPassword(ctx, t)
	}
	if t.Method == airhook.MethodPassword {
		if t.Region == "" && t.EndpointRegion() != "" {
			t.Region, t.RegionFrom = t.EndpointRegion(), "endpoint name"
		}
		return t, nil
	}
	s, err := l.place(ctx, &t)
	if err != nil {
		return t, err
	}
	switch {
	case t.Refused != "" && t.Host == "":
		return t, invalid(t, airhook.StageEndpoint, t.Refused, first(s.RefusedHint, refusedHint))
	case t.Refused != "":
		return t, nil
	}
	l.customDomain(ctx, s, &t)
	err = l.endpoint(ctx, s, &t) // before t is returned
	return t, err
}

// byPassword looks up the endpoint of a cluster or workgroup that a password logs in to, as it would for AWS's own login.
func (l *Logins) byPassword(ctx context.Context, t airhook.Target) (airhook.Target, error) {
	t, err := l.Resolve(context.WithValue(ctx, onlyLookKey{}, true), asLookedUp(t))
	t.Method = airhook.MethodPassword
	var e *airhook.Error
	if errors.As(err, &e) && errors.Is(e.Kind, airhook.ErrAccessDenied) {
		advised := *e
		advised.Hint += "; or set host to the endpoint, and AWS is not asked"
		return t, &advised
	}
	return t, err
}

// asLookedUp is a password's target as AWS is asked about it.
func asLookedUp(t airhook.Target) airhook.Target {
	if t.Method = airhook.MethodRedshift; t.Workgroup != "" {
		t.Method = airhook.MethodRedshiftServerless
	}
	return t
}

// onlyLookKey marks the context of a password's look-up, which needs no leave to log in.
type onlyLookKey struct{}

func onlyLook(ctx context.Context) bool { return ctx.Value(onlyLookKey{}) != nil }

// place fills in who signs, and in which region.
func (l *Logins) place(ctx context.Context, t *airhook.Target) (*session.Session, error) {
	if err := validID(*t); err != nil {
		return nil, err
	}
	s, err := l.open(ctx, *t)
	if err != nil {
		return nil, err
	}
	t.Principal = s.Principal
	t.Warnings = append(t.Warnings[:len(t.Warnings):len(t.Warnings)], s.Warnings...)
	t.Refused = first(t.Refused, s.Refused)
	return s, region(s, t)
}

// validID refuses what can't be a cluster's identifier or a workgroup's name: letters, digits and hyphens (API references of
// Redshift, CreateCluster, and Redshift Serverless, CreateWorkgroup). The first label of a host may have more.
func validID(t airhook.Target) error {
	id, key, of := t.Cluster, "cluster_identifier", "cluster's identifier"
	if t.Method == airhook.MethodRedshiftServerless {
		id, key, of = t.Workgroup, "workgroup_name", "workgroup's name"
	}
	odd := func(c rune) bool {
		return c != '-' && c != '_' && !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9')
	}
	if t.GuessedID() || !strings.ContainsFunc(id, odd) {
		return nil
	}
	return invalid(t, airhook.StageTarget, fmt.Sprintf("%q is no %s: it has letters, digits and hyphens", mask.Field(id), of), "correct "+key+" in the extra")
}

// open returns the session that signs for a target; errors say where its id was named.
func (l *Logins) open(ctx context.Context, t airhook.Target) (*session.Session, error) {
	who := session.Who{ConnID: t.AWSConnID, Profile: t.Profile, RoleARN: t.RoleARN, Region: t.EndpointRegion()}
	if strings.HasPrefix(t.RegionFrom, "extra") { // what else t.Region may be, the session finds itself: before and after Resolve it is one session
		who.Region = t.Region
	}
	s, err := l.sessions.Open(ctx, who)
	if err == nil {
		return s, nil
	}
	e := *session.Failure(ctx, "open aws connection", err)
	e.ID, e.Stage = t.ID, airhook.StageEndpoint
	if errors.Is(err, airhook.ErrNotFound) && who.Profile == "" {
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
		return invalid(*t, airhook.StageEndpoint, fmt.Sprintf("%q (%s) is no region's name", mask.Field(t.Region), t.RegionFrom), "for example us-east-1")
	case named != "" && named != t.Region:
		t.Warnings = append(t.Warnings, fmt.Sprintf("the endpoint's name says region %s, %s says %s: a token for another region is refused", named, t.RegionFrom, t.Region))
	}
	return nil
}

// refusedHint is for what a connection asks for besides its aws connection.
const refusedHint = "put keys into an aws connection and name it in aws_conn_id"

func invalid(t airhook.Target, stage airhook.Stage, text, hint string) error {
	return &airhook.Error{ID: t.ID, Stage: stage, Kind: airhook.ErrInvalid, Err: errors.New(text), Hint: hint}
}
