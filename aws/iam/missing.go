package iam

import (
	"context"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/redshift"
	"github.com/aws/aws-sdk-go-v2/service/redshiftserverless"

	"github.com/airhook-go/airhook"
	"github.com/airhook-go/airhook/aws/session"
	"github.com/airhook-go/airhook/internal/suggest"
)

// missing says that there is no such cluster or workgroup, who asked, and which ones the identity may see instead.
func (l *Logins) missing(ctx context.Context, s *session.Session, t airhook.Target) *airhook.Error {
	e := &airhook.Error{ID: t.ID, Stage: airhook.StageCredential, Kind: airhook.ErrClusterNotFound}
	e.Err = fmt.Errorf("%s not found in %s", what(t), t.Region)
	id, list := t.Cluster, clusterNames
	e.Hint = "check cluster_identifier (it is case-sensitive), the region, and that the AWS account is the cluster's"
	if t.Method == airhook.MethodRedshiftServerless {
		id, list = t.Workgroup, workgroupNames
		e.Kind, e.Hint = airhook.ErrWorkgroupNotFound, "check workgroup_name, the region, and that the AWS account is the workgroup's"
	}
	bounded, cancel := context.WithTimeout(ctx, identifyTimeout)
	defer cancel()
	if who, err := l.Identify(bounded, t); err == nil {
		e.Principal = who.ARN
	}
	e.Resource = resourceARN(t, account(s, t, e.Principal))
	if wrong := elsewhere(t); wrong != nil {
		e.Err = fmt.Errorf("%w: %s", e.Err, wrong[0].why)
		e.Hint = wrong[0].do
		return e
	}
	if hint := l.domainHint(bounded, s, t); hint != "" {
		e.Hint = hint
		return e
	}
	joined, err := l.names.get(bounded, lookupKey("names of "+t.Method, s, t, ""), askedLife, func(ctx context.Context) (string, error) {
		names, err := list(ctx, s, t)
		return strings.Join(names, "\n"), err
	})
	names := strings.Fields(joined)
	if near := suggest.Nearest(id, names); len(near) > 0 {
		e.Hint = "did you mean " + strings.Join(near, ", ") + "? Else " + e.Hint
	} else if len(names) > 0 {
		e.Hint = fmt.Sprintf("the account has in %s: %s. Else %s", t.Region, few(names), e.Hint)
	} else if err == nil {
		e.Hint = fmt.Sprintf("the account has none in %s: %s", t.Region, e.Hint)
	}
	return e
}

// resourceARN is the cluster or workgroup that was asked for. A workgroup's ends in an id that only AWS knows.
func resourceARN(t airhook.Target, account string) string {
	if t.Method == airhook.MethodRedshiftServerless {
		return fmt.Sprintf("arn:%s:redshift-serverless:%s:%s:workgroup/*", partition(t.Region), t.Region, first(account, "*"))
	}
	return fmt.Sprintf("arn:%s:redshift:%s:%s:cluster:%s", partition(t.Region), t.Region, first(account, "*"), t.Cluster)
}

// few are the first names of a list.
func few(names []string) string {
	if len(names) > 5 {
		return strings.Join(names[:5], ", ") + ", …"
	}
	return strings.Join(names, ", ")
}

// clusterNames asks once: a hint doesn't leaf through an account's hundreds of clusters.
func clusterNames(ctx context.Context, s *session.Session, t airhook.Target) ([]string, error) {
	client := redshiftClient(s, t, func(o *redshift.Options) { o.Retryer = aws.NopRetryer{} })
	out, err := client.DescribeClusters(ctx, &redshift.DescribeClustersInput{MaxRecords: aws.Int32(100)})
	if err != nil {
		return nil, err
	}
	var names []string
	for _, c := range out.Clusters {
		names = append(names, aws.ToString(c.ClusterIdentifier))
	}
	return names, nil
}

func workgroupNames(ctx context.Context, s *session.Session, t airhook.Target) ([]string, error) {
	client := serverlessClient(s, t, func(o *redshiftserverless.Options) { o.Retryer = aws.NopRetryer{} })
	out, err := client.ListWorkgroups(ctx, &redshiftserverless.ListWorkgroupsInput{MaxResults: aws.Int32(100)})
	if err != nil {
		return nil, err
	}
	var names []string
	for _, w := range out.Workgroups {
		names = append(names, aws.ToString(w.WorkgroupName))
	}
	return names, nil
}
