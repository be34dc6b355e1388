package session

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"

	"github.com/airhook-go/airhook"
)

// defaultID is the connection that Airflow's hooks ask for when nobody names one. It usually isn't defined.
const defaultID = "aws_default"

// credentialTimeout bounds the search for credentials: where no metadata service answers, nothing may hang.
const credentialTimeout = 10 * time.Second

// Resolver opens AWS connections by id and keeps what it opened until the connection, the environment or the AWS
// files change. It is safe for concurrent use.
type Resolver struct {
	// Registry is where aws connections are looked up.
	Registry airhook.Registry

	mu     sync.Mutex
	opened map[string]*entry
}

// entry is what one id meant when it was opened last. Its lock makes many callers open it once.
type entry struct {
	mu      sync.Mutex
	conn    airhook.Connection
	defined bool
	env     string
	turn    int // how often it was opened
	session *Session
}

// Session is what an aws connection means. It is shared: do not change it.
type Session struct {
	// ID is the connection's id; "" means that none is defined and the SDK's default chain signs.
	ID string
	// Config has credentials, HTTP client and retries. Its Region is that of the environment and the AWS config file,
	// unless the connection has one.
	Config aws.Config
	// Region is the connection's region_name, or "".
	Region string
	// Principal is an opaque word for who signs: another identity, another word. Of a default chain it is another word
	// after every change of the environment or the AWS files. No secret can be derived from it.
	Principal string
	// Refused says why this session signs nothing although it is understood; RefusedHint what to do. Empty when it signs.
	Refused, RefusedHint string
	// Warnings are what a person should look at.
	Warnings []string

	source    string // "" is the default chain
	why       string // the default chain
	endpoints map[string]string
	regions   map[string]string
	envRegion bool
}

// Open returns the session of an aws connection. "" is the SDK's default chain, as is aws_default while it isn't
// defined. Any other undefined id is ErrNotFound; a connection of another type or with contradicting extras is
// ErrInvalid.
func (r *Resolver) Open(ctx context.Context, id string) (*Session, error) {
	conn, defined, err := r.lookup(ctx, id)
	if err != nil {
		return nil, err
	}
	env, err := config.NewEnvConfig()
	if err != nil {
		return nil, invalid("", fmt.Errorf("read the AWS environment variables: %w", err), "correct the variable")
	}
	e, seen := r.entry(id), fingerprint(env)
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.session != nil && e.conn == conn && e.defined == defined && e.env == seen {
		return e.session, nil
	}
	s, err := open(ctx, conn, defined, id, env)
	if err != nil {
		return nil, err
	}
	e.turn++
	if s.source == "" {
		// The environment and the AWS files decide who signs. The turn keeps somebody who comes back, by a link that is
		// set to and fro, from getting what was signed for another in between.
		s.Principal = opaque([]string{s.Principal, seen, strconv.Itoa(e.turn)})
	}
	e.conn, e.defined, e.env, e.session = conn, defined, seen, s
	return s, nil
}

func (r *Resolver) entry(id string) *entry {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.opened == nil {
		r.opened = map[string]*entry{}
	}
	e, ok := r.opened[id]
	if !ok {
		e = &entry{}
		r.opened[id] = e
	}
	return e
}

// lookup returns the connection, or the empty one when the default chain signs.
func (r *Resolver) lookup(ctx context.Context, id string) (conn airhook.Connection, defined bool, err error) {
	if id == "" {
		return conn, false, nil
	}
	conn, err = r.Registry.Get(ctx, id)
	switch {
	case errors.Is(err, airhook.ErrNotFound) && id == defaultID:
		return airhook.Connection{}, false, nil
	case errors.Is(err, airhook.ErrNotFound):
		return conn, false, undefined(id, err)
	case err != nil:
		return conn, false, failedLookup(ctx, id, err)
	case conn.Type != "aws":
		return conn, true, invalid(id, fmt.Errorf("its type is %q, not \"aws\"", conn.Type), "name a connection of type aws, or set its conn_type to aws")
	}
	return conn, true, nil
}

func undefined(id string, err error) error {
	e := &airhook.Error{Kind: airhook.ErrNotFound, Err: fmt.Errorf("aws connection %q isn't defined", id)}
	e.Hint = "add it with: airhook connections add " + id
	var inner *airhook.Error
	if errors.As(err, &inner) && inner.Hint != "" {
		e.Hint = inner.Hint // the registry knows the nearest ids
	}
	return e
}

func failedLookup(ctx context.Context, id string, err error) error {
	if ctx.Err() != nil {
		return Failure(ctx, "look up aws connection "+id, err)
	}
	e := &airhook.Error{Err: fmt.Errorf("aws connection %q: %w", id, err)}
	var inner *airhook.Error
	if errors.As(err, &inner) {
		e.Kind, e.Hint = inner.Kind, inner.Hint
	}
	return e
}

