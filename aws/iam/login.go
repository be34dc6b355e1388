package iam

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/feature/rds/auth"
	"github.com/aws/aws-sdk-go-v2/service/redshift"
	"github.com/aws/aws-sdk-go-v2/service/redshiftserverless"
	"github.com/aws/smithy-go/middleware"

	"github.com/airhook-go/airhook"
	"github.com/airhook-go/airhook/aws/session"
	"github.com/airhook-go/airhook/internal/refresh"
)

// tokenLife is how long AWS takes an RDS token, and a temporary password whose answer says nothing.
const tokenLife = 15 * time.Minute

// keys returns the session that signs for a target, and its keys. Whoever is refused gets neither.
func (l *Logins) keys(ctx context.Context, t airhook.Target) (*session.Session, aws.Credentials, error) {
	s, err := l.open(ctx, t)
	if err != nil {
		return nil, aws.Credentials{}, inStage(t, err)
	}
	switch {
	case t.Principal != "" && t.Principal != s.Principal: // the credential would be kept as another's
		return nil, aws.Credentials{}, &airhook.Error{ID: t.ID, Stage: airhook.StageCredential, Err: refresh.ErrStale, Hint: "try again: the AWS connection, the environment or the AWS files have changed meanwhile"}
	case t.Refused != "" && t.Refused != s.Refused:
		return nil, aws.Credentials{}, invalid(t, airhook.StageCredential, t.Refused, refusedHint)
	case s.Refused != "":
		return nil, aws.Credentials{}, invalid(t, airhook.StageCredential, s.Refused, s.RefusedHint)
	}
	if !session.ValidRegion(t.Region) {
		return nil, aws.Credentials{}, invalid(t, airhook.StageCredential, "the target has no region", "resolve it before the login")
	}
	creds, err := s.Credentials(ctx)
	if err != nil {
		return nil, creds, inStage(t, err)
	}
	return s, creds, nil
}

func inStage(t airhook.Target, err error) error {
	var known *airhook.Error
	if !errors.As(err, &known) {
		known = &airhook.Error{Err: err}
	}
	e := *known
	e.ID, e.Stage, e.Hint = t.ID, airhook.StageCredential, forID(t, e.Hint)
	return &e
}

// rds signs a token; no service is called.
func (l *Logins) rds(ctx context.Context, t airhook.Target) (airhook.Credential, error) {
	_, creds, err := l.keys(ctx, t)
	if err != nil {
		return airhook.Credential{}, err
	}
	if t.SignHost == "" || t.SignPort == 0 || t.User == "" {
		return airhook.Credential{}, invalid(t, airhook.StageCredential, "an RDS token is signed for a host, a port and a user", "set host, port and login")
	}
	// The clock is read before signing, so that the token never lives longer than we think.
	now := time.Now()
	token, err := rdsToken(ctx, t, creds)
	if err != nil {
		return airhook.Credential{}, inStage(t, session.Failure(ctx, "sign rds token for "+address(t), err))
	}
	return airhook.Credential{User: t.User, Password: airhook.NewSecret(token), Expires: tokenExpiry(now, creds), Principal: creds.AccessKeyID}, nil
}

// tokenExpiry: a token dies with the keys that signed it (Amazon RDS User Guide, "IAM database authentication").
func tokenExpiry(signed time.Time, creds aws.Credentials) time.Time {
	expires := signed.Add(tokenLife)
	if creds.CanExpire && creds.Expires.Before(expires) {
		return creds.Expires
	}
	return expires
}

func rdsToken(ctx context.Context, t airhook.Target, creds aws.Credentials) (string, error) {
	return auth.BuildAuthToken(ctx, address(t), t.Region, t.User, credentials.StaticCredentialsProvider{Value: creds})
}

func address(t airhook.Target) string { return net.JoinHostPort(t.SignHost, strconv.Itoa(t.SignPort)) }

// redshift asks a provisioned cluster's service for a temporary password: of a database user, or of the one that the AWS
// identity itself is.
func (l *Logins) redshift(ctx context.Context, t airhook.Target) (airhook.Credential, error) {
	s, creds, err := l.keys(ctx, t)
	if err != nil {
		return airhook.Credential{}, err
	}
	ask := askAsUser
	if t.WithIAM() {
		ask = askAsIdentity
	}
	now := time.Now()
	got, err := ask(ctx, redshiftClient(s, t), t)
	if err != nil {
		return airhook.Credential{}, l.clusterFailure(ctx, s, t, err)
	}
	return l.issue(s, t, got, creds, now)
}

// issued is what AWS answers, whichever of the three calls it was.
type issued struct {
	user, password *string
	expires        *time.Time
	about          middleware.Metadata
}

func askAsUser(ctx context.Context, client *redshift.Client, t airhook.Target) (issued, error) {
	out, err := client.GetClusterCredentials(ctx, &redshift.GetClusterCredentialsInput{
		ClusterIdentifier: &t.Cluster, DbUser: &t.User, DbName: given(t.Database), DbGroups: t.DBGroups, AutoCreate: &t.AutoCreate, DurationSeconds: seconds(t.Duration),
	})
	if err != nil {
		return issued{}, err
	}
	return issued{out.DbUser, out.DbPassword, out.Expiration, out.ResultMetadata}, nil
}

