package iam

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/airhook-go/airhook"
)

// Needed is what an AWS identity must be allowed for a login.
type Needed struct {
	// Resource is the ARN that the login asks for; a part that isn't known is *.
	Resource string
	// Policy is the IAM document that allows it, and no more.
	Policy json.RawMessage
}

// Grant returns what a target's login needs; account is that of the database, "" when it isn't known. A password needs
// nothing.
//
// The documents are those of "Creating and using an IAM policy for IAM database access" (Amazon RDS User Guide) and of
// "Resource policies for GetClusterCredentials" and "GetCredentials" (Amazon Redshift Management Guide).
func Grant(t airhook.Target, account string) Needed {
	account = first(account, t.EndpointAccount(), "*")
	arn := func(service, format string, args ...any) string {
		return fmt.Sprintf("arn:%s:%s:%s:%s:", partition(t.Region), service, t.Region, account) + fmt.Sprintf(format, args...)
	}
	switch t.Method {
	case airhook.MethodRDS:
		// The ARN holds the instance's resource id (db-…, cluster-…), which its name does not tell.
		resource := arn("rds-db", "dbuser:*/%s", t.User)
		return Needed{resource, policy(statement{"rds-db:connect", []string{resource}})}
	case airhook.MethodRedshift:
		return redshiftGrant(t, arn)
	case airhook.MethodRedshiftServerless:
		resource := arn("redshift-serverless", "workgroup/*")
		return Needed{resource, policy(statement{"redshift-serverless:GetCredentials", []string{resource}})}
	}
	return Needed{}
}

func redshiftGrant(t airhook.Target, arn func(service, format string, args ...any) string) Needed {
	user := arn("redshift", "dbuser:%s/%s", t.Cluster, t.User)
	login := statement{"redshift:GetClusterCredentials", []string{user}}
	if t.Database != "" {
		login.Resource = append(login.Resource, arn("redshift", "dbname:%s/%s", t.Cluster, t.Database))
	}
	statements := []statement{login}
	if t.AutoCreate {
		statements = append(statements, statement{"redshift:CreateClusterUser", []string{user}})
	}
	if len(t.DBGroups) > 0 {
		join := statement{Action: "redshift:JoinGroup"}
		for _, group := range t.DBGroups {
			join.Resource = append(join.Resource, arn("redshift", "dbgroup:%s/%s", t.Cluster, group))
		}
		statements = append(statements, join)
	}
	return Needed{user, policy(statements...)}
}

type statement struct {
	Action   string
	Resource []string
}

func policy(statements ...statement) json.RawMessage {
	type allow struct {
		Effect   string   `json:"Effect"`
		Action   string   `json:"Action"`
		Resource []string `json:"Resource"`
	}
	doc := struct {
		Version   string  `json:"Version"`
		Statement []allow `json:"Statement"`
	}{Version: "2012-10-17"}
	for _, s := range statements {
		doc.Statement = append(doc.Statement, allow{"Allow", s.Action, s.Resource})
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(doc) // strings only: it can't fail
	return bytes.TrimSpace(b.Bytes())
}

// partition is the part of AWS that a region belongs to, as ARNs name it.
func partition(region string) string {
	for prefix, partition := range map[string]string{
		"cn-": "aws-cn", "us-gov-": "aws-us-gov", "us-iso-": "aws-iso", "us-isob-": "aws-iso-b", "eu-isoe-": "aws-iso-e", "us-isof-": "aws-iso-f", "eusc-": "aws-eusc",
	} {
		if strings.HasPrefix(region, prefix) {
			return partition
		}
	}
	return "aws"
}
