package session

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials/ec2rolecreds"
	"github.com/aws/aws-sdk-go-v2/credentials/endpointcreds"
	"github.com/aws/aws-sdk-go-v2/credentials/processcreds"
	"github.com/aws/aws-sdk-go-v2/credentials/ssocreds"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/airhook-go/airhook/internal/files"
)

const serviceSTS = "sts"

// stsAt is where STS is asked: for the roles of connections and for those of profiles, which the SDK assumes.
type stsAt struct {
	region   string  // "": the environment's
	endpoint *string // nil: the environment's, else AWS's own
	// The SDK makes its clients for the roles of profiles before it reads AWS_ENDPOINT_URL and endpoint_url of a profile.
	late *string
	// found is the role that the SDK assumes, the last of a chain of profiles; nil when it assumes none.
	found *step

	process *process // of the profile that keys come from, where it has one
	signer  signer   // of the keys before any role
}

func (a *stsAt) options(role string) func(*sts.Options) {
	return func(o *sts.Options) {
		o.Region = first(a.region, o.Region, homeRegion(role))
		switch {
		case a.endpoint != nil:
			o.BaseEndpoint = a.endpoint
		case o.BaseEndpoint == nil:
			o.BaseEndpoint = a.late
		}
		if a.process != nil && isProcess(o.Credentials) {
			o.Credentials = a.process
		}
	}
}

// homeRegion is a region of a role's partition: keys of one partition are unknown in the others.
func homeRegion(arn string) string {
	switch parts := strings.SplitN(arn, ":", 3); {
	case len(parts) < 3:
	case parts[1] == "aws-cn":
		return "cn-north-1"
	case parts[1] == "aws-us-gov":
		return "us-gov-west-1"
	}
	return "us-east-1"
}

// roleError is a failed call of STS, with what it was for.
type roleError struct {
	call, role string
	also       []string // actions that it needs besides
	file       string   // of the web identity token
	jwt        bool     // whether the token looks like one
	err        error
}

func (r *roleError) Error() string { return fmt.Sprintf("%s %s: %s", r.call, r.role, r.err) }
func (r *roleError) Unwrap() error { return r.err }

// assumer calls AssumeRole where it has to be called.
type assumer struct {
	api stscreds.AssumeRoleAPIClient
	at  *stsAt
}

// AssumeRole is the SDK's.
func (a assumer) AssumeRole(ctx context.Context, in *sts.AssumeRoleInput, options ...func(*sts.Options)) (*sts.AssumeRoleOutput, error) {
	out, err := a.api.AssumeRole(ctx, in, append(options, a.at.options(aws.ToString(in.RoleArn)))...)
	if err != nil {
		return nil, &roleError{call: "AssumeRole", role: aws.ToString(in.RoleArn), also: also(in), err: err}
	}
	return out, nil
}

// also are the actions besides sts:AssumeRole that a call needs (STS API Reference, "AssumeRole").
func also(in *sts.AssumeRoleInput) (actions []string) {
	if len(in.Tags) > 0 {
		actions = append(actions, "sts:TagSession")
	}
	if in.SourceIdentity != nil {
		actions = append(actions, "sts:SetSourceIdentity")
	}
	return actions
}

// webAssumer calls AssumeRoleWithWebIdentity where it has to be called.
type webAssumer struct {
	api  stscreds.AssumeRoleWithWebIdentityAPIClient
	at   *stsAt
	file string
	more func(*sts.AssumeRoleWithWebIdentityInput)
}

// AssumeRoleWithWebIdentity is the SDK's.
func (a webAssumer) AssumeRoleWithWebIdentity(ctx context.Context, in *sts.AssumeRoleWithWebIdentityInput, options ...func(*sts.Options)) (*sts.AssumeRoleWithWebIdentityOutput, error) {
	if a.more != nil {
		a.more(in)
	}
	out, err := a.api.AssumeRoleWithWebIdentity(ctx, in, append(options, a.at.options(aws.ToString(in.RoleArn)))...)
	if err != nil {
		err = withoutToken(err, aws.ToString(in.WebIdentityToken), "the web identity token in "+a.file)
		return nil, &roleError{call: "AssumeRoleWithWebIdentity", role: aws.ToString(in.RoleArn), file: a.file, jwt: strings.Count(aws.ToString(in.WebIdentityToken), ".") == 2, err: err}
	}
	return out, nil
}

// tokenFile is the file of a web identity token. It is read for every call: whoever issues tokens renews it.
type tokenFile string

// GetIdentityToken returns the token, or an error that names the file.
func (f tokenFile) GetIdentityToken() ([]byte, error) {
	token, err := files.Read(string(f))
	if err != nil {
		return nil, invalid("", fmt.Errorf("read the web identity token: %w", err), "check AWS_WEB_IDENTITY_TOKEN_FILE, or the aws connection's or profile's token file")
	}
	if token = []byte(strings.TrimSpace(string(token))); len(token) == 0 {
		return nil, invalid("", fmt.Errorf("the web identity token file %s is empty", string(f)), "whoever issues the token has to write it: in Kubernetes, kubelet does")
	}
	return token, nil
}

// ofProfile makes the SDK assume a profile's role as a connection's is assumed. An hour is AWS's own default, and boto3's.
func (a *stsAt) ofProfile(o *stscreds.AssumeRoleOptions) {
	if client, ok := o.Client.(*sts.Client); ok { // nil when the SDK only tries the options
		a.found = &step{Assumption{RoleARN: o.RoleARN, ExternalID: aws.ToString(o.ExternalID)}, aws.NewCredentialsCache(client.Options().Credentials), a.found}
		o.Client = assumer{client, a}
	}
	if o.Duration == 0 {
		o.Duration = time.Hour
	}
}