// askAsIdentity: the database user is IAM:name or IAMR:role (Amazon Redshift API Reference,
// "GetClusterCredentialsWithIAM").
func askAsIdentity(ctx context.Context, client *redshift.Client, t airhook.Target) (issued, error) {
	out, err := client.GetClusterCredentialsWithIAM(ctx, &redshift.GetClusterCredentialsWithIAMInput{
		ClusterIdentifier: &t.Cluster, DbName: given(t.Database), DurationSeconds: seconds(t.Duration),
	})
	if err != nil {
		return issued{}, err
	}
	return issued{out.DbUser, out.DbPassword, out.Expiration, out.ResultMetadata}, nil
}

// serverless asks Redshift Serverless for a temporary password; its user is the AWS identity's.
func (l *Logins) serverless(ctx context.Context, t airhook.Target) (airhook.Credential, error) {
	s, creds, err := l.keys(ctx, t)
	if err != nil {
		return airhook.Credential{}, err
	}
	now := time.Now()
	out, err := serverlessClient(s, t).GetCredentials(ctx, &redshiftserverless.GetCredentialsInput{
		WorkgroupName: &t.Workgroup, DbName: given(t.Database), DurationSeconds: seconds(t.Duration),
	})
	if err != nil {
		return airhook.Credential{}, l.failure(ctx, s, t, fmt.Sprintf("get credentials for workgroup %q", t.Workgroup), err)
	}
	return l.issue(s, t, issued{out.DbUser, out.DbPassword, out.Expiration, out.ResultMetadata}, creds, now)
}

func redshiftClient(s *session.Session, t airhook.Target, more ...func(*redshift.Options)) *redshift.Client {
	return redshift.NewFromConfig(s.Config, append(more, func(o *redshift.Options) {
		o.Region, o.BaseEndpoint = s.ServiceRegion(serviceRedshift, t.Region), s.Endpoint(serviceRedshift, o.BaseEndpoint)
	})...)
}

func serverlessClient(s *session.Session, t airhook.Target, more ...func(*redshiftserverless.Options)) *redshiftserverless.Client {
	return redshiftserverless.NewFromConfig(s.Config, append(more, func(o *redshiftserverless.Options) {
		o.Region, o.BaseEndpoint = s.ServiceRegion(serviceServerless, t.Region), s.Endpoint(serviceServerless, o.BaseEndpoint)
	})...)
}

// given is a parameter that is left out when it is empty.
func given(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

func seconds(d time.Duration) *int32 {
	if d <= 0 {
		return nil // AWS's default
	}
	return aws.Int32(int32(d / time.Second))
}

func (i issued) credential(t airhook.Target, creds aws.Credentials, asked time.Time) (airhook.Credential, error) {
	user, password := aws.ToString(i.user), aws.ToString(i.password)
	if user == "" || password == "" {
		return airhook.Credential{}, &airhook.Error{
			ID: t.ID, Stage: airhook.StageCredential, Err: errors.New("AWS answered without a user or a password"), Hint: "check endpoint_url or AWS_ENDPOINT_URL where one is set",
		}
	}
	cred := airhook.Credential{User: user, Password: airhook.NewSecret(password), Expires: asked.Add(tokenLife), Principal: creds.AccessKeyID}
	if i.expires != nil {
		cred.Expires = *i.expires
	}
	return cred, nil
}

// issue makes a credential of what AWS answered, and remembers when it runs out by AWS's clock, which the database goes by:
// that may be why it is refused.
func (l *Logins) issue(s *session.Session, t airhook.Target, got issued, creds aws.Credentials, asked time.Time) (airhook.Credential, error) {
	cred, err := got.credential(t, creds, asked)
	if err != nil {
		return cred, err
	}
	behind, _ := awsmiddleware.GetAttemptSkew(got.about)
	ends := cred.Expires
	if ahead := -behind; ahead >= time.Minute {
		if time.Now().After(ends) {
			l.tellAhead(t, ahead)
		}
		ends = ends.Add(ahead)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.ends) >= mostLookups {
		clear(l.ends)
	}
	l.ends[loginKey(s, t)] = ends
	return cred, nil
}

// tellAhead warns once, without the lock: a Logger may do anything.
func (l *Logins) tellAhead(t airhook.Target, ahead time.Duration) {
	l.mu.Lock()
	told := l.told
	l.told = true
	l.mu.Unlock()
	if told || l.Logger == nil {
		return
	}
	l.Logger.Warn("the clock is wrong", "why", fmt.Sprintf("this machine's clock is %s ahead of AWS's", inTens(ahead)), "conn", t.ID)
}

// ranOut is when the last password of a login ran out, and whether that has happened.
func (l *Logins) ranOut(s *session.Session, t airhook.Target) (at time.Time, ran bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	at, known := l.ends[loginKey(s, t)]
	return at, known && time.Now().After(at)
}

func loginKey(s *session.Session, t airhook.Target) string {
	return lookupKey(t.Method, s, t, t.Cluster+" "+t.Workgroup+" "+t.User)
}
