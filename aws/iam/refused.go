package iam

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"

	"github.com/airhook-go/airhook"
	"github.com/airhook-go/airhook/aws/session"
	"github.com/airhook-go/airhook/internal/endpoint"
	"github.com/airhook-go/airhook/internal/mask"
)

// Refused completes the error of a login that the database refused: who asked, for what, what would allow it, and which of
// the reasons that the database doesn't tell it is, as far as that can be checked within three seconds. Of a Redshift
// cluster that can't be reached it says whether it is paused.
func (l *Logins) Refused(ctx context.Context, t airhook.Target, e *airhook.Error) {
	if known := errors.Is(e.Kind, airhook.ErrUnreachable) || errors.Is(e.Kind, airhook.ErrLogin); !known || t.Method == airhook.MethodPassword || ctx.Err() != nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, identifyTimeout)
	defer cancel()
	s, err := l.open(ctx, t)
	switch {
	case err != nil:
	case errors.Is(e.Kind, airhook.ErrUnreachable):
		l.unreachable(ctx, s, t, e)
	case errors.Is(e.Kind, airhook.ErrLogin):
		l.rejected(ctx, s, t, e)
	}
}

// unreachable: a paused cluster's endpoint answers nobody.
func (l *Logins) unreachable(ctx context.Context, s *session.Session, t airhook.Target, e *airhook.Error) {
	if t.Method != airhook.MethodRedshift || e.Stage == airhook.StageCredential || e.Stage == airhook.StageEndpoint {
		return
	}
	found, err := l.seen.get(ctx, lookupKey("status", s, t, t.Cluster), askedLife, func(ctx context.Context) (resource, error) { return l.cluster(ctx, s, t) })
	if err == nil && stopped(found.status) {
		why := notThere(t, e.Stage, found.status)
		e.Err, e.Hint = why.Err, why.Hint
	}
}

// reason is one why a database let nobody in, and what to do about it.
type reason struct{ why, do string }

func (l *Logins) rejected(ctx context.Context, s *session.Session, t airhook.Target, e *airhook.Error) {
	asked := l.askWho(ctx, s, t)
	t.User, t.Database = mask.Field(t.User), mask.Field(t.Database) // from here on they are only told
	e.Principal = first(e.Principal, asked.arn)
	needed := statements(t, facts{account: account(s, t, e.Principal)})
	e.Resource = first(e.Resource, needed[0].Resource[0])
	message := ""
	if e.Err != nil {
		message = e.Err.Error()
	}
	switch {
	case e.SQLState != "28000" && e.SQLState != "28P01": // the login was accepted
		return
	case t.Method == airhook.MethodRDS:
		e.Policy = policy(needed)
		if strings.Contains(message, "no pg_hba.conf entry") { // for once the server told why
			return
		}
	case strings.Contains(message, "has expired"): // Redshift: "IAM Authentication token has expired"
		e.Kind = airhook.ErrTokenExpired
	}
	if asked.blames(e) {
		e.Policy = nil // it is not what is missing
		return
	}
	reasons := asked.clock()
	if t.Method == airhook.MethodRDS {
		reasons = append(reasons, l.rdsReasons(ctx, s, t)...)
	} else {
		reasons = append(reasons, redshiftReasons(t)...)
	}
	reasons = append(reasons, usual(t, e, asked))
	e.Err = fmt.Errorf("%w: %s", e.Err, reasons[0].why)
	e.Hint = reasons[0].do
	for _, r := range reasons[1:] {
		e.Hint += "; or " + r.why + ": " + r.do
	}
}

// asked is what STS tells of the keys that signed.
type asked struct {
	arn   string
	ahead time.Duration // this machine's clock, of AWS's
	err   error
}

// askWho asks STS, also when Identify knows its answer of before: keys may have run out since. However many are refused at
// once, it is one call.
func (l *Logins) askWho(ctx context.Context, s *session.Session, t airhook.Target) asked {
	a, err := l.asked.get(ctx, lookupKey(serviceSTS, s, t, ""), askedLife, func(ctx context.Context) (asked, error) { return ask(ctx, s, t), nil })
	if err != nil {
		return asked{err: inStage(t, session.Failure(ctx, "ask STS who signs", err))}
	}
	return a
}

func ask(ctx context.Context, s *session.Session, t airhook.Target) asked {
	ctx, cancel := context.WithTimeout(ctx, identifyTimeout)
	defer cancel()
	if _, err := s.Credentials(ctx); err != nil {
		return asked{err: inStage(t, err)}
	}
	out, err := callerIdentity(ctx, s, t)
	if err != nil {
		return asked{err: inStage(t, err)}
	}
	behind, _ := awsmiddleware.GetAttemptSkew(out.ResultMetadata)
	return asked{arn: aws.ToString(out.Arn), ahead: -behind}
}

// blames makes the keys the error's reason when AWS refuses them.
func (a asked) blames(e *airhook.Error) bool {
	var why *airhook.Error
	if !errors.As(a.err, &why) || !errors.Is(why.Kind, airhook.ErrTokenExpired) && !errors.Is(why.Kind, airhook.ErrAccessDenied) {
		return false
	}
	e.Kind, e.Hint = why.Kind, why.Hint
	e.Err = fmt.Errorf("%w: %w", e.Err, why.Err)
	return true
}

