package cloud

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/airhook-go/airhook/devstack/policy"
)

// askedRole is what somebody asks for who wants to assume a role.
type askedRole struct {
	arn, session string
	lifetime     time.Duration
	limit        *policy.Document
	tags         map[string]string
	transitive   []string // names of tags that stay when the session assumes another role
	externalID   string
	source       string // SourceIdentity

	inherited map[string]string // tags of the session that asks
}

// What may be asked for in either way; the account knows no MFA and no managed policies. AWS takes no notice of a
// parameter that an operation does not have; here it is told.
//
// https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
// https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html
var (
	forWorkloads = []string{"Action", "Version", "RoleArn", "RoleSessionName", "DurationSeconds", "Policy", "PolicyArns", "WebIdentityToken"}
	forUsers     = []string{"Action", "Version", "RoleArn", "RoleSessionName", "DurationSeconds", "Policy", "PolicyArns", "ExternalId", "SourceIdentity", "Tags", "TransitiveTagKeys"}
)

var (
	roleSessionName = regexp.MustCompile(`^[\w+=,.@-]+$`)
	externalID      = regexp.MustCompile(`^[\w+=,.@:/-]+$`)
)

func readRole(c call, known []string) (asked askedRole, err error) {
	asked = askedRole{
		arn: c.form.Get("RoleArn"), session: c.form.Get("RoleSessionName"), externalID: c.form.Get("ExternalId"), source: c.form.Get("SourceIdentity"),
		tags: map[string]string{}, transitive: c.list("TransitiveTagKeys", "member"), inherited: map[string]string{},
	}
	if err := c.knows(known); err != nil {
		return asked, err
	}
	switch {
	case asked.arn == "":
		return asked, nullMember("roleArn")
	case asked.session == "":
		return asked, nullMember("roleSessionName")
	case !strings.HasPrefix(asked.arn, "arn:") || strings.Count(asked.arn, ":") < 5:
		return asked, validationError("%s is invalid", short(asked.arn))
	case len(asked.session) < 2 || !fits(roleSessionName, asked.session):
		return asked, mismatch("roleSessionName", asked.session, `[\w+=,.@-]*`, 2, 64)
	case c.form.Has("SourceIdentity") && (len(asked.source) < 2 || !fits(roleSessionName, asked.source)):
		return asked, mismatch("sourceIdentity", asked.source, `[\w+=,.@-]*`, 2, 64)
	case c.form.Has("ExternalId") && (len(asked.externalID) < 2 || len(asked.externalID) > 1224 || !externalID.MatchString(asked.externalID)):
		return asked, mismatch("externalId", asked.externalID, `[\w+=,.@:\/-]*`, 2, 1224)
	case c.form.Has("PolicyArns.member.1.arn"):
		return asked, validationError("The dev stack knows no managed policies: give the session's policy in Policy.")
	}
	if asked.lifetime, err = stsLifetime(c, time.Hour, 12*time.Hour); err != nil {
		return asked, err
	}
	if text := c.form.Get("Policy"); text != "" {
		limit, err := policy.Parse([]byte(text))
		if err != nil {
			return asked, &fault{status: 400, code: "MalformedPolicyDocument", message: err.Error()}
		}
		asked.limit = &limit
	}
	return asked, asked.readTags(c)
}

// knows refuses a parameter that is none of these names.
func (c call) knows(names []string) error {
	for _, parameter := range slices.Sorted(maps.Keys(c.form)) {
		if name, _, _ := strings.Cut(parameter, "."); !slices.Contains(names, name) && !strings.HasPrefix(name, "X-Amz-") {
			return validationError("The dev stack's %s does not know the parameter %s: leave it out.", c.action, short(name))
		}
	}
	return nil
}

func (asked askedRole) readTags(c call) error {
	for i := 1; c.form.Has("Tags.member." + itoa(i) + ".Key"); i++ {
		asked.tags[c.form.Get("Tags.member."+itoa(i)+".Key")] = c.form.Get("Tags.member." + itoa(i) + ".Value")
	}
	for _, name := range asked.transitive {
		if _, found := asked.tags[name]; !found {
			return validationError("The transitive tag key %s is not among the session's tags.", short(name))
		}
	}
	return nil
}

// inherit takes on what the asking session hands down to the next: transitive tags and a source identity, which stay as
// they are.
//
// https://docs.aws.amazon.com/IAM/latest/UserGuide/id_session-tags.html#id_session-tags_role-chaining
// https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_temp_control-access_monitor.html
func (asked *askedRole) inherit(who holder) error {
	for name := range asked.tags {
		for mine := range who.transitive {
			if strings.EqualFold(name, mine) {
				return validationError("The tag %s is a transitive one of the session that asks: it cannot be set anew.", short(name))
			}
		}
	}
	if who.source != "" && asked.source != "" && asked.source != who.source {
		return &fault{status: 403, code: "AccessDenied", message: "The source identity of a session cannot be changed.", why: "it is " + who.source}
	}
	if asked.source == "" {
		asked.source = who.source
	}
	maps.Copy(asked.inherited, who.transitive)
	return nil
}

// actions are what the caller needs leave for: tags and a source identity are each a permission of its own.
func (asked askedRole) actions() []string {
	all := []string{"sts:AssumeRole"}
	if len(asked.tags) > 0 {
		all = append(all, "sts:TagSession")
	}
	if asked.source != "" {
		all = append(all, "sts:SetSourceIdentity")
	}
	return all
}

// keys are what a trust policy's conditions may ask for.
func (asked askedRole) keys() policy.Keys {
	keys := policy.Keys{"sts:rolesessionname": {asked.session}}
	if asked.externalID != "" {
		keys["sts:externalid"] = []string{asked.externalID}
	}
	if asked.source != "" {
		keys["sts:sourceidentity"] = []string{asked.source}
	}
	for name, value := range asked.tags {
		keys["aws:requesttag/"+strings.ToLower(name)] = []string{value}
		keys["aws:tagkeys"] = append(keys["aws:tagkeys"], name)
	}
	if len(asked.transitive) > 0 {
		keys["sts:transitivetagkeys"] = asked.transitive
	}
	return keys
}
