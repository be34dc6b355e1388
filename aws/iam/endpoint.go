package iam

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/redshift"
	"github.com/aws/aws-sdk-go-v2/service/redshift/types"
	"github.com/aws/aws-sdk-go-v2/service/redshiftserverless"

	"github.com/airhook-go/airhook"
	"github.com/airhook-go/airhook/aws/session"
)

// endpoint completes a target that names a cluster or workgroup and no host.
func (l *Logins) endpoint(ctx context.Context, s *session.Session, t *airhook.Target) error {
	if t.Host != "" {
		return nil
	}
	found, err := l.resource(ctx, s, *t)
	if err != nil {
		return err
	}
	if found.host == "" || found.port == 0 || stopped(found.status) {
		return notThere(*t, airhook.StageEndpoint, found.status)
	}
	t.Host, t.EndpointFrom = found.host, "DescribeClusters"
	if t.Method == airhook.MethodRedshiftServerless {
		t.EndpointFrom = "GetWorkgroup"
	}
	switch {
	case t.Port == 0:
		t.Port = found.port
	case t.Port != found.port:
		t.Warnings = append(t.Warnings, fmt.Sprintf("AWS says that the %s listens on port %d; the connection's %d is used", what(*t), found.port, t.Port))
	}
	return nil
}

// what names the resource behind a Redshift target.
func what(t airhook.Target) string {
	if t.Method == airhook.MethodRedshiftServerless {
		return fmt.Sprintf("workgroup %q", t.Workgroup)
	}
	return fmt.Sprintf("cluster %q", t.Cluster)
}

// stopped reports a status in which nothing answers at the endpoint (Amazon Redshift Management Guide, "Cluster status";
// Redshift Serverless API Reference, "Workgroup").
func stopped(status string) bool {
	switch status = strings.ToLower(status); status {
	case "creating", "deleting", "final-snapshot", "hardware-failure", "rebooting", "restoring", "incompatible-hsm", "incompatible-network", "incompatible-parameters", "incompatible-restore":
		return true
	}
	return strings.HasPrefix(status, "paus") || status == "resuming"
}

// notThere says why a cluster or workgroup that exists can't be connected to, and what to do.
func notThere(t airhook.Target, stage airhook.Stage, status string) *airhook.Error {
	e := &airhook.Error{ID: t.ID, Stage: stage, Kind: airhook.ErrUnreachable}
	e.Err = fmt.Errorf("%s is %s: it takes no connections", what(t), strings.ToLower(first(status, "without an endpoint")))
	switch status = strings.ToLower(status); {
	case status == "pausing":
		e.Hint = "wait until it is paused, then resume it: aws redshift resume-cluster --cluster-identifier " + shellWord(t.Cluster)
	case strings.HasPrefix(status, "paus"):
		e.Hint = "resume it: aws redshift resume-cluster --cluster-identifier " + shellWord(t.Cluster)
	case status == "creating", status == "resuming", status == "rebooting", status == "restoring":
		e.Hint = "wait some minutes until it is available, and try again"
	default:
		e.Hint = "look at it in the AWS console: it has to be available"
	}
	return e
}

// resource asks AWS, or its answer of some minutes ago, what it knows of a target's cluster or workgroup.
func (l *Logins) resource(ctx context.Context, s *session.Session, t airhook.Target) (resource, error) {
	ask, id := cluster, t.Cluster
	if t.Method == airhook.MethodRedshiftServerless {
		ask, id = workgroup, t.Workgroup
	}
	doing := "look up " + what(t)
	found, err := l.seen.get(ctx, lookupKey(t.Method, s, t, id), lookupLife, func(ctx context.Context) (resource, error) {
		if _, err := s.Credentials(ctx); err != nil { // it says what is wrong with who signs, where the call would blame the service
			return resource{}, err
		}
		found, err := ask(ctx, s, t)
		if err != nil && ctx.Err() != nil {
			err = session.Failure(ctx, doing, err)
		}
		return found, err
	})
	if err == nil {
		return found, nil
	}
	e := l.failure(ctx, s, t, doing, err) // what is kept is AWS's answer alone: the next who gets it may need something else
	e.Stage = airhook.StageEndpoint
	return resource{}, e
}

// errUnknown is an answer without the cluster or workgroup that was asked for.
var errUnknown = errors.New("AWS knows none of that name")

func cluster(ctx context.Context, s *session.Session, t airhook.Target) (resource, error) {
	out, err := redshiftClient(s, t).DescribeClusters(ctx, &redshift.DescribeClustersInput{ClusterIdentifier: &t.Cluster})
	switch {
	case err != nil:
		return resource{}, err
	case len(out.Clusters) == 0:
		return resource{}, errUnknown
	}
	c := out.Clusters[0]
	found := resource{id: aws.ToString(c.ClusterIdentifier), status: clusterStatus(c)}
	if c.Endpoint != nil {
		found.host, found.port = aws.ToString(c.Endpoint.Address), int(aws.ToInt32(c.Endpoint.Port))
	}
	return found, nil
}

// clusterStatus is the word that says most: a paused cluster's availability is "Paused" while its status may go on.
func clusterStatus(c types.Cluster) string {
	if strings.EqualFold(aws.ToString(c.ClusterAvailabilityStatus), "paused") {
		return "paused"
	}
	return aws.ToString(c.ClusterStatus)
}