func invalid(id string, err error, hint string) error {
	if id != "" {
		err = fmt.Errorf("aws connection %q: %w", id, err)
	}
	return &airhook.Error{Kind: airhook.ErrInvalid, Err: err, Hint: hint}
}

func open(ctx context.Context, conn airhook.Connection, defined bool, id string, env config.EnvConfig) (*Session, error) {
	set, err := read(conn)
	if err != nil {
		return nil, err
	}
	cfg, err := load(ctx, set)
	if err != nil {
		return nil, explainLoad(conn.ID, env, err)
	}
	s := &Session{
		ID: conn.ID, Config: cfg, Region: set.region, Refused: set.refused, RefusedHint: set.refusedHint, Warnings: set.warnings,
		endpoints: set.endpoints, regions: set.regions, envRegion: env.Region != "",
	}
	s.source, s.why = source(conn, set, defined, id)
	s.Principal = opaque([]string{conn.Type, conn.Login, conn.Password.Reveal(), conn.Extra.Reveal()})
	return s, nil
}

func source(conn airhook.Connection, set settings, defined bool, id string) (name, why string) {
	switch {
	case defined && (!set.keys.IsZero() || set.refused != ""):
		return fmt.Sprintf("connection %q", conn.ID), ""
	case defined:
		return "", fmt.Sprintf(": connection %q has no keys", conn.ID)
	case id != "":
		return "", fmt.Sprintf(": connection %q isn't defined", id)
	}
	return "", ""
}

// Source says where the credentials come from: `connection "my_aws"`, or "default chain" with what it found, when
// creds are what it gave.
func (s *Session) Source(creds aws.Credentials) string {
	if s.source != "" {
		return s.source
	}
	if name := providerName(creds.Source); name != "" {
		return "default chain (" + name + ")" + s.why
	}
	return "default chain" + s.why
}

// providers are the SDK's providers, by what Credentials.Source begins with, in a person's words.
var providers = [][2]string{
	{"EnvConfig", "environment"},
	{"SharedConfig", "AWS config files"},
	{"EC2Role", "EC2 instance role"},
	{"CredentialsEndpoint", "container"},
	{"Process", "credential_process"},
	{"AssumeRole", "role"},
	{"WebIdentity", "web identity"},
	{"SSO", "IAM Identity Center"},
}

func providerName(source string) string {
	for _, p := range providers {
		if strings.HasPrefix(source, p[0]) {
			return p[1]
		}
	}
	return ""
}

// Endpoint returns the base endpoint of a service under its name in boto3 ("sts", "redshift-serverless"): that of the
// connection, else otherwise, which is what the SDK found in the environment and the AWS config file, nil for AWS's own.
func (s *Session) Endpoint(service string, otherwise *string) *string {
	url, ok := s.endpoints[service]
	if !ok {
		url = s.endpoints[""]
	}
	if url == "" { // also when the service's null undoes the connection's
		return otherwise
	}
	return &url
}

// ServiceRegion returns the region that the connection's service_config names for calls to a service, or otherwise.
func (s *Session) ServiceRegion(service, otherwise string) string {
	if region := s.regions[service]; region != "" {
		return region
	}
	return otherwise
}

// EnvironmentRegion returns the region that the environment or the AWS config file names, and which of the two; "" when
// neither does.
func (s *Session) EnvironmentRegion() (region, from string) {
	switch {
	case s.Region != "" || s.Config.Region == "":
		return "", ""
	case s.envRegion:
		return s.Config.Region, "environment AWS_REGION or AWS_DEFAULT_REGION"
	}
	return s.Config.Region, "AWS config file"
}

// Credentials returns keys that are valid now; the SDK caches them. A refused session gives ErrInvalid, and a default
// chain that finds nothing says what was tried.
func (s *Session) Credentials(ctx context.Context) (aws.Credentials, error) {
	if s.Refused != "" {
		return aws.Credentials{}, &airhook.Error{Kind: airhook.ErrInvalid, Err: errors.New(s.Refused), Hint: s.RefusedHint}
	}
	bounded, cancel := context.WithTimeout(ctx, credentialTimeout)
	defer cancel()
	creds, err := s.Config.Credentials.Retrieve(bounded)
	if err == nil {
		return creds, nil
	}
	if e := noCredentials(bounded, err); e != nil && !errors.Is(ctx.Err(), context.Canceled) {
		return creds, e
	}
	return creds, Failure(ctx, "get AWS credentials", err)
}

var salt = sync.OnceValue(func() []byte {
	key := make([]byte, 32)
	_, _ = rand.Read(key) // never fails: crypto/rand
	return key
})

// opaque is a word for the parts that means nothing outside this process.
func opaque(parts []string) string {
	mac := hmac.New(sha256.New, salt())
	_, _ = fmt.Fprintf(mac, "%q", parts)
	return hex.EncodeToString(mac.Sum(nil)[:12])
}
