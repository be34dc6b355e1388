package session

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/airhook-go/airhook"
	"github.com/airhook-go/airhook/internal/suggest"
)

// keys are an access key pair, with a session token when it is temporary.
type keys struct {
	id            string
	secret, token airhook.Secret
}

// IsZero reports whether there are none, so that the default chain signs.
func (k keys) IsZero() bool { return k == keys{} }

// settings are what an aws connection says, read as Airflow's AwsConnectionWrapper does (amazon provider,
// utils/connection_wrapper.py).
type settings struct {
	keys                 keys
	profile              string
	role                 role
	region               string
	endpoints            map[string]string // by service; "" is for all of them
	regions              map[string]string // by service
	insecure             bool
	caFile               string
	client               client
	unsigned             bool
	refused, refusedHint string
	warnings             []string
}

// refuse notes the first thing that this package does not do; such a connection loads, and signs nothing.
func (s *settings) refuse(why, hint string) {
	if s.refused == "" {
		s.refused, s.refusedHint = why, hint
	}
}

// client is what config_kwargs says of botocore's Config.
type client struct {
	connect, read   time.Duration
	attempts        int
	mode            aws.RetryMode
	fips, dualStack bool
	proxies         map[string]*url.URL // by scheme
}

// read understands an aws connection: every key has its effect, is refused by name, or gets a warning.
func read(conn airhook.Connection) (settings, error) {
	r := newReader(conn)
	inner := r.sub("session_kwargs") // Airflow's form still shows it
	s := settings{endpoints: map[string]string{}, regions: map[string]string{}}
	s.keys = r.keys(inner, &s)
	s.profile = r.profile(inner)
	s.region = r.region("region_name")
	if url := r.endpoint("endpoint_url", &s); url != "" {
		s.endpoints[""] = url
	}
	r.services(&s)
	r.verify(&s)
	r.config(&s)
	r.role(&s)
	if s.role.arn != "" && isForOthers(s.endpoints) {
		s.warnings = append(s.warnings, notForSTS)
	}
	r.removed(&s)
	inner.removed(&s)
	r.take(inner)
	r.overlap(&s)
	r.leftovers(inner, &s)
	if r.err != nil {
		return settings{}, r.err
	}
	if s.refused != "" {
		s.refused = fmt.Sprintf("aws connection %q: %s", r.id, s.refused)
	}
	return s, nil
}

// keys takes the first complete pair: login and password, the extra's own keys, session_kwargs'.
func (r *reader) keys(inner *reader, s *settings) keys {
	var found []keys
	signer := ""
	for _, pair := range []struct {
		names      string
		id, secret string
	}{
		{"login and password", r.conn.Login, r.conn.Password.Reveal()},
		{"extra aws_access_key_id and aws_secret_access_key", r.text("aws_access_key_id"), r.text("aws_secret_access_key")},
		{"extra session_kwargs", inner.text("aws_access_key_id"), inner.text("aws_secret_access_key")},
	} {
		if pair.id != "" && pair.secret != "" {
			found = append(found, keys{id: pair.id, secret: airhook.NewSecret(pair.secret)})
			signer = first(signer, pair.names)
		} else if pair.id != "" || pair.secret != "" {
			s.warnings = append(s.warnings, pair.names+" hold one half of a key pair")
		}
	}
	token := airhook.NewSecret(first(r.text("aws_session_token"), inner.text("aws_session_token")))
	if len(found) == 0 {
		// Airflow signs with the default chain then: as somebody else.
		if len(s.warnings) > 0 {
			r.fail(errors.New(s.warnings[0]), "give both the access key id and the secret access key, or neither for the SDK's default chain")
		} else if !token.IsZero() {
			r.fail(errors.New("there is a session token without a key pair"), "give the access key id and the secret access key that belong to it")
		}
		return keys{}
	}
	if len(found) > 1 && found[0] != found[1] {
		s.warnings = append(s.warnings, "several key pairs are given: "+signer+" sign")
	}
	found[0].token = token
	return found[0]
}

func first(words ...string) string {
	for _, w := range words {
		if w != "" {
			return w
		}
	}
	return ""
}

// regionName keeps a region from becoming another host's name in an endpoint.
var regionName = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)

// ValidRegion reports whether a word can be a region's name. Endpoints are built from it, so nothing else may pass.
func ValidRegion(region string) bool { return regionName.MatchString(region) }

func (r *reader) region(key string) string {
	region := r.text(key)
	if region != "" && !ValidRegion(region) {
		r.fail(fmt.Errorf("%s is no region's name", r.name(key)), "for example us-east-1")
	}
	return region
}

