package iam

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/config"

	"github.com/airhook-go/airhook"
	"github.com/airhook-go/airhook/aws/session"
	"github.com/airhook-go/airhook/internal/files"
)

const (
	assumeRole = "sts:AssumeRole"
	tagSession = "sts:TagSession"
)

// entrusted is the statement of a role's trust policy: who may assume it, and how (IAM User Guide, "AWS JSON policy
// elements: Principal").
type entrusted struct {
	Effect    string
	Principal map[string]string
	Action    any
	Condition map[string]map[string]string `json:",omitempty"`
}

func trustPolicy(action any, kind, principal string, equals map[string]string) json.RawMessage {
	e := entrusted{Effect: "Allow", Principal: map[string]string{kind: principal}, Action: action}
	if len(equals) > 0 {
		e.Condition = map[string]map[string]string{"StringEquals": equals}
	}
	return document(struct {
		Version   string
		Statement []entrusted
	}{"2012-10-17", []entrusted{e}})
}

// roleOf is the role that a login is a session of, by ARN; "" when it is none, or nobody knows. An assumed role's ARN has
// lost the path of the role's own.
func roleOf(s *session.Session, arn string) string {
	kind, path, _ := strings.Cut(last(arn), "/")
	if s.RoleARN != "" || kind != "assumed-role" {
		return s.RoleARN
	}
	name, _, _ := strings.Cut(path, "/")
	parts := strings.SplitN(arn, ":", 6)
	return fmt.Sprintf("arn:%s:iam::%s:role/%s", parts[1], parts[4], name)
}

// trust is the policy of the role that logs in, as far as it shows who assumes it.
func (n *Needs) trust(ctx context.Context, l *Logins, s *session.Session, t airhook.Target, who airhook.Identity) {
	role := roleOf(s, who.ARN)
	if role == "" {
		return
	}
	how := l.assuming(ctx, s, t)
	switch {
	case how.web:
		n.trustToken(how.tokenFile, role)
	case s.RoleARN != "":
		n.trustCaller(ctx, l, s, t, how)
	case how.service != "":
		n.Trust = trustPolicy(how.action, "Service", how.service, nil)
	}
	if n.Trust != nil {
		n.note("the trust policy belongs to role %s", role)
	}
}

// trustCaller trusts whoever signs without the role: by name, or its account where STS can't be asked.
func (n *Needs) trustCaller(ctx context.Context, l *Logins, s *session.Session, t airhook.Target, how assuming) {
	var equals map[string]string
	if how.external != "" {
		equals = map[string]string{"sts:ExternalId": how.external}
	}
	caller := l.callerOf(ctx, s, t)
	if caller == "" {
		caller = fmt.Sprintf("arn:%s:iam::%s:root", partOf(s.RoleARN), accountOf(s.RoleARN))
		n.note("%s stands for whoever assumes the role, which STS did not tell: with root every identity of that account may that is allowed %s; name the user or role to trust it alone", caller, assumeRole)
	}
	var action any = assumeRole
	if how.tags {
		action = []string{assumeRole, tagSession}
	}
	n.Trust = trustPolicy(action, "AWS", caller, equals)
}

// partOf is the partition of an ARN.
func partOf(arn string) string { return strings.SplitN(arn, ":", 3)[1] }

// callerOf is who signs before the role is assumed, a role by its own ARN; "" when it can't be learnt.
func (l *Logins) callerOf(ctx context.Context, s *session.Session, t airhook.Target) string {
	caller := s.Caller()
	if caller == nil {
		return ""
	}
	before := *s
	before.Config.Credentials, before.RoleARN = caller, ""
	creds, err := before.Credentials(ctx)
	if err != nil {
		return ""
	}
	arn, err := l.arn(ctx, &before, t, creds)
	if err != nil {
		return ""
	}
	return first(roleOf(&before, arn), arn)
}

// assuming is how a role comes to be assumed.
type assuming struct {
	web       bool   // by a token of an identity provider
	tokenFile string // where that is
	external  string // ExternalId
	tags      bool   // of the session, which have an action of their own
	service   string // which hands the role out to what runs there
	action    any
}

