package session

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/credentials/endpointcreds"
	"github.com/aws/smithy-go/logging"
	"github.com/aws/smithy-go/middleware"

	"github.com/airhook-go/airhook/internal/files"
)

// Bounds for one attempt of a call; config_kwargs sets others. Logins wait for these calls, so they are shorter than
// the SDK's 30 seconds and none.
const (
	connectTimeout = 5 * time.Second
	callTimeout    = 10 * time.Second
)

// expiryWindow is how long before their end keys are renewed. The SDK takes five minutes off the life of a container's
// or an instance's keys; a token signed with the last of them would count as dead on arrival.
const expiryWindow = 10 * time.Second

// load asks the SDK for its configuration with what the connection says on top.
func load(ctx context.Context, set settings, at *stsAt) (cfg aws.Config, err error) {
	defer func() {
		if recover() != nil { // the SDK's parser, of a value that is one quotation mark
			err = errors.New("the AWS files can't be parsed")
		}
	}()
	options := []func(*config.LoadOptions) error{
		config.WithHTTPClient(httpClient(set)), config.WithLogger(logging.Nop{}), config.WithCredentialsCacheOptions(func(o *aws.CredentialsCacheOptions) { o.ExpiryWindow = expiryWindow }),
		config.WithAssumeRoleCredentialOptions(at.ofProfile), config.WithWebIdentityRoleCredentialOptions(at.ofWebIdentity), config.WithEndpointCredentialOptions(ofContainer),
		config.WithAPIOptions([]func(*middleware.Stack) error{at.signer.to}),
	}
	if set.profile != "" {
		options = append(options, config.WithSharedConfigProfile(set.profile))
	}
	if set.role.web { // nobody signs for the call
		options = append(options, config.WithCredentialsProvider(aws.AnonymousCredentials{}))
	}
	if set.region != "" {
		options = append(options, config.WithRegion(set.region))
	}
	if !set.keys.IsZero() {
		options = append(options, config.WithCredentialsProvider(credentials.NewStaticCredentialsProvider(set.keys.id, set.keys.secret.Reveal(), set.keys.token.Reveal())))
	}
	if set.caFile != "" {
		pem, err := files.Read(set.caFile)
		if err != nil {
			return aws.Config{}, fmt.Errorf("extra \"verify\" names a CA bundle: %w", err)
		}
		options = append(options, config.WithCustomCABundle(bytes.NewReader(pem)))
	}
	if set.client.attempts > 0 {
		options = append(options, config.WithRetryMaxAttempts(set.client.attempts))
	}
	if set.client.mode != "" {
		options = append(options, config.WithRetryMode(set.client.mode))
	}
	if set.client.fips {
		options = append(options, config.WithUseFIPSEndpoint(aws.FIPSEndpointStateEnabled))
	}
	if set.client.dualStack {
		options = append(options, config.WithUseDualStackEndpoint(aws.DualStackEndpointStateEnabled))
	}
	cfg, err = config.LoadDefaultConfig(ctx, options...)
	at.late = cfg.BaseEndpoint
	at.run(&cfg)
	return cfg, err
}

// httpClient is the SDK's own client, so that AWS_CA_BUNDLE and the metadata service's shorter time-outs still apply.
// It keeps no connection between calls: they are minutes apart, and so no goroutine outlives a call.
func httpClient(set settings) *awshttp.BuildableClient {
	client := awshttp.NewBuildableClient().
		WithDialerOptions(func(d *net.Dialer) { d.Timeout = or(set.client.connect, connectTimeout) }).
		WithTimeout(or(set.client.read, callTimeout))
	return client.WithTransportOptions(func(tr *http.Transport) {
		tr.DisableKeepAlives = true
		if set.insecure {
			if tr.TLSClientConfig == nil {
				tr.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12}
			}
			tr.TLSClientConfig.InsecureSkipVerify = true // "verify": false asks for it; the session warns
		}
		if len(set.client.proxies) > 0 {
			tr.Proxy = func(r *http.Request) (*url.URL, error) { return set.client.proxies[r.URL.Scheme], nil }
		}
	})
}

func or(d, otherwise time.Duration) time.Duration {
	if d > 0 {
		return d
	}
	return otherwise
}

// containerTimeout bounds one attempt at a container's endpoint, which is on the same machine; boto3 takes two seconds.
const containerTimeout = 3 * time.Second

// ofContainer gives a container's endpoint a client of its own: bounded, and never through a proxy.
func ofContainer(o *endpointcreds.Options) {
	o.Retryer = retry.NewStandard(func(o *retry.StandardOptions) {
		o.MaxBackoff = time.Second / 2
		o.Retryables = append(o.Retryables, retry.RetryableHTTPStatusCode{Codes: map[int]struct{}{http.StatusTooManyRequests: {}}}) // the SDK's default here
	})
	o.HTTPClient = awshttp.NewBuildableClient().WithTimeout(containerTimeout).WithTransportOptions(func(tr *http.Transport) {
		tr.Proxy, tr.DisableKeepAlives = nil, true
	})
}

// fingerprint changes when the environment or the AWS files do, and with them, maybe, who the default chain signs as.
// Other programs renew keys in those files, so a process that lives long has to look.
func fingerprint(env config.EnvConfig) string {
	parts := []string{
		env.Credentials.AccessKeyID, env.Credentials.SecretAccessKey, env.Credentials.SessionToken, env.SharedConfigProfile,
		env.SharedConfigFile, env.SharedCredentialsFile, env.WebIdentityTokenFilePath, env.RoleARN, env.RoleSessionName,
		env.ContainerCredentialsEndpoint, env.ContainerCredentialsRelativePath, env.ContainerAuthorizationToken, env.EC2IMDSEndpoint,
		env.Region, env.BaseEndpoint, env.CustomCABundle,
		fmt.Sprint(env.EC2IMDSClientEnableState, env.EC2IMDSEndpointMode, env.RetryMaxAttempts, env.RetryMode, env.UseFIPSEndpoint, env.UseDualStackEndpoint),
	}
	for _, name := range awsFiles(env) {
		parts = append(parts, content(name))
	}
	return opaque(parts)
}

// content is what a file says. Size and time don't tell it: in a Nix store or an image's layer they are the same for many.
func content(name string) string {
	text, err := files.Read(name)
	if err == nil {
		return string(text)
	}
	if info, err := os.Stat(name); err == nil { // a pipe can be read once, and the SDK does
		return fmt.Sprint(info.Size(), info.ModTime().UnixNano())
	}
	return ""
}