func (r *reader) endpoint(key string, s *settings) string {
	text := r.text(key)
	if text == "" {
		return ""
	}
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "":
		r.fail(fmt.Errorf("%s is no http or https URL", r.name(key)), "for example https://vpce-1.redshift.us-east-1.vpce.amazonaws.com")
	case u.User != nil:
		r.fail(fmt.Errorf("%s holds credentials", r.name(key)), "AWS calls are signed: remove what stands before the @")
	case u.RawQuery != "" || u.Fragment != "":
		r.fail(fmt.Errorf("%s holds a query", r.name(key)), "keep scheme, host, port and path")
	case u.Scheme == "http" && !loopback(u.Hostname()):
		s.warnings = append(s.warnings, r.name(key)+" is plain http to another machine: session tokens and temporary passwords can be read on the way")
	}
	return text
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback() || strings.EqualFold(host, "localhost")
}

const notForSTS = `extra "endpoint_url" has no effect on STS, which is asked for a role: its endpoint stands in service_config, {"sts": {"endpoint_url": "…"}}`

// isForOthers reports whether an aws connection's endpoint is that of other services than STS: a VPC endpoint of Redshift
// assumes no role, and a web identity token isn't for it.
func isForOthers(endpoints map[string]string) bool {
	_, own := endpoints[serviceSTS]
	u, err := url.Parse(endpoints[""])
	return !own && endpoints[""] != "" && (err != nil || !loopback(u.Hostname()))
}

// services reads service_config. A service's endpoint_url of null undoes the connection's for that service.
func (r *reader) services(s *settings) {
	all := r.sub("service_config")
	for _, service := range all.order {
		one := all.sub(service)
		if one.has("endpoint_url") {
			s.endpoints[service] = one.endpoint("endpoint_url", s)
		}
		if region := one.region("region_name"); region != "" {
			s.regions[service] = region
		}
		all.take(one)
	}
	r.take(all)
}

// verify is a switch or the name of a CA bundle. A URI makes text of a switch.
func (r *reader) verify(s *settings) {
	switch text := r.text("verify"); strings.ToLower(text) {
	case "", "true":
	case "false":
		s.insecure = true
		s.warnings = append(s.warnings, `"verify" is false: whoever answers in AWS's place is believed`)
	default:
		s.caFile = text
	}
}

// config reads config_kwargs, the arguments of botocore's Config.
func (r *reader) config(s *settings) {
	c := r.sub("config_kwargs")
	s.client.connect, s.client.read = c.seconds("connect_timeout"), c.seconds("read_timeout")
	s.client.fips, s.client.dualStack = c.flag("use_fips_endpoint"), c.flag("use_dualstack_endpoint")
	if region := c.region("region_name"); s.region == "" {
		s.region = region
	}
	if c.text("signature_version") == "unsigned" {
		s.unsigned = true
		s.refuse("config_kwargs asks for unsigned calls, and a login is a signature", "remove signature_version from config_kwargs")
	}
	r.retries(c, s)
	r.proxies(c, s)
	for _, key := range c.unread() {
		s.warnings = append(s.warnings, c.name(key)+" has no effect")
	}
	r.take(c)
}

// retries: max_attempts counts the retries only, total_max_attempts the first call too (botocore, Config).
func (r *reader) retries(c *reader, s *settings) {
	retries := c.sub("retries")
	if n, given := retries.number("max_attempts", 0, 20); given {
		s.client.attempts = n + 1
	}
	if n, given := retries.number("total_max_attempts", 1, 21); given {
		s.client.attempts = n
	}
	switch mode := retries.text("mode"); mode {
	case "":
	case "legacy", "standard":
		s.client.mode = aws.RetryModeStandard
	case "adaptive":
		s.client.mode = aws.RetryModeAdaptive
	default:
		retries.fail(fmt.Errorf("%s is unknown", retries.name("mode")), "one of legacy, standard, adaptive")
	}
	c.take(retries)
}

func (r *reader) proxies(c *reader, s *settings) {
	proxies := c.sub("proxies")
	for _, scheme := range proxies.order {
		text := proxies.text(scheme)
		if text == "" {
			continue
		}
		if !strings.Contains(text, "://") { // botocore takes a bare host and port
			text = "http://" + text
		}
		proxy, err := url.Parse(text)
		if err != nil || proxy.Host == "" || scheme != "http" && scheme != "https" {
			proxies.fail(fmt.Errorf("%s is no proxy's URL", proxies.name(scheme)), `for example {"https": "http://proxy:3128"}`)
			continue
		}
		if s.client.proxies == nil {
			s.client.proxies = map[string]*url.URL{}
		}
		s.client.proxies[scheme] = proxy
	}
	c.take(proxies)
}

