package session

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/aws/aws-sdk-go-v2/service/sts/types"
	"golang.org/x/text/unicode/norm"

	"github.com/airhook-go/airhook/internal/suggest"
)

// How long a role's keys may last, in seconds; chainedLife is AWS's limit for a role that was assumed by a role (STS API
// reference, AssumeRole).
const (
	shortestLife = 900
	longestLife  = 43200
	chainedLife  = time.Hour
)

// role is what a connection's identity turns into: the parameters of STS's AssumeRole or AssumeRoleWithWebIdentity.
type role struct {
	arn, name                  string // name is the session's
	web                        bool
	tokenFile                  string // of web identity; "" is AWS_WEB_IDENTITY_TOKEN_FILE
	external, policy, identity string
	provider                   string // of web identity, OAuth 2.0 only
	life                       time.Duration
	tags                       []types.Tag
	transitive                 []string
	policies                   []types.PolicyDescriptorType
}

// roleKeys are the extras that say something about a role and nothing without role_arn, as in Airflow.
var roleKeys = []string{
	"assume_role_method", "assume_role_kwargs", "assume_role_with_saml", "assume_role_with_web_identity_federation",
	"assume_role_with_web_identity_token_file", "assume_role_with_web_identity_federation_audience",
}

// role reads the extras of BaseSessionFactory (amazon provider, hooks/base_aws.py).
func (r *reader) role(s *settings) {
	arn := r.text("role_arn")
	if arn == "" {
		for _, key := range roleKeys {
			if r.read[key] = true; r.given(key) {
				s.warnings = append(s.warnings, r.name(key)+" has no effect without role_arn")
			}
		}
		return
	}
	if !ValidRole(arn) {
		r.fail(fmt.Errorf("%s is no role's ARN", r.name("role_arn")), roleHint)
	}
	s.role = role{arn: arn, name: sessionName(r.id)}
	switch method := r.text("assume_role_method"); method {
	case "", "assume_role":
	case "assume_role_with_web_identity":
		s.role.web = true
		r.federation(s)
	case "assume_role_with_saml":
		s.refuse(r.name("assume_role_method")+" asks for SAML, which airhook does not log in with",
			"let an AWS profile do it (profile_name, with credential_process), or use assume_role_with_web_identity")
	default:
		r.fail(fmt.Errorf("%s is unknown", r.name("assume_role_method")), "one of assume_role, assume_role_with_web_identity; without it a role is assumed with assume_role")
	}
	r.kwargs(s)
	for _, key := range roleKeys {
		if !r.read[key] && r.given(key) {
			s.warnings = append(s.warnings, r.name(key)+" has no effect: assume_role_method says another way")
		}
		r.read[key] = true
	}
}

// federation says where the web identity token comes from.
func (r *reader) federation(s *settings) {
	const key = "assume_role_with_web_identity_federation"
	switch text := r.text(key); text {
	case "file":
		s.role.tokenFile = r.text("assume_role_with_web_identity_token_file")
	case "google":
		r.read["assume_role_with_web_identity_federation_audience"] = true
		s.refuse(r.name(key)+" asks for tokens of Google's metadata service, which airhook does not fetch",
			"let a program write the token to a file, and name it: federation file with assume_role_with_web_identity_token_file")
	case "":
		r.fail(fmt.Errorf("%s is missing", r.name(key)), `write "file", and the file into assume_role_with_web_identity_token_file or AWS_WEB_IDENTITY_TOKEN_FILE`)
	default:
		r.fail(fmt.Errorf("%s is unknown", r.name(key)), `write "file"`)
	}
}

// The keys of assume_role_kwargs; those of webKwargs are AssumeRoleWithWebIdentity's too, or only (STS API reference).
var (
	roleKwargs = []string{"RoleSessionName", "DurationSeconds", "Policy", "PolicyArns", "ExternalId", "SourceIdentity", "Tags", "TransitiveTagKeys"}
	webKwargs  = []string{"RoleSessionName", "DurationSeconds", "Policy", "PolicyArns", "ProviderId"}
)

func (r *reader) kwargs(s *settings) {
	k, one := r.sub("assume_role_kwargs"), &s.role
	if name := k.text("RoleSessionName"); name != "" {
		if one.name = name; !validSessionName(name) {
			k.fail(fmt.Errorf("%s is no session's name", k.name("RoleSessionName")), "2 to 64 letters, digits and _+=,.@- without blanks")
		}
	}
	if n, given := k.number("DurationSeconds", shortestLife, longestLife); given {
		one.life = time.Duration(n) * time.Second
	}
	one.policy = k.document("Policy")
	k.list("PolicyArns", &one.policies, `[{"arn": "arn:aws:iam::aws:policy/ReadOnlyAccess"}]`)
	if one.web {
		one.provider = k.text("ProviderId")
	} else {
		one.external, one.identity = k.text("ExternalId"), k.text("SourceIdentity")
		k.list("Tags", &one.tags, `[{"Key": "team", "Value": "data"}]`)
		k.list("TransitiveTagKeys", &one.transitive, `["team"]`)
	}
	k.otherKwargs(s)
	r.take(k)
}