// assuming reads where the keys come from, and what the aws connection says.
func (l *Logins) assuming(ctx context.Context, s *session.Session, t airhook.Target) assuming {
	if t.RoleARN != "" && t.RoleARN == s.RoleARN { // it is assumed on top of everything else
		return assuming{}
	}
	env, _ := config.NewEnvConfig()
	how := assuming{tokenFile: env.WebIdentityTokenFilePath}
	if s.RoleARN != "" {
		how.connection(ctx, l, t.AWSConnID)
	}
	creds, _ := s.Credentials(ctx)
	if strings.HasPrefix(creds.Source, "WebIdentity") {
		how.web = true
	}
	how.service, how.action = handsOut(creds.Source, env.ContainerCredentialsRelativePath != "")
	return how
}

// handsOut is the service that assumes a role for what runs in it, by where the SDK found the keys. ECS gives its tasks a
// relative path, EKS its pods a whole URL (SDKs and Tools Reference Guide, "Container credential provider").
func handsOut(source string, relative bool) (service string, action any) {
	switch {
	case strings.HasPrefix(source, "CredentialsEndpoint") && relative:
		return "ecs-tasks.amazonaws.com", assumeRole
	case strings.HasPrefix(source, "CredentialsEndpoint"):
		return "pods.eks.amazonaws.com", []string{assumeRole, tagSession}
	case strings.HasPrefix(source, "EC2Role"):
		return "ec2.amazonaws.com", assumeRole
	}
	return "", nil
}

// connection reads what an Airflow aws connection says of the role that it names.
func (how *assuming) connection(ctx context.Context, l *Logins, id string) {
	if id == "" {
		return
	}
	conn, err := l.sessions.Registry.Get(ctx, id)
	if err != nil {
		return
	}
	how.web = conn.Extra.Text("assume_role_method").Reveal() == "assume_role_with_web_identity"
	how.tokenFile = first(conn.Extra.Text("assume_role_with_web_identity_token_file").Reveal(), how.tokenFile)
	for key, value := range conn.Extra.All() {
		if key != "assume_role_kwargs" {
			continue
		}
		var inner string
		if json.Unmarshal([]byte(value), &inner) != nil { // a URI's extra has the object as text
			inner = value
		}
		var kwargs struct {
			External string `json:"ExternalId"`
			Tags     any
		}
		_ = json.Unmarshal([]byte(inner), &kwargs)
		how.external, how.tags = kwargs.External, kwargs.Tags != nil
	}
}

// trustToken trusts the identity provider whose token is in a file, for the very subject and audience of that token.
func (n *Needs) trustToken(file, role string) {
	claims := readClaims(file)
	issuer := strings.TrimPrefix(claims.Issuer, "https://")
	if issuer == "" {
		issuer, claims.Subject = "oidc.eks.REGION.amazonaws.com/id/PROVIDER-ID", "system:serviceaccount:NAMESPACE:NAME"
		n.note("the words in capitals of the trust policy stand for the identity provider and the service account: kubectl get serviceaccount, and aws eks describe-cluster --query cluster.identity.oidc.issuer")
	}
	provider := fmt.Sprintf("arn:%s:iam::%s:oidc-provider/%s", partOf(role), accountOf(role), issuer)
	n.Trust = trustPolicy("sts:AssumeRoleWithWebIdentity", "Federated", provider, map[string]string{issuer + ":sub": claims.Subject, issuer + ":aud": first(string(claims.Audience), "sts.amazonaws.com")})
}

// claims are what a web identity token says (RFC 7519). It isn't verified: STS does that.
type claims struct {
	Issuer   string   `json:"iss"`
	Subject  string   `json:"sub"`
	Audience audience `json:"aud"`
}

// audience is a word, or the first of a list.
type audience string

// UnmarshalJSON takes both forms.
func (a *audience) UnmarshalJSON(text []byte) error {
	var many []string
	if json.Unmarshal(text, &many) == nil && len(many) > 0 {
		*a = audience(many[0])
		return nil
	}
	return json.Unmarshal(text, (*string)(a))
}

// readClaims returns what the token in a file says; nothing when there is none.
func readClaims(file string) (c claims) {
	text, err := files.Read(file)
	if err != nil {
		return claims{}
	}
	if parts := strings.Split(strings.TrimSpace(string(text)), "."); len(parts) == 3 {
		payload, _ := base64.RawURLEncoding.DecodeString(parts[1])
		_ = json.Unmarshal(payload, &c)
	}
	return c
}
