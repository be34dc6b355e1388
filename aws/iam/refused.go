package iam

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
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
	found, err := l.seen.get(ctx, lookupKey("status", s, t, t.Cluster), askedLife, func(ctx context.Context) (resource, error) { return cluster(ctx, s, t) })
	if err == nil && stopped(found.status) {
		why := notThere(t, e.Stage, found.status)
		e.Err, e.Hint = why.Err, why.Hint
	}
}

// reason is one why a database let nobody in, and what to do about it. One that is certain leaves no room for others.
type reason struct {
	why, do string
	certain bool
}

func (l *Logins) rejected(ctx context.Context, s *session.Session, t airhook.Target, e *airhook.Error) {
	if e.SQLState != "28000" && e.SQLState != "28P01" { // the login was accepted: it is the database's own matter
		return
	}
	asked := l.askWho(ctx, s, t)
	ended, ran := l.ranOut(s, t)
	t.User, t.Database = mask.Field(t.User), mask.Field(t.Database) // from here on they are only told
	e.Principal = first(e.Principal, asked.arn)
	needed := statements(inItsRegion(t), facts{account: account(s, t, e.Principal)})
	e.Resource = first(e.Resource, needed[0].Resource[0])
	message := ""
	if e.Err != nil {
		message = e.Err.Error()
	}
	switch {
	case t.Method == airhook.MethodRDS:
		e.Policy = policy(needed)
		if strings.Contains(message, "no pg_hba.conf entry") { // for once the server told why
			return
		}
	case strings.Contains(message, "has expired"), ran: // Redshift: "IAM Authentication token has expired"
		e.Kind = airhook.ErrTokenExpired
	}
	if asked.blames(e) {
		e.Policy = nil // it is not what is missing
		signed(t, e)
		return
	}
	blame(e, append(l.reasons(ctx, s, t, e, asked, ended), usual(t, e, asked)))
	signed(t, e)
}

// reasons are those that can be checked from here.
func (l *Logins) reasons(ctx context.Context, s *session.Session, t airhook.Target, e *airhook.Error, a asked, ended time.Time) []reason {
	switch {
	case t.Method != airhook.MethodRDS:
		return append(append(a.clock(false), tooLate(ended)...), redshiftReasons(t)...)
	case e.SQLState == wrongPassword:
		return l.withoutToken(ctx, s, t)
	}
	return append(a.clock(true), l.rdsReasons(ctx, s, t)...)
}

// blame makes reasons the error's text and hint: those that are certain alone, which no policy heals, else all.
func blame(e *airhook.Error, reasons []reason) {
	if certain := slices.DeleteFunc(slices.Clone(reasons), func(r reason) bool { return !r.certain }); len(certain) > 0 {
		reasons, e.Policy = certain, nil
	}
	e.Err = fmt.Errorf("%w: %s", e.Err, reasons[0].why)
	e.Hint = reasons[0].do
	for _, r := range reasons[1:] {
		e.Hint += "; or " + r.why + ": " + r.do
	}
}

// signed says what RDS's token was signed for, which RDS itself never tells.
func signed(t airhook.Target, e *airhook.Error) {
	if t.Method == airhook.MethodRDS {
		e.Err = fmt.Errorf("%w; the token was signed for %s:%d in %s", e.Err, mask.Field(t.SignHost), t.SignPort, t.Region)
	}
}

// inItsRegion is a target in the region that its endpoint's name tells, where another is refused whatever a policy says.
func inItsRegion(t airhook.Target) airhook.Target {
	t.Region = first(t.EndpointRegion(), t.Region)
	return t
}

// elsewhere is the reason of a target that is signed for in another region than its endpoint's; nil of others.
func elsewhere(t airhook.Target) []reason {
	named := t.EndpointRegion()
	if named == "" || named == t.Region {
		return nil
	}
	return []reason{{fmt.Sprintf("AWS is asked in region %s (%s), and the endpoint is in %s", t.Region, t.RegionFrom, named), regionHint(t, named), true}}
}

// regionHint names the key of the extra that wins over everything else.
func regionHint(t airhook.Target, region string) string {
	key, found := strings.CutPrefix(t.RegionFrom, "extra ")
	if !found {
		key = "region_name"
	}
	return fmt.Sprintf("set %s in the extra to %s", key, region)
}

// tooLate is the reason of a password that ran out before the database saw it.
func tooLate(ended time.Time) []reason {
	if ended.IsZero() || time.Now().Before(ended) {
		return nil
	}
	return []reason{{
		fmt.Sprintf("the password that AWS gave ran out at %s, before the database saw it", ended.UTC().Format("15:04:05Z")),
		"check this machine's clock, and try again: the next login asks for a new one", true,
	}}
}

// wrongPassword is PostgreSQL's invalid_password. RDS asks PAM for a user with rds_iam only: another one's token is taken
// for a password of its own.
const wrongPassword = "28P01"