// clock: within a minute AWS and this machine agree, as far as the Date of an answer tells.
func (a asked) clock() []reason {
	if a.ahead.Abs() < time.Minute {
		return nil
	}
	way, set := "ahead of", "back"
	if a.ahead < 0 {
		way, set = "behind", "forward"
	}
	off := a.ahead.Abs().Round(10 * time.Second) // a Date has whole seconds
	return []reason{{
		fmt.Sprintf("this machine's clock is %s %s AWS's", off, way),
		fmt.Sprintf("set the clock %s %s, for example by NTP: a token is good for 15 minutes from the moment that it says", off, set),
	}}
}

// rdsReasons are those that RDS never tells and that can be checked from here.
func (l *Logins) rdsReasons(ctx context.Context, s *session.Session, t airhook.Target) (all []reason) {
	name := endpoint.Parse(t.SignHost)
	if name.Service != "rds" {
		do := "set iam_host in the extra to the database's own endpoint, and iam_port to its port"
		if real := canonical(ctx, t.SignHost); real != "" {
			do = "set iam_host in the extra to " + real
		}
		all = append(all, reason{fmt.Sprintf("the token is signed for %s, which is no RDS endpoint", t.SignHost), do})
	}
	if name.Region != "" && name.Region != t.Region {
		all = append(all, reason{fmt.Sprintf("the token is signed for region %s (%s), and the endpoint is in %s", t.Region, t.RegionFrom, name.Region), "set region_name in the extra to " + name.Region})
	}
	if found, err := l.database(ctx, s, t); err == nil {
		if found.iamOff {
			all = append(all, reason{"IAM authentication is off for this database", "switch it on: --enable-iam-database-authentication of aws rds modify-db-cluster or modify-db-instance"})
		}
		if found.port != 0 && found.port != t.SignPort {
			all = append(all, reason{fmt.Sprintf("the token is signed for port %d, and the database listens on %d", t.SignPort, found.port), fmt.Sprintf("set iam_port in the extra to %d", found.port)})
		}
	}
	return append(all, spelling(t)...)
}

// canonical is the RDS endpoint that a name of one's own stands for, or "".
func canonical(ctx context.Context, host string) string {
	if endpoint.IsAddress(host) || !strings.Contains(host, ".") {
		return ""
	}
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	real, err := net.DefaultResolver.LookupCNAME(ctx, host)
	if real = endpoint.CanonicalHost(real); err != nil || endpoint.Parse(real).Service != "rds" {
		return ""
	}
	return real
}

// spelling: who makes a user without quotes gets lower case.
func spelling(t airhook.Target) []reason {
	if t.User == strings.ToLower(strings.TrimSpace(t.User)) {
		return nil
	}
	return []reason{{fmt.Sprintf("the login %q has upper-case letters or blanks, and the database keeps names in lower case unless they were made in quotes", t.User), "write the login as the database has it"}}
}

func redshiftReasons(t airhook.Target) (all []reason) {
	service, id := "redshift", t.Cluster
	if t.Method == airhook.MethodRedshiftServerless {
		service, id = "redshift-serverless", t.Workgroup
	}
	if named := endpoint.Parse(t.Host).Of(service); named != "" && named != id {
		all = append(all, reason{fmt.Sprintf("the password is for %s, and the host is the endpoint of %q", what(t), named), "let host and identifier name the same"})
	}
	if t.GuessedID() {
		all = append(all, reason{what(t) + " is only a guess from the host's name, and the password may be another's", "set cluster-identifier or workgroup-name in the extra"})
	}
	return append(all, spelling(t)...)
}

// usual is what is left when nothing that can be checked is wrong.
func usual(t airhook.Target, e *airhook.Error, a asked) reason {
	if t.Method == airhook.MethodRDS {
		name := identifier(t.User)
		r := reason{
			fmt.Sprintf("the AWS identity may not rds-db:connect as %q, or the database has no user %q with rds_iam", t.User, t.User),
			fmt.Sprintf("attach the policy, and run in the database: CREATE USER %s; GRANT rds_iam TO %s", name, name),
		}
		if a.err != nil {
			r.do += " (AWS could not be asked: check the keys and this machine's clock too)"
		}
		return r
	}
	if errors.Is(e.Kind, airhook.ErrTokenExpired) {
		return reason{"the password that AWS gave had run out", "try again: the next login asks for a new one"}
	}
	name := first(t.User, user(&session.Session{}, e.Principal), unknownUser)
	r := reason{
		fmt.Sprintf("AWS gave a password, but the database does not know the user %q", name),
		fmt.Sprintf("run in database %q: %s", t.Database, createUser(identifier(name))),
	}
	if t.Method == airhook.MethodRedshift && !t.WithIAM() && !t.AutoCreate {
		r.do += "; or set auto_create to true in the extra, which needs redshift:CreateClusterUser"
	}
	return r
}
