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
	opened map[Who]*entry
	env    string // the environment and the AWS files as they were last
	turn   int    // how often they were others
}

// entry is what one identity meant when it was opened last. Its lock makes many callers open it once.
type entry struct {
	mu      sync.Mutex
	conn    airhook.Connection
	defined bool
	turn    int      // of the resolver
	base    *Session // what a role stands on
	session *Session
}

// Who says which AWS identity signs: an aws connection, narrowed by what the database connection's extra names.
type Who struct {
	// ConnID is Airflow's aws_conn_id; "" is the SDK's default chain.
	ConnID string
	// Profile is the extra's profile: a profile of the AWS files.
	Profile string
	// RoleARN is the extra's role_arn: assumed on top of what ConnID and Profile give.
	RoleARN string
	// Region is where STS is asked when nothing else names a region.
	Region string
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
	// RoleARN is the role that it signs as when it assumes one, else "".
	RoleARN string
	// Principal is an opaque word for who signs: another identity, another word. Of a default chain it is another word
	// after every change of the environment or the AWS files. No secret can be derived from it.
	Principal string
	// Refused says why this session signs nothing although it is understood; RefusedHint what to do. Empty when it signs.
	Refused, RefusedHint string
	// Warnings are what a person should look at.
	Warnings []string

	source    string // "" is the default chain
	why       string // the default chain
	outside   bool   // the environment or the AWS files decide who signs
	container bool   // a container's endpoint gives the keys
	profile   string // that was asked for by name and signs
	kind      string // of the default chain or a profile: what Credentials.Source of its keys begins with
	at        *stsAt
	assumed   *step // nil: no role
	endpoints map[string]string
	regions   map[string]string
	envRegion bool
}

// Open returns the session of an identity. ConnID "" is the SDK's default chain, as is aws_default while it isn't
// defined. Any other undefined id is ErrNotFound; a connection of another type or with contradicting extras, a missing
// profile and a text that is no role's ARN are ErrInvalid. No service is called.
func (r *Resolver) Open(ctx context.Context, who Who) (*Session, error) {
	base, err := r.base(ctx, Who{ConnID: who.ConnID, Profile: who.Profile, Region: who.Region})
	switch {
	case err != nil || who.RoleARN == "":
		return base, err
	case !ValidRole(who.RoleARN):
		return nil, invalid("", errors.New(`extra "role_arn" is no role's ARN`), roleHint)
	case base.Refused != "" || base.RoleARN == who.RoleARN: // it signs as that role already
		return base, nil
	}
	e := r.entry(who)
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.base != base {
		e.base, e.session = base, base.onTop(who)
	}
	return e.session, nil
}

// base opens an aws connection or profile.
func (r *Resolver) base(ctx context.Context, who Who) (*Session, error) {
	conn, defined, err := r.lookup(ctx, who.ConnID)
	if err != nil {
		return nil, err
	}
	e := r.entry(who)
	e.mu.Lock()
	defer e.mu.Unlock()
	for {
		env, turn, err := r.look()
		if err != nil {
			return nil, err
		}
		if e.session != nil && e.conn == conn && e.defined == defined && e.turn == turn {
			return e.session, nil
		}
		s, err := open(ctx, conn, defined, who, env)
		if err != nil {
			return nil, err
		}
		if s.outside {
			// The environment and the AWS files decide who signs. The turn keeps somebody who comes back, by a link that is
			// set to and fro, from getting what was signed for another in between.
			s.Principal = opaque([]string{s.Principal, strconv.Itoa(turn)})
		}
		e.conn, e.defined, e.turn, e.session = conn, defined, turn, s // and once more, lest they changed while they were read
	}
}

