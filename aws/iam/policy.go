package iam

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/airhook-go/airhook"
	"github.com/airhook-go/airhook/aws/session"
)

// statement is one of an IAM document that allows an action.
type statement struct {
	Sid      string
	Action   string
	Resource []string
}

// facts are what a policy names and a target doesn't tell; what is empty isn't known.
type facts struct {
	account   string
	workgroup string // its ARN, which holds an id that AWS made
	onlyLook  bool   // a password logs in: AWS is asked for the endpoint, and for nothing else
}

// account is that of the database as far as names tell: a serverless endpoint's, a role's, the caller's.
func account(s *session.Session, t airhook.Target, caller string) string {
	return first(t.EndpointAccount(), accountOf(s.RoleARN), accountOf(caller))
}

// statements are what a login needs, the login itself first, and no more. A part of an ARN that isn't known is *.
//
// They are those of "Creating and using an IAM policy for IAM database access" (Amazon RDS User Guide), "Resource policies
// for GetClusterCredentials" (Amazon Redshift Management Guide) and the Service Authorization Reference of Redshift
// Serverless.
func statements(t airhook.Target, f facts) []statement {
	arn := func(service, format string, args ...any) string {
		return fmt.Sprintf("arn:%s:%s:%s:%s:", partition(t.Region), service, t.Region, first(f.account, "*")) + fmt.Sprintf(format, args...)
	}
	t.User, t.Database, t.Cluster = literal(t.User), literal(t.Database), literal(t.Cluster)
	switch t.Method {
	case airhook.MethodRDS:
		return []statement{{Action: "rds-db:connect", Resource: []string{arn("rds-db", "dbuser:%s/%s", anyResourceID(t.SignHost), t.User)}}}
	case airhook.MethodRedshift:
		look := statement{Action: "redshift:DescribeClusters", Resource: []string{arn("redshift", "cluster:%s", t.Cluster)}}
		return f.with(look, lookedUp(t), clusterLogin(t, arn))
	}
	workgroup := []string{first(f.workgroup, arn("redshift-serverless", "workgroup/*"))}
	look := statement{Action: "redshift-serverless:GetWorkgroup", Resource: workgroup}
	return f.with(look, lookedUp(t), []statement{{Action: "redshift-serverless:GetCredentials", Resource: workgroup}})
}

// with is a login's statements and that of the look-up, where there is one.
func (f facts) with(look statement, lookedUp bool, login []statement) []statement {
	switch {
	case f.onlyLook:
		return []statement{look}
	case lookedUp:
		return append(login, look)
	}
	return login
}

// literal is a name as an ARN in a policy has it, where * and ? stand for anything (IAM User Guide, "IAM policy elements:
// Variables and tags").
func literal(name string) string {
	return strings.NewReplacer("${", "${$}{", "*", "${*}", "?", "${?}").Replace(name)
}

// lookedUp reports whether AWS is asked for the endpoint. Host tells it no more once that is done; what is signed for does.
func lookedUp(t airhook.Target) bool { return t.Method != airhook.MethodRDS && t.SignHost == "" }

func clusterLogin(t airhook.Target, arn func(service, format string, args ...any) string) []statement {
	database := arn("redshift", "dbname:%s/%s", t.Cluster, first(t.Database, "*")) // Redshift's own word for any
	if t.WithIAM() {
		return []statement{{Action: "redshift:GetClusterCredentialsWithIAM", Resource: []string{database}}}
	}
	user := arn("redshift", "dbuser:%s/%s", t.Cluster, t.User)
	login := statement{Action: "redshift:GetClusterCredentials", Resource: []string{user}}
	if t.Database != "" {
		login.Resource = append(login.Resource, database)
	}
	all := []statement{login}
	if t.AutoCreate {
		all = append(all, statement{Action: "redshift:CreateClusterUser", Resource: []string{user}})
	}
	if len(t.DBGroups) > 0 {
		join := statement{Action: "redshift:JoinGroup"}
		for _, group := range t.DBGroups {
			join.Resource = append(join.Resource, arn("redshift", "dbgroup:%s/%s", t.Cluster, literal(group)))
		}
		all = append(all, join)
	}
	return all
}

// policy is the IAM document of some statements.
func policy(statements []statement) json.RawMessage {
	type allow struct {
		Sid      string `json:",omitempty"`
		Effect   string
		Action   string
		Resource []string
	}
	doc := struct {
		Version   string
		Statement []allow
	}{Version: "2012-10-17"}
	for _, s := range statements {
		doc.Statement = append(doc.Statement, allow{s.Sid, "Allow", s.Action, s.Resource})
	}
	return document(doc)
}

// document is JSON as people read it: < and & stay.
func document(doc any) json.RawMessage {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(doc) // strings only: it can't fail
	return bytes.TrimSpace(b.Bytes())
}

// partitions are the parts of AWS by what their regions begin with: how ARNs name them, and the domain of their services
// (AWS's partitions.json).
var partitions = []struct{ prefix, name, domain string }{
	{"cn-", "aws-cn", "amazonaws.com.cn"},
	{"us-gov-", "aws-us-gov", "amazonaws.com"},
	{"us-iso-", "aws-iso", "c2s.ic.gov"},
	{"us-isob-", "aws-iso-b", "sc2s.sgov.gov"},
	{"eu-isoe-", "aws-iso-e", "cloud.adc-e.uk"},
	{"us-isof-", "aws-iso-f", "csp.hci.ic.gov"},
	{"eusc-", "aws-eusc", "amazonaws.eu"},
	{"", "aws", "amazonaws.com"},
}

// partition is the part of AWS that a region belongs to, as ARNs name it.
func partition(region string) string { name, _ := partitionOf(region); return name }

func partitionOf(region string) (name, domain string) {
	for _, p := range partitions {
		if strings.HasPrefix(region, p.prefix) {
			return p.name, p.domain
		}
	}
	return "", "" // the last prefix fits every region
}