func workgroup(ctx context.Context, s *session.Session, t airhook.Target) (resource, error) {
	out, err := serverlessClient(s, t).GetWorkgroup(ctx, &redshiftserverless.GetWorkgroupInput{WorkgroupName: &t.Workgroup})
	switch {
	case err != nil:
		return resource{}, err
	case out.Workgroup == nil:
		return resource{}, errUnknown
	}
	w := out.Workgroup
	found := resource{id: aws.ToString(w.WorkgroupName), arn: aws.ToString(w.WorkgroupArn), status: string(w.Status)}
	if w.Endpoint != nil {
		found.host, found.port = aws.ToString(w.Endpoint.Address), int(aws.ToInt32(w.Endpoint.Port))
	}
	return found, nil
}

// customDomain finds the cluster or workgroup whose custom domain a host is. Where nobody may ask, or nobody knows, the
// guess and its warning stay: the login shows whether it was right.
func (l *Logins) customDomain(ctx context.Context, s *session.Session, t *airhook.Target) {
	if !mayBeDomain(*t) {
		return
	}
	ask := clusterOfDomain
	if t.Method == airhook.MethodRedshiftServerless {
		ask = workgroupOfDomain
	}
	ctx, cancel := context.WithTimeout(ctx, identifyTimeout)
	defer cancel()
	found, err := l.seen.get(ctx, lookupKey("domain "+t.Method, s, *t, t.SignHost), lookupLife, func(ctx context.Context) (resource, error) { return ask(ctx, s, *t) })
	if err != nil || found.id == "" {
		return
	}
	*t = t.Identified(found.id)
	_, t.EndpointFrom, _ = strings.Cut(domainStatement(*t).Action, ":")
}

// mayBeDomain reports whether the host may be a custom domain. One has a dot: localhost is a tunnel.
func mayBeDomain(t airhook.Target) bool { return t.GuessedID() && strings.Contains(t.Host, ".") }

// toldByDomain reports whether AWS told whose custom domain the host is, which it has to tell the next time too.
func toldByDomain(t airhook.Target) bool {
	return strings.HasSuffix(t.EndpointFrom, "CustomDomainAssociations")
}

// domainStatement allows to ask whose custom domain a host is.
func domainStatement(t airhook.Target) statement {
	action := "redshift:DescribeCustomDomainAssociations"
	if t.Method == airhook.MethodRedshiftServerless {
		action = "redshift-serverless:ListCustomDomainAssociations"
	}
	return statement{Action: action, Resource: []string{"*"}}
}

// idKey is the extra's key that names a target's cluster or workgroup, as Airflow's Redshift connection has it.
func idKey(t airhook.Target) string {
	if t.Method == airhook.MethodRedshiftServerless {
		return "workgroup_name"
	}
	return "cluster_identifier"
}

// settles says how a target is told whose custom domain its host is.
func settles(t airhook.Target) string {
	if t.Method == airhook.MethodRedshiftServerless {
		return "set workgroup_name in the extra"
	}
	return "set cluster_identifier in the extra, or is_serverless to true and workgroup_name where it is a workgroup's"
}

// domainHint is what to do about a guess from the host's name that AWS knows no cluster or workgroup by; "" where there was
// none.
func (l *Logins) domainHint(ctx context.Context, s *session.Session, t airhook.Target) string {
	if !mayBeDomain(t) {
		return ""
	}
	if t.Method == airhook.MethodRedshift {
		if found, err := workgroupOfDomain(ctx, s, t); err == nil && found.id != "" {
			return fmt.Sprintf("the host is the custom domain of workgroup %q: set is_serverless to true in the extra", found.id)
		}
	}
	return fmt.Sprintf("the name is only a guess from the host's, which may be a custom domain: %s, or let the identity %s", settles(t), domainStatement(t).Action)
}

func clusterOfDomain(ctx context.Context, s *session.Session, t airhook.Target) (resource, error) {
	out, err := redshiftClient(s, t).DescribeCustomDomainAssociations(ctx, &redshift.DescribeCustomDomainAssociationsInput{CustomDomainName: &t.SignHost})
	if err != nil {
		return resource{}, err
	}
	for _, certificate := range out.Associations {
		for _, a := range certificate.CertificateAssociations {
			if strings.EqualFold(aws.ToString(a.CustomDomainName), t.SignHost) {
				return resource{id: aws.ToString(a.ClusterIdentifier)}, nil
			}
		}
	}
	return resource{}, nil
}

func workgroupOfDomain(ctx context.Context, s *session.Session, t airhook.Target) (resource, error) {
	out, err := serverlessClient(s, t).ListCustomDomainAssociations(ctx, &redshiftserverless.ListCustomDomainAssociationsInput{CustomDomainName: &t.SignHost})
	if err != nil {
		return resource{}, err
	}
	for _, a := range out.Associations {
		if strings.EqualFold(aws.ToString(a.CustomDomainName), t.SignHost) {
			return resource{id: aws.ToString(a.WorkgroupName)}, nil
		}
	}
	return resource{}, nil
}