// narrow lets the database connection's profile sign. aws_default is what Airflow names when nobody does: it yields.
func (s *settings) narrow(id, profile string) error {
	if profile == "" {
		return nil
	}
	theirs := ""
	switch {
	case !s.keys.IsZero():
		theirs = "has keys"
	case s.role.web:
		theirs = "has a web identity"
	case s.profile != "" && s.profile != profile:
		theirs = fmt.Sprintf("names profile %q", s.profile)
	}
	if id != defaultID && theirs != "" {
		return invalid(id, fmt.Errorf("it %s, and extra \"profile\" of the database connection asks for AWS profile %q", theirs, profile), "remove the profile, or aws_conn_id")
	}
	if id == defaultID {
		if theirs != "" || s.role.arn != "" {
			s.warnings = append(s.warnings, fmt.Sprintf("aws connection %q: its identity has no effect: extra \"profile\" of the database connection asks for AWS profile %q", id, profile))
		}
		if s.keys, s.role = (keys{}), (role{}); !s.unsigned {
			s.refused, s.refusedHint = "", ""
		}
	}
	s.profile = profile
	return nil
}

// profile names a profile of the AWS files.
func (r *reader) profile(inner *reader) string {
	name, old := r.text("profile_name"), inner.text("profile_name")
	if name != "" && old != "" && name != old {
		r.fail(fmt.Errorf("%s and %s name two profiles", r.name("profile_name"), inner.name("profile_name")), "keep profile_name")
	}
	return first(name, old)
}

// removedKeys are extras that asked for an identity once. Airflow ignores them silently: it signs as somebody else.
var removedKeys = []struct{ key, instead string }{
	{"aws_iam_role", "write the role's ARN into role_arn"},
	{"aws_account_id", "write the role's ARN into role_arn"},
	{"external_id", `write it into assume_role_kwargs: {"ExternalId": "…"}`},
	{"web_identity_token_file", "write the file into assume_role_with_web_identity_token_file, with role_arn and assume_role_method assume_role_with_web_identity"},
	{"profile", "write the profile into profile_name"},
	{"s3_config_file", "write the profile into profile_name; AWS_SHARED_CREDENTIALS_FILE names the file"},
	{"s3_config_format", "write the profile into profile_name"},
	{"credential_process", "write it into an AWS profile, and the profile into profile_name"},
}

// removed refuses the first of the removed keys by name; one that says nothing new is only told.
func (r *reader) removed(s *settings) {
	for _, k := range removedKeys {
		if r.read[k.key] = true; !r.given(k.key) {
			continue
		}
		if k.key == "profile" && s.profile != "" {
			s.warnings = append(s.warnings, r.name(k.key)+" has no effect beside profile_name")
			continue
		}
		s.refuse(fmt.Sprintf("%s asks for an identity in a way that neither Airflow nor airhook logs in with", r.name(k.key)), k.instead)
	}
}

// overlap tells which of two identities signs: keys before a profile, as in boto3, a web identity before both.
func (r *reader) overlap(s *settings) {
	switch {
	case s.role.web && (!s.keys.IsZero() || s.profile != ""):
		s.warnings = append(s.warnings, "keys and profile have no effect: the web identity token logs in")
		s.keys = keys{}
	case !s.keys.IsZero() && s.profile != "":
		s.warnings = append(s.warnings, "the keys sign: profile_name has no effect on who does")
	}
}

// others are the extras that are read and say nothing about who signs.
var others = []string{"region_name", "endpoint_url", "service_config", "config_kwargs", "verify"}

// signs are the extras that say who signs.
func signs() []string {
	keys := append([]string{"aws_access_key_id", "aws_secret_access_key", "aws_session_token", "session_kwargs", "profile_name", "role_arn"}, roleKeys...)
	for _, k := range removedKeys {
		keys = append(keys, k.key)
	}
	return keys
}

// leftovers warns of keys that nobody reads, as Airflow doesn't. One that looks like a misspelt identity is an error:
// somebody else would sign.
func (r *reader) leftovers(inner *reader, s *settings) {
	if r.conn.Host != "" {
		s.warnings = append(s.warnings, "the host is ignored: an endpoint stands in endpoint_url")
	}
	for _, key := range r.unread() {
		if near := suggest.Nearest(key, signs()); len(near) > 0 {
			r.fail(fmt.Errorf("%s is unknown", r.name(key)), "did you mean "+strings.Join(near, ", ")+"?")
		}
		warning := r.name(key) + " has no effect"
		if near := suggest.Nearest(key, others); len(near) > 0 {
			warning += ": did you mean " + strings.Join(near, ", ") + "?"
		}
		s.warnings = append(s.warnings, warning)
	}
	for _, key := range inner.unread() {
		s.warnings = append(s.warnings, inner.name(key)+" has no effect")
	}
	for i, w := range s.warnings {
		s.warnings[i] = fmt.Sprintf("aws connection %q: %s", r.id, w)
	}
}