// look reads the environment, and counts how often it and the AWS files were others than before. Of one turn everybody who
// asks has the same principal, in whichever region.
func (r *Resolver) look() (config.EnvConfig, int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	env, err := config.NewEnvConfig()
	if err != nil {
		return env, 0, invalid("", fmt.Errorf("read the AWS environment variables: %w", err), "correct the variable")
	}
	if seen := fingerprint(env); seen != r.env {
		r.env, r.turn = seen, r.turn+1
	}
	return env, r.turn, nil
}

func (r *Resolver) entry(who Who) *entry {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.opened == nil {
		r.opened = map[Who]*entry{}
	}
	e, ok := r.opened[who]
	if !ok {
		e = &entry{}
		r.opened[who] = e
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
	e.Hint = "add it with: airhook connections add " + id + " --conn-type aws --conn-login KEY_ID --conn-password-stdin"
	var inner *airhook.Error
	if errors.As(err, &inner) && strings.HasPrefix(inner.Hint, "did you mean") {
		e.Hint = inner.Hint // the registry knows the nearest ids; how it would add one is not for identities
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

func open(ctx context.Context, conn airhook.Connection, defined bool, who Who, env config.EnvConfig) (*Session, error) {
	set, err := read(conn)
	if err == nil {
		err = set.narrow(who.ConnID, who.Profile)
	}
	if err == nil && set.refused == "" {
		err = set.role.resolveToken(conn.ID, env.WebIdentityTokenFilePath)
	}
	if err != nil {
		return nil, err
	}
	s := &Session{
		ID: conn.ID, Region: set.region, Refused: set.refused, RefusedHint: set.refusedHint, Warnings: set.warnings,
		endpoints: set.endpoints, regions: set.regions, envRegion: env.Region != "", outside: set.keys.IsZero() && !set.role.web,
	}
	s.at = &stsAt{region: first(s.ServiceRegion(serviceSTS, set.region), who.Region), endpoint: s.Endpoint(serviceSTS, nil)}
	if s.Config, err = load(ctx, set, s.at); err != nil {
		return nil, explainLoad(conn.ID, first(set.profile, env.SharedConfigProfile), set.profile == "", env, err)
	}
	s.container = isContainer(s.Config.Credentials)
	if s.outside {
		s.profile, s.kind = set.profile, kindOf(s.Config.Credentials, env.Credentials.HasKeys() && set.profile == "")
	}
	s.source, s.why = source(conn, set, defined, who)
	end := keysProfile(s.Config)
	s.at.signer.from = s.from(set, env, end.Profile)
	s.Principal = opaque([]string{conn.Type, conn.Login, conn.Password.Reveal(), conn.Extra.Reveal(), who.Profile, set.role.name, set.role.tokenFile})
	s.become(set.role)
	s.signs()
	s.Config.Credentials = told{s.Config.Credentials, end, s.at.process}
	return s, nil
}

// become makes the connection's role sign, on top of one that the SDK may have found in a profile or the environment.
func (s *Session) become(r role) {
	if s.at.found != nil {
		s.assume(s.at.found)
		s.Config.Credentials = newEarly(s.Config.Credentials)
	}
	if r.arn == "" {
		return
	}
	if !r.web && r.life > chainedLife && signsAsRole(s.Config.Credentials) {
		s.Warnings = append(s.Warnings, fmt.Sprintf("aws connection %q: DurationSeconds is cut to 3600: AWS allows no more to a role that is assumed by a role", s.ID))
		r.life = chainedLife
	}
	s.container = s.container && !r.web
	s.assumes(r)
}

// assumes makes a role sign that the session's identity assumes.
func (s *Session) assumes(r role) {
	one := &step{Assumption: Assumption{RoleARN: r.arn, TokenFile: r.tokenFile, ExternalID: r.external, SourceIdentity: r.identity, Tags: len(r.tags) > 0}}
	if !r.web {
		one.keys, one.before = s.Config.Credentials, s.assumed
	}
	s.assume(one)
	s.Config.Credentials = s.at.assume(s.Config, r)
}

// onTop is the session of a role that this one's identity assumes.
func (s *Session) onTop(who Who) *Session {
	one := *s
	one.Principal = opaque([]string{s.Principal, who.RoleARN})
	one.assumes(role{arn: who.RoleARN, name: "airhook"})
	one.signs()
	one.Config.Credentials = told{one.Config.Credentials, keysProfile(s.Config), s.at.process}
	return &one
}

func source(conn airhook.Connection, set settings, defined bool, who Who) (name, why string) {
	connection := fmt.Sprintf("connection %q", conn.ID)
	switch {
	case set.role.web:
		return connection + ", web identity " + set.role.tokenFile, ""
	case defined && (!set.keys.IsZero() || set.refused != ""):
		return connection, ""
	case who.Profile != "":
		return fmt.Sprintf("profile %q", who.Profile), ""
	case set.profile != "":
		return fmt.Sprintf("%s, profile %q", connection, set.profile), ""
	case defined:
		return "", fmt.Sprintf(": connection %q has no keys", conn.ID)
	case who.ConnID != "":
		return "", fmt.Sprintf(": connection %q isn't defined", who.ConnID)
	}
	return "", ""
}

// Source says where the credentials come from: `connection "my_aws"`, `profile "dev"`, or "default chain" with what it
// found, when creds are what it gave; and the role that they are of.
func (s *Session) Source(creds aws.Credentials) string {
	as := ""
	if s.RoleARN != "" {
		as = ", role " + s.RoleARN
	}
	if from := providerName(creds.Source); s.profile != "" && (from == instance || from == container) {
		return s.source + " (" + from + ")" + as // a profile without keys, as in boto3
	}
	if s.source != "" {
		return s.source + as
	}
	if name := providerName(creds.Source); name != "" {
		return "default chain (" + name + ")" + s.why + as
	}
	return "default chain" + s.why + as
}

const (
	instance  = "EC2 instance role"
	container = "container"
)

// providers are the SDK's providers, by what Credentials.Source begins with, in a person's words.
var providers = [][2]string{
	{"EnvConfig", "environment"},
	{"SharedConfig", "AWS config files"},
	{"EC2Role", instance},
	{"CredentialsEndpoint", container},
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
// An endpoint of all services is STS's only on this machine, where the AWS is a stand-in; Airflow never asks STS there.
func (s *Session) Endpoint(service string, otherwise *string) *string {
	url, ok := s.endpoints[service]
	if !ok && (service != serviceSTS || !isForOthers(s.endpoints)) {
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
	var known *airhook.Error
	if errors.As(err, &known) && ctx.Err() == nil {
		return creds, known
	}
	if e := noCredentials(bounded, err); e != nil && !errors.Is(ctx.Err(), context.Canceled) {
		if bounded.Err() == nil && s.profile != "" {
			e.Err, e.Hint = fmt.Errorf("AWS profile %q holds no credentials, and no EC2 metadata service answers with a role", s.profile), "add keys, a role_arn, an sso_session or a credential_process to it"
		}
		if bounded.Err() != nil {
			s.late(e)
		}
		return creds, e
	}
	if s.container {
		return creds, containerFailure(ctx, err)
	}
	return creds, Failure(ctx, "get AWS credentials", err)
}

// late names whose answer was waited for in vain.
func (s *Session) late(e *airhook.Error) {
	source := "the source of the keys to ask with"
	if p := s.at.process; p != nil {
		source = fmt.Sprintf("the credential_process of AWS profile %q", p.profile)
		e.Err, e.Hint = fmt.Errorf("get AWS credentials: %s did not end in time and was killed", source), processHint
	}
	if s.container {
		e.Err, e.Hint = errors.New("get AWS credentials from the container's endpoint: it did not answer in time"), containerHint
	}
	if s.RoleARN != "" {
		e.Err, e.Hint = fmt.Errorf("assume role %s: neither STS nor %s answered in time", s.RoleARN, source), unreachableHint
	}
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
