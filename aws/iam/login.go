package iam

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/feature/rds/auth"
	"github.com/aws/aws-sdk-go-v2/service/redshift"
	"github.com/aws/aws-sdk-go-v2/service/redshiftserverless"

	"github.com/airhook-go/airhook"
	"github.com/airhook-go/airhook/aws/session"
)

// tokenLife is how long AWS takes an RDS token, and a temporary password whose answer says nothing.
const tokenLife = 15 * time.Minute

// keys returns the session that signs for a target, and its keys. Whoever is refused gets neither.
func (l *Logins) keys(ctx context.Context, t airhook.Target) (*session.Session, aws.Credentials, error) {
	s, err := l.open(ctx, t)
	if err != nil {
		return nil, aws.Credentials{}, inStage(t, err)
	}
	if why, hint := refused(s, t); why != "" {
		return nil, aws.Credentials{}, invalid(t, airhook.StageCredential, why, hint)
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
	e.ID, e.Stage = t.ID, airhook.StageCredential
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

// redshift asks a provisioned cluster's service for a temporary password of a database user.
func (l *Logins) redshift(ctx context.Context, t airhook.Target) (airhook.Credential, error) {
	s, creds, err := l.keys(ctx, t)
	if err != nil {
		return airhook.Credential{}, err
	}
	input := &redshift.GetClusterCredentialsInput{
		ClusterIdentifier: &t.Cluster, DbUser: &t.User, DbGroups: t.DBGroups, AutoCreate: &t.AutoCreate, DurationSeconds: seconds(t.Duration),
	}
	if t.Database != "" {
		input.DbName = &t.Database
	}
	client := redshift.NewFromConfig(s.Config, func(o *redshift.Options) {
		o.Region, o.BaseEndpoint = s.ServiceRegion(serviceRedshift, t.Region), s.Endpoint(serviceRedshift, o.BaseEndpoint)
	})
	now := time.Now()
	out, err := client.GetClusterCredentials(ctx, input)
	if err != nil {
		return airhook.Credential{}, l.failure(ctx, t, fmt.Sprintf("get credentials for cluster %q", t.Cluster), err)
	}
	return answer(t, creds, now, aws.ToString(out.DbUser), aws.ToString(out.DbPassword), out.Expiration)
}

// serverless asks Redshift Serverless for a temporary password; its user is the AWS identity's.
func (l *Logins) serverless(ctx context.Context, t airhook.Target) (airhook.Credential, error) {
	s, creds, err := l.keys(ctx, t)
	if err != nil {
		return airhook.Credential{}, err
	}
	input := &redshiftserverless.GetCredentialsInput{WorkgroupName: &t.Workgroup, DurationSeconds: seconds(t.Duration)}
	if t.Database != "" {
		input.DbName = &t.Database
	}
	client := redshiftserverless.NewFromConfig(s.Config, func(o *redshiftserverless.Options) {
		o.Region, o.BaseEndpoint = s.ServiceRegion(serviceServerless, t.Region), s.Endpoint(serviceServerless, o.BaseEndpoint)
	})
	now := time.Now()
	out, err := client.GetCredentials(ctx, input)
	if err != nil {
		return airhook.Credential{}, l.failure(ctx, t, fmt.Sprintf("get credentials for workgroup %q", t.Workgroup), err)
	}
	return answer(t, creds, now, aws.ToString(out.DbUser), aws.ToString(out.DbPassword), out.Expiration)
}

func seconds(d time.Duration) *int32 {
	if d <= 0 {
		return nil // AWS's default
	}
	return aws.Int32(int32(d / time.Second))
}

func answer(t airhook.Target, creds aws.Credentials, asked time.Time, user, password string, expires *time.Time) (airhook.Credential, error) {
	if user == "" || password == "" {
		return airhook.Credential{}, &airhook.Error{
			ID: t.ID, Stage: airhook.StageCredential, Err: errors.New("AWS answered without a user or a password"), Hint: "check endpoint_url or AWS_ENDPOINT_URL where one is set",
		}
	}
	cred := airhook.Credential{User: user, Password: airhook.NewSecret(password), Expires: asked.Add(tokenLife), Principal: creds.AccessKeyID}
	if expires != nil {
		cred.Expires = *expires
	}
	return cred, nil
}
