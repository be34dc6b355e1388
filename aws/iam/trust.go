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
	assumeRole        = "sts:AssumeRole"
	tagSession        = "sts:TagSession"
	setSourceIdentity = "sts:SetSourceIdentity"
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
// lost the path of the role's own, which a note says.
func (n *Needs) roleOf(s *session.Session, arn string) string {
	kind, path, _ := strings.Cut(last(arn), "/")
	if s.RoleARN != "" || kind != "assumed-role" {
		return s.RoleARN
	}
	name, _, _ := strings.Cut(path, "/")
	parts := strings.SplitN(arn, ":", 6)
	n.note("if role %s has a path, as those of IAM Identity Center have, put it in: aws iam get-role --role-name %s --query Role.Arn", name, shellWord(name))
	return fmt.Sprintf("arn:%s:iam::%s:role/%s", parts[1], parts[4], name)
}

// trust is the policy of the role that logs in, as far as it shows who assumes it.
func (n *Needs) trust(ctx context.Context, l *Logins, s *session.Session, t airhook.Target, who airhook.Identity) {
	role := n.roleOf(s, who.ARN)
	if role == "" {
		return
	}
	how, assumed := s.Assumed()
	switch {
	case how.TokenFile != "":
		n.trustToken(how.TokenFile, role)
	case assumed:
		n.trustCaller(ctx, l, t, how)
	default:
		n.trustService(ctx, s)
	}
	if n.Trust != nil {
		n.note("the trust policy belongs to role %s", role)
	}
}

// actions are what assuming a role needs: session tags and a source identity are permissions of their own (STS API
// Reference, "AssumeRole").
func actions(how session.Assumption) []string {
	all := []string{assumeRole}
	if how.Tags {
		all = append(all, tagSession)
	}
	if how.SourceIdentity != "" {
		all = append(all, setSourceIdentity)
	}
	return all
}

// trustCaller trusts whoever signs without the role: by name, or the role's account where STS can't be asked.
func (n *Needs) trustCaller(ctx context.Context, l *Logins, t airhook.Target, how session.Assumption) {
	var equals map[string]string
	if how.ExternalID != "" {
		equals = map[string]string{"sts:ExternalId": how.ExternalID}
	}
	caller := n.callerOf(ctx, l, how.Caller, t)
	if caller == "" {
		caller = fmt.Sprintf("arn:%s:iam::%s:root", partOf(how.RoleARN), accountOf(how.RoleARN))
		n.note("%s stands for whoever assumes the role, which STS did not tell: with root every identity of that account may that is allowed %s; name the user or role to trust it alone, or to trust one of another account", caller, assumeRole)
	}
	var action any = assumeRole
	if all := actions(how); len(all) > 1 {
		action = all
	}
	n.Trust = trustPolicy(action, "AWS", caller, equals)
}

// partOf is the partition of an ARN.
func partOf(arn string) string { return strings.SplitN(arn, ":", 3)[1] }

// callerOf is who signs before the role is assumed, a role by its own ARN; "" when it can't be learnt.
func (n *Needs) callerOf(ctx context.Context, l *Logins, caller *session.Session, t airhook.Target) string {
	switch {
	case caller == nil:
		return ""
	case caller.RoleARN != "":
		return caller.RoleARN
	}
	creds, err := caller.Credentials(ctx)
	if err != nil {
		return ""
	}
	arn, err := l.arn(ctx, caller, t, creds)
	if err != nil {
		return ""
	}
	return first(n.roleOf(caller, arn), arn)
}

// trustService trusts the service that assumes a role for what runs in it, by where the SDK found the keys.
func (n *Needs) trustService(ctx context.Context, s *session.Session) {
	env, _ := config.NewEnvConfig()
	creds, _ := s.Credentials(ctx)
	if service, action := handsOut(creds.Source, env.ContainerCredentialsRelativePath != ""); service != "" {
		n.Trust = trustPolicy(action, "Service", service, nil)
	}
}

// handsOut is the service behind a source of keys. ECS gives its tasks a relative path, EKS its pods a whole URL (SDKs and
// Tools Reference Guide, "Container credential provider").
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