func (a *stsAt) ofWebIdentity(o *stscreds.WebIdentityRoleOptions) {
	if file, ok := o.TokenRetriever.(stscreds.IdentityTokenFile); ok && o.Client != nil {
		a.found = &step{Assumption: Assumption{RoleARN: o.RoleARN, TokenFile: string(file)}}
		o.TokenRetriever = tokenFile(file)
		o.Client = webAssumer{api: o.Client, at: a, file: string(file)}
	}
}

// assume returns the keys of a role that base may assume.
func (a *stsAt) assume(base aws.Config, r role) aws.CredentialsProvider {
	client := sts.NewFromConfig(base)
	if r.web {
		more := func(in *sts.AssumeRoleWithWebIdentityInput) { in.ProviderId = optional(r.provider) }
		return newEarly(stscreds.NewWebIdentityRoleProvider(webAssumer{client, a, r.tokenFile, more}, r.arn, tokenFile(r.tokenFile), func(o *stscreds.WebIdentityRoleOptions) {
			o.RoleSessionName, o.Duration, o.Policy, o.PolicyARNs = r.name, r.life, optional(r.policy), r.policies
		}))
	}
	return newEarly(chained{base.Credentials, stscreds.NewAssumeRoleProvider(assumer{client, a}, r.arn, func(o *stscreds.AssumeRoleOptions) {
		o.RoleSessionName, o.Policy, o.PolicyARNs, o.ExternalID, o.SourceIdentity = r.name, optional(r.policy), r.policies, optional(r.external), optional(r.identity)
		o.Tags, o.TransitiveTagKeys = r.tags, r.transitive
		if o.Duration = time.Hour; r.life > 0 {
			o.Duration = r.life
		}
	})})
}

func optional(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

// chained asks for the keys that sign first, so that their failure is not taken for the role's.
type chained struct {
	base aws.CredentialsProvider
	role aws.CredentialsProvider
}

// Retrieve assumes the role.
func (c chained) Retrieve(ctx context.Context) (aws.Credentials, error) {
	if _, err := c.base.Retrieve(ctx); err != nil {
		return aws.Credentials{}, err
	}
	return c.role.Retrieve(ctx)
}

// IsCredentialsProvider looks through, as the SDK's cache does.
func (c chained) IsCredentialsProvider(target aws.CredentialsProvider) bool {
	return aws.IsCredentialsProvider(c.role, target)
}

// A role's keys are renewed five to ten minutes before they end, but not in the first two thirds of their life. Where that
// fails they are used on, and renewing is tried again.
const (
	renewAhead  = 5 * time.Minute
	renewJitter = 5 * time.Minute
	renewAgain  = 15 * time.Second
)

// early renews a role's keys ahead of their end, which the SDK's cache does only for one that takes the time off their
// life: a token signed with them would seem to end early too.
type early struct {
	cache *aws.CredentialsCache
	inner aws.CredentialsProvider

	mu   sync.Mutex
	last aws.Credentials // with their true end
}

func newEarly(inner aws.CredentialsProvider) *early {
	e := &early{inner: inner}
	e.cache = aws.NewCredentialsCache(aws.CredentialsProviderFunc(e.renew))
	return e
}

// Retrieve returns keys with the end that AWS gave them.
func (e *early) Retrieve(ctx context.Context) (aws.Credentials, error) {
	creds, err := e.cache.Retrieve(ctx)
	if err != nil {
		return creds, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.last.AccessKeyID == creds.AccessKeyID {
		creds.Expires = e.last.Expires
	}
	return creds, nil
}

// IsCredentialsProvider looks through, as the SDK's cache does.
func (e *early) IsCredentialsProvider(target aws.CredentialsProvider) bool {
	return aws.IsCredentialsProvider(e.inner, target)
}

// renew is called by the cache, one call at a time; Expires of what it returns is when the next call is due.
func (e *early) renew(ctx context.Context) (aws.Credentials, error) {
	if cache, ok := e.inner.(*aws.CredentialsCache); ok {
		cache.Invalidate() // the SDK's own, around a profile's role
	}
	creds, err := e.inner.Retrieve(ctx)
	e.mu.Lock()
	defer e.mu.Unlock()
	now := time.Now()
	if err == nil {
		e.last = creds
		creds.Expires = creds.Expires.Add(-ahead(creds.Expires.Sub(now)))
		return creds, nil
	}
	if !e.last.HasKeys() || e.last.Expires.Sub(now) <= expiryWindow {
		return aws.Credentials{}, err
	}
	creds = e.last
	if next := now.Add(renewAgain); next.Before(creds.Expires) {
		creds.Expires = next
	}
	return creds, nil
}

func ahead(life time.Duration) time.Duration {
	return max(0, min(renewAhead+rand.N(renewJitter), life/3)) // #nosec G404 -- spreads load, hides nothing
}

// signsAsRole reports whether keys are those of a role's session: a role on top of it is chained.
func signsAsRole(p aws.CredentialsProvider) bool {
	return isSTS(p) || aws.IsCredentialsProvider(p, (*ec2rolecreds.Provider)(nil)) || isContainer(p) || aws.IsCredentialsProvider(p, (*ssocreds.Provider)(nil))
}

func isSTS(p aws.CredentialsProvider) bool {
	return aws.IsCredentialsProvider(p, (*stscreds.AssumeRoleProvider)(nil)) || aws.IsCredentialsProvider(p, (*stscreds.WebIdentityRoleProvider)(nil))
}

func isProcess(p aws.CredentialsProvider) bool {
	return aws.IsCredentialsProvider(p, (*processcreds.Provider)(nil))
}

func isContainer(p aws.CredentialsProvider) bool {
	return aws.IsCredentialsProvider(p, (*endpointcreds.Provider)(nil))
}