// otherKwargs: what STS doesn't know is an error, as in boto3.
func (r *reader) otherKwargs(s *settings) {
	known, call := roleKwargs, "AssumeRole"
	if s.role.web {
		known, call = webKwargs, "AssumeRoleWithWebIdentity"
	}
	for _, key := range r.unread() {
		switch {
		case key == "RoleArn":
			s.warnings = append(s.warnings, r.name(key)+" has no effect: role_arn says which role")
		case key == "SerialNumber" || key == "TokenCode":
			r.fail(fmt.Errorf("%s asks for MFA: its code works once, and keys are renewed", r.name(key)),
				"log in with MFA elsewhere (aws sts get-session-token) and give the keys, or use a profile with credential_process")
		case slices.Contains(roleKwargs, key):
			r.fail(fmt.Errorf("%s: %s does not take it", r.name(key), call), "remove it; it takes "+strings.Join(known, ", "))
		default:
			hint := "it takes " + strings.Join(known, ", ")
			if near := suggest.Nearest(key, known); len(near) > 0 {
				hint = "did you mean " + strings.Join(near, ", ") + "?"
			}
			r.fail(fmt.Errorf("%s is unknown to %s", r.name(key), call), hint)
		}
	}
}

// list reads a JSON array; a URI makes text of it.
func (r *reader) list(key string, into any, example string) {
	raw := r.values[key]
	r.read[key] = true
	var quoted string
	if json.Unmarshal(raw, &quoted) == nil && quoted != "" {
		raw = json.RawMessage(quoted)
	}
	if len(raw) == 0 || string(raw) == "null" || string(raw) == `""` {
		return
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil || dec.More() {
		r.fail(fmt.Errorf("%s is no such list", r.name(key)), "for example "+example)
	}
}

// document is a JSON document: as text, as boto3 wants it, or as it stands.
func (r *reader) document(key string) string {
	if raw := bytes.TrimSpace(r.values[key]); len(raw) > 0 && raw[0] == '{' {
		r.read[key] = true
		return string(raw)
	}
	return r.text(key)
}

const roleHint = "for example arn:aws:iam::123456789012:role/name"

// ValidRole reports whether a text can be a role's ARN: arn:partition:iam::account:role/name.
func ValidRole(arn string) bool {
	parts := strings.SplitN(arn, ":", 6)
	if len(parts) != 6 || parts[0] != "arn" || !ValidRegion(parts[1]) || parts[2] != "iam" || parts[3] != "" || len(parts[4]) != 12 {
		return false
	}
	name, ok := strings.CutPrefix(parts[5], "role/")
	return ok && name != "" && strings.Trim(parts[4], "0123456789") == "" && !strings.ContainsFunc(name, func(c rune) bool { return c <= ' ' || c > '~' })
}

// validSessionName: STS's pattern for RoleSessionName, [\w+=,.@-]{2,64}.
func validSessionName(name string) bool {
	return len(name) >= 2 && len(name) <= 64 && !strings.ContainsFunc(name, func(c rune) bool { return !sessionRune(c) })
}

func sessionRune(c rune) bool {
	return c < unicode.MaxASCII && (unicode.IsLetter(c) || unicode.IsDigit(c) || strings.ContainsRune("_+=,.@-", c))
}

// sessionName is Airflow's default, python-slugify of Airflow_<conn_id>, except that letters without an ASCII form become
// a dash, and that it is cut to the 64 characters that STS takes.
func sessionName(id string) string {
	var b strings.Builder
	dash := false
	for _, c := range norm.NFKD.String("airflow_" + id) {
		switch c = unicode.ToLower(c); {
		case unicode.Is(unicode.Mn, c): // what makes ü of u
		case c == '-' || !sessionRune(c):
			dash = true
		default:
			if dash {
				_ = b.WriteByte('-')
				dash = false
			}
			_, _ = b.WriteRune(c)
		}
	}
	name := b.String()
	return strings.TrimRight(name[:min(64, len(name))], "-")
}

// resolveToken completes a web identity role by the environment's token file.
func (r *role) resolveToken(id, env string) error {
	if !r.web {
		return nil
	}
	if r.tokenFile = first(r.tokenFile, env); r.tokenFile == "" {
		return invalid(id, errors.New("there is no web identity token"), "name its file in assume_role_with_web_identity_token_file or in AWS_WEB_IDENTITY_TOKEN_FILE")
	}
	return nil
}
