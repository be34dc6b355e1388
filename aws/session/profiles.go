package session

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/config"

	"github.com/airhook-go/airhook/internal/files"
	"github.com/airhook-go/airhook/internal/suggest"
)

// awsFiles are the config file and the credentials file.
func awsFiles(env config.EnvConfig) [2]string {
	return [2]string{first(env.SharedConfigFile, config.DefaultSharedConfigFilename()), first(env.SharedCredentialsFile, config.DefaultSharedCredentialsFilename())}
}

// explainLoad names what the SDK could not load: profile is the one that was asked for, by AWS_PROFILE when fromEnv.
func explainLoad(id, profile string, fromEnv bool, env config.EnvConfig, err error) error {
	if e := explainProfile(readProfiles(env), first(profile, "default"), profile != "", awsFiles(env)); e != nil {
		if id == "" && fromEnv && profile != "" {
			e.hint += ", or unset AWS_PROFILE"
		}
		return invalid(id, e.err, e.hint)
	}
	var mfa config.AssumeRoleTokenProviderNotSetError
	if errors.As(err, &mfa) {
		return invalid(id, fmt.Errorf("AWS profile %q asks for MFA (mfa_serial): its code works once, and keys are renewed", first(profile, "default")),
			"log in with MFA elsewhere (aws sts get-session-token) and give the keys, or use a profile with credential_process")
	}
	if env.WebIdentityTokenFilePath != "" && env.RoleARN == "" && profile == "" {
		return invalid(id, errors.New("AWS_WEB_IDENTITY_TOKEN_FILE is set, and AWS_ROLE_ARN is not"), "set AWS_ROLE_ARN to the role that trusts the token, or unset both")
	}
	what := "load the AWS configuration"
	if profile != "" {
		what = fmt.Sprintf("load AWS profile %q", profile)
	}
	return invalid(id, fmt.Errorf("%s: %s", what, firstLine(err.Error())), "check the aws connection's extra, the AWS environment variables and ~/.aws/config")
}

type problem struct {
	err  error
	hint string
}

// explainProfile looks for what is wrong with a profile in the order in which the SDK follows source_profile.
func explainProfile(p profiles, name string, named bool, looked [2]string) *problem {
	chain := []string{name}
	for {
		at := chain[len(chain)-1]
		one, ok := p.found[at]
		switch {
		case !ok && len(chain) == 1 && !named: // nobody needs a default profile
			return nil
		case !ok:
			return p.missing(chain, looked)
		case one.id != one.secret:
			return &problem{fmt.Errorf("AWS profile %q holds one half of a key pair", at), "give both aws_access_key_id and aws_secret_access_key"}
		case one.source == "":
			if len(chain) > 1 && !one.credentials {
				return &problem{fmt.Errorf("AWS profile %q, the source_profile of profile %q, holds no credentials", at, chain[len(chain)-2]), "give it keys, or another source_profile"}
			}
			return nil
		case one.source == at && one.id: // the SDK allows it: the profile's own keys assume its role
			return nil
		case slices.Contains(chain, one.source):
			return &problem{fmt.Errorf("AWS profile %s: source_profile goes in a circle, and nobody in it has keys", arrows(append(chain, one.source))), "let the last source_profile be one with keys"}
		}
		chain = append(chain, one.source)
	}
}

// arrows: "a" → "b" → "a".
func arrows(chain []string) string {
	quoted := make([]string, len(chain))
	for i, name := range chain {
		quoted[i] = fmt.Sprintf("%q", suggest.Short(name))
	}
	return strings.Join(quoted, " → ")
}

// missing says where a profile was looked for, and what is near.
func (p profiles) missing(chain []string, looked [2]string) *problem {
	name := chain[len(chain)-1]
	what := fmt.Sprintf("AWS profile %q", suggest.Short(name))
	if len(chain) > 1 {
		what += fmt.Sprintf(", the source_profile of profile %q,", chain[len(chain)-2])
	}
	where := make([]string, 0, len(looked))
	for _, file := range looked {
		if _, err := os.Stat(file); err != nil {
			file += " (no such file)"
		}
		where = append(where, file)
	}
	e := &problem{fmt.Errorf("%s is in neither %s", what, strings.Join(where, " nor ")), "correct the name, or add the profile with: aws configure --profile " + word(suggest.Short(name))}
	near := suggest.Nearest(name, slices.DeleteFunc(slices.Sorted(maps.Keys(p.found)), func(n string) bool { return slices.Contains(chain, n) }))
	switch {
	case p.bare[name]:
		e.hint = fmt.Sprintf("the config file has a section [%s]: it has to be [profile %s] there", name, name)
	case len(near) > 0:
		e.hint = "did you mean " + strings.Join(near, ", ") + "?"
	}
	return e
}

// profiles are what the AWS files hold, as far as an error has to tell it; what counts is what the SDK reads.
type profiles struct {
	found map[string]*profile
	bare  map[string]bool // sections of the config file without the word profile, which the SDK ignores
}

type profile struct {
	source      string
	id, secret  bool
	credentials bool
}

func readProfiles(env config.EnvConfig) profiles {
	p := profiles{map[string]*profile{}, map[string]bool{}}
	for i, name := range awsFiles(env) {
		text, err := files.Read(name)
		if err != nil {
			continue // as the SDK does
		}
		p.read(string(text), i == 0)
	}
	return p
}

func (p profiles) read(text string, isConfig bool) {
	var at *profile
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if section, ok := sectionOf(line); ok {
			at = p.section(section, isConfig)
			continue
		}
		end := strings.IndexAny(line, "=:")
		if at == nil || end < 0 || line[0] == '#' || line[0] == ';' {
			continue
		}
		value := strings.TrimSpace(line[end+1:])
		if value == "" {
			continue
		}
		switch strings.ToLower(strings.TrimSpace(line[:end])) {
		case "source_profile":
			at.source, at.credentials = strings.Trim(value, `"'`), true
		case "aws_access_key_id":
			at.id, at.credentials = true, true
		case "aws_secret_access_key":
			at.secret, at.credentials = true, true
		case "credential_source", "credential_process", "web_identity_token_file", "sso_session", "sso_account_id", "sso_start_url", "login_session":
			at.credentials = true
		}
	}
}

func sectionOf(line string) (name string, ok bool) {
	line, _, _ = strings.Cut(line, "#")
	line, _, _ = strings.Cut(line, ";")
	line = strings.TrimSpace(line)
	if len(line) < 2 || line[0] != '[' || line[len(line)-1] != ']' {
		return "", false
	}
	return strings.Join(strings.Fields(line[1:len(line)-1]), " "), true
}

func (p profiles) section(name string, isConfig bool) *profile {
	if rest, ok := strings.CutPrefix(name, "profile "); isConfig && ok {
		name = rest
	} else if isConfig && !strings.EqualFold(name, "default") {
		if !strings.Contains(name, " ") { // sso-session x, services x
			p.bare[name] = true
		}
		return nil
	} else if !isConfig && ok {
		return nil
	}
	if p.found[name] == nil {
		p.found[name] = &profile{}
	}
	return p.found[name]
}
