package session

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials/processcreds"

	"github.com/airhook-go/airhook"
)

// processTimeout ends a credential_process before whoever waits for it gives up, so that it is gone by then.
const processTimeout = credentialTimeout - 2*time.Second

// process runs a profile's credential_process in the SDK's place, which would leave behind what the command started.
type process struct {
	cache   *aws.CredentialsCache
	inner   aws.CredentialsProvider
	timeout time.Duration
	profile string
	printed bytes.Buffer // what the command that runs has printed: one runs at a time

	mu      sync.Mutex
	waiting int
	running *run
}

type run struct {
	stop func()
	done chan struct{}
}

func newProcess(command, profile string) *process {
	p := &process{timeout: processTimeout, profile: profile}
	p.inner = processcreds.NewProviderCommand(processcreds.NewCommandBuilderFunc(p.shell(command)), func(o *processcreds.Options) { o.Timeout = -1 }) // run bounds it
	p.cache = aws.NewCredentialsCache(aws.CredentialsProviderFunc(p.run), func(o *aws.CredentialsCacheOptions) { o.ExpiryWindow = expiryWindow })
	return p
}

// shell is the SDK's command, in a process group of its own and without a terminal: nobody may be asked there.
func (p *process) shell(command string) func(context.Context) (*exec.Cmd, error) {
	return func(ctx context.Context) (*exec.Cmd, error) {
		sh := []string{"sh", "-c"}
		if runtime.GOOS == "windows" {
			sh = []string{"cmd.exe", "/C"}
		}
		cmd := exec.CommandContext(ctx, sh[0], sh[1], command) // #nosec G204 -- the AWS files name it, as for every SDK
		p.printed.Reset()
		cmd.Stdout, cmd.Stderr, cmd.WaitDelay = &p.printed, os.Stderr, time.Second
		killTogether(cmd)
		return cmd, nil
	}
}

// Retrieve returns the keys that the command printed.
func (p *process) Retrieve(ctx context.Context) (aws.Credentials, error) {
	defer p.attend(ctx)()
	return p.cache.Retrieve(ctx)
}

// attend notes one who waits, until leave is called: the last one who leaves ends a command that still runs. The cache of
// a role asks for whoever waits there, with a context that nothing ends: it counts only where nobody else is seen.
func (p *process) attend(ctx context.Context) (leave func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if ctx.Done() == nil && p.waiting > 0 {
		return func() {}
	}
	p.waiting++
	return p.leave
}

// IsCredentialsProvider looks through, as the SDK's cache does.
func (p *process) IsCredentialsProvider(target aws.CredentialsProvider) bool {
	return aws.IsCredentialsProvider(p.inner, target)
}

func (p *process) leave() {
	p.mu.Lock()
	p.waiting--
	one := p.running
	last := p.waiting == 0 && one != nil
	p.mu.Unlock()
	if last {
		one.stop()
		<-one.done
	}
}

// lateError is how long a command may run.
type lateError time.Duration

func (l lateError) Error() string {
	return fmt.Sprintf("did not end within %s and was killed", time.Duration(l))
}

// errAbandoned: nobody waited any more. Whoever came meanwhile asks again.
var errAbandoned = errors.New("the credential_process was ended")

// run is called by the cache, one call at a time and with a context that nothing ends.
func (p *process) run(ctx context.Context) (aws.Credentials, error) {
	ctx, stop := context.WithTimeout(ctx, p.timeout)
	one := &run{stop, make(chan struct{})}
	defer stop()
	p.mu.Lock()
	if p.waiting == 0 {
		p.mu.Unlock()
		return aws.Credentials{}, errAbandoned
	}
	p.running = one
	p.mu.Unlock()
	creds, err := p.inner.Retrieve(ctx)
	if errors.Is(err, exec.ErrWaitDelay) { // it ended well, but what it left running holds its output open: an agent, a browser
		creds, err = printed(p.printed.Bytes())
	}
	p.printed = bytes.Buffer{} // the keys
	p.mu.Lock()
	p.running = nil
	p.mu.Unlock()
	close(one.done)
	switch {
	case err == nil:
	case errors.Is(ctx.Err(), context.Canceled):
		return creds, errAbandoned
	case ctx.Err() != nil:
		return creds, &processcreds.ProviderError{Err: lateError(p.timeout)}
	}
	return creds, err
}

// printed reads a command's output as the SDK does, which keeps that to itself.
func printed(out []byte) (aws.Credentials, error) {
	if runtime.GOOS == "windows" { // it adds slashes to quotes
		out = bytes.ReplaceAll(out, []byte(`\"`), []byte(`"`))
	}
	var got processcreds.CredentialProcessResponse
	if err := json.Unmarshal(out, &got); err != nil || got.Version != 1 || got.AccessKeyID == "" || got.SecretAccessKey == "" {
		return aws.Credentials{}, &processcreds.ProviderError{Err: errors.New("no credentials")}
	}
	creds := aws.Credentials{Source: processcreds.ProviderName, AccessKeyID: got.AccessKeyID, SecretAccessKey: got.SecretAccessKey, SessionToken: got.SessionToken, AccountID: got.AccountID}
	if got.Expiration != nil {
		creds.CanExpire, creds.Expires = true, *got.Expiration
	}
	return creds, nil
}

const processHint = "run the command by hand: it has to end quickly, and can't ask anybody in a terminal"

// processFailure says what is wrong with a credential_process. The SDK's text may repeat its output: the keys.
func processFailure(err error, profile string) *airhook.Error {
	var failed *processcreds.ProviderError
	if !errors.As(err, &failed) {
		return nil
	}
	e := &airhook.Error{Stage: airhook.StageCredential, Kind: airhook.ErrInvalid}
	problem := "printed no credentials"
	e.Hint = "run the command by hand: it has to print JSON with Version 1, AccessKeyId and SecretAccessKey"
	var exit *exec.ExitError
	var late lateError
	switch {
	case errors.As(err, &late):
		e.Kind, problem = airhook.ErrUnreachable, late.Error()
		e.Hint = processHint
	case errors.As(err, &exit):
		problem = "failed: " + exit.ProcessState.String()
	}
	e.Err = fmt.Errorf("get AWS credentials: the credential_process of AWS profile %q %s", profile, problem)
	return e
}

// run lets a process stand wherever the SDK would run the credential_process. Where other keys sign, there is none: the
// environment's come before a profile's.
func (a *stsAt) run(cfg *aws.Config) {
	end := keysProfile(*cfg)
	if end.CredentialProcess == "" {
		return
	}
	p := newProcess(end.CredentialProcess, end.Profile)
	if isProcess(cfg.Credentials) {
		cfg.Credentials, a.process = p, p
	}
	for s := a.found; s != nil; s = s.before {
		if s.keys != nil && isProcess(s.keys) {
			s.keys, a.process = p, p
		}
	}
}

// keysProfile is the profile that keys come from in the end, by way of source_profile.
func keysProfile(cfg aws.Config) config.SharedConfig {
	for _, source := range cfg.ConfigSources {
		if c, ok := source.(config.SharedConfig); ok {
			for range 100 { // the SDK has refused circles
				if c.Source == nil {
					break
				}
				c = *c.Source
			}
			return c
		}
	}
	return config.SharedConfig{}
}