// withoutToken is why a database did not look at the token.
func (l *Logins) withoutToken(ctx context.Context, s *session.Session, t airhook.Target) []reason {
	name := identifier(t.User)
	all := []reason{{
		fmt.Sprintf("the database has no user %q with rds_iam, and took the token for a password", t.User),
		fmt.Sprintf("run in the database: GRANT rds_iam TO %s; where the user is missing, CREATE USER %[1]s before", name), true,
	}}
	if found, err := l.database(ctx, s, t); err == nil && found.iamOff {
		return append([]reason{iamOff}, all...)
	}
	return all
}

var iamOff = reason{"IAM authentication is off for this database", "switch it on: --enable-iam-database-authentication of aws rds modify-db-cluster or modify-db-instance", true}

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

// How far a clock may be off that signs a token: it is good from five minutes before it was signed to 15 after it.
const (
	mostAhead  = 5 * time.Minute
	mostBehind = tokenLife
)

// clock: within a minute AWS and this machine agree, as far as the Date of an answer tells. A token is the work of this
// machine's clock, a password of AWS's.
func (a asked) clock(token bool) []reason {
	if a.ahead.Abs() < time.Minute {
		return nil
	}
	way, set := "ahead of", "back"
	if a.ahead < 0 {
		way, set = "behind", "forward"
	}
	off := inTens(a.ahead.Abs())
	return []reason{{
		fmt.Sprintf("this machine's clock is %s %s AWS's", off, way),
		fmt.Sprintf("set the clock %s %s, for example by NTP: a token is good for 15 minutes from the moment that it says", off, set),
		token && (a.ahead >= mostAhead || -a.ahead >= mostBehind),
	}}
}

// inTens: a Date has whole seconds, and an answer takes its time.
func inTens(d time.Duration) time.Duration { return d.Round(10 * time.Second) }

// rdsReasons are those that RDS never tells and that can be checked from here.
func (l *Logins) rdsReasons(ctx context.Context, s *session.Session, t airhook.Target) (all []reason) {
	name := endpoint.Parse(t.SignHost)
	if name.Service != "rds" {
		do := "set iam_host in the extra to the database's own endpoint, and iam_port to its port"
		if real := canonical(ctx, t.SignHost); real != "" {
			do = "set iam_host in the extra to " + real
		}
		all = append(all, reason{why: fmt.Sprintf("the token is signed for %s, which is no RDS endpoint", t.SignHost), do: do})
	}
	if name.Region != "" && name.Region != t.Region {
		all = append(all, reason{fmt.Sprintf("the token is signed for region %s (%s), and the endpoint is in %s", t.Region, t.RegionFrom, name.Region), regionHint(t, name.Region), true})
	}
	if found, err := l.database(ctx, s, t); err == nil {
		if found.iamOff {
			all = append(all, iamOff)
		}
		if found.port != 0 && found.port != t.SignPort {
			all = append(all, reason{fmt.Sprintf("the token is signed for port %d, and the database listens on %d", t.SignPort, found.port), fmt.Sprintf("set iam_port in the extra to %d", found.port), true})
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
	return []reason{{why: fmt.Sprintf("the login %q has upper-case letters or blanks, and the database keeps names in lower case unless they were made in quotes", t.User), do: "write the login as the database has it"}}
}

func redshiftReasons(t airhook.Target) []reason {
	all := elsewhere(t)
	service, id := "redshift", t.Cluster
	if t.Method == airhook.MethodRedshiftServerless {
		service, id = "redshift-serverless", t.Workgroup
	}
	if named := endpoint.Parse(t.Host).Of(service); named != "" && named != id {
		all = append(all, reason{why: fmt.Sprintf("the password is for %s, and the host is the endpoint of %q", what(t), named), do: "let host and identifier name the same", certain: true})
	}
	if t.GuessedID() {
		all = append(all, reason{why: what(t) + " is only a guess from the host's name, and the password may be another's", do: "set cluster_identifier or workgroup_name in the extra"})
	}
	return append(all, spelling(t)...)
}

// usual is what is left when nothing that can be checked is wrong.
func usual(t airhook.Target, e *airhook.Error, a asked) reason {
	if t.Method == airhook.MethodRDS {
		name := identifier(t.User)
		r := reason{
			why: fmt.Sprintf("the AWS identity may not rds-db:connect as %q, or the database has no user %q with rds_iam", t.User, t.User),
			do:  fmt.Sprintf("attach the policy, and run in the database: CREATE USER %s; GRANT rds_iam TO %s", name, name),
		}
		if a.err != nil {
			r.do += " (AWS could not be asked: check the keys and this machine's clock too)"
		}
		return r
	}
	if errors.Is(e.Kind, airhook.ErrTokenExpired) {
		return reason{why: "the password that AWS gave had run out", do: "try again: the next login asks for a new one"}
	}
	name := first(t.User, user(&session.Session{}, e.Principal), unknownUser)
	r := reason{
		why: fmt.Sprintf("AWS gave a password, but the database does not know the user %q", name),
		do:  fmt.Sprintf("run in database %q: %s", t.Database, createUser(identifier(name))),
	}
	if t.Method == airhook.MethodRedshift && !t.WithIAM() && !t.AutoCreate {
		r.do += "; or set auto_create to true in the extra, which needs redshift:CreateClusterUser"
	}
	return r
}
