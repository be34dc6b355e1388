package iam

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/airhook-go/airhook"
	"github.com/airhook-go/airhook/aws/session"
)

// secondLabel is where the name of an RDS endpoint tells what it is the endpoint of: cluster-, cluster-ro-,
// cluster-custom-, proxy-, global-, or an instance.
func secondLabel(host string) (id, kind string) {
	labels := strings.SplitN(host, ".", 4)
	if len(labels) < 4 {
		return labels[0], ""
	}
	if labels[1] == "endpoint" { // one more of a proxy: name.endpoint.proxy-abc
		return labels[0], labels[2]
	}
	return labels[0], labels[1]
}

// anyResourceID stands in an ARN for the resource id of a database, which only AWS knows. An instance's endpoint may be
// that of a cluster's member, and then the cluster's id counts.
func anyResourceID(host string) string {
	switch _, kind := secondLabel(host); {
	case strings.HasPrefix(kind, "cluster-"), strings.HasPrefix(kind, "global-"):
		return "cluster-*"
	case strings.HasPrefix(kind, "proxy-"):
		return "prx-*"
	}
	return "*"
}

// database asks AWS, or its answer of some minutes ago, what it knows of the RDS database that a token is signed for. Its
// id is the one that policies name.
func (l *Logins) database(ctx context.Context, s *session.Session, t airhook.Target) (resource, error) {
	return l.seen.get(ctx, lookupKey(t.Method, s, t, t.SignHost), lookupLife, func(ctx context.Context) (resource, error) {
		id, kind := secondLabel(t.SignHost)
		switch {
		case strings.HasPrefix(kind, "cluster-custom-"):
			return describeCluster(ctx, s, t, "")
		case strings.HasPrefix(kind, "cluster-"):
			return describeCluster(ctx, s, t, id)
		case strings.HasPrefix(kind, "proxy-"):
			return describeProxy(ctx, s, t, id)
		case kind == "", strings.HasPrefix(kind, "global-"), strings.HasPrefix(kind, "shardgrp-"):
			return resource{}, errors.New("the name of the endpoint doesn't tell the database")
		}
		return describeInstance(ctx, s, t, id)
	})
}

// dbCluster is what DescribeDBClusters says of a cluster (Amazon RDS API Reference), as far as a login is concerned.
type dbCluster struct {
	ARN      string   `xml:"DBClusterArn"`
	ID       string   `xml:"DbClusterResourceId"`
	Status   string   `xml:"Status"`
	Endpoint string   `xml:"Endpoint"`
	Reader   string   `xml:"ReaderEndpoint"`
	Custom   []string `xml:"CustomEndpoints>member"`
	Port     int      `xml:"Port"`
	IAM      bool     `xml:"IAMDatabaseAuthenticationEnabled"`
}

func (c dbCluster) answersAt(host string) bool {
	for _, name := range append([]string{c.Endpoint, c.Reader}, c.Custom...) {
		if strings.EqualFold(name, host) {
			return true
		}
	}
	return false
}

// describeCluster finds the cluster of an id; without one, that which answers at the target's host.
func describeCluster(ctx context.Context, s *session.Session, t airhook.Target, id string) (resource, error) {
	var answer struct {
		Clusters []dbCluster `xml:"DescribeDBClustersResult>DBClusters>DBCluster"`
	}
	if err := query(ctx, s, t.Region, "DescribeDBClusters", "DBClusterIdentifier", id, &answer); err != nil {
		return resource{}, err
	}
	for _, c := range answer.Clusters {
		if id != "" || c.answersAt(t.SignHost) {
			return resource{id: c.ID, arn: c.ARN, status: c.Status, host: c.Endpoint, port: c.Port, iamOff: !c.IAM}, nil
		}
	}
	return resource{}, errors.New("no database cluster has that endpoint")
}

func describeInstance(ctx context.Context, s *session.Session, t airhook.Target, id string) (resource, error) {
	var answer struct {
		Instances []struct {
			ARN     string `xml:"DBInstanceArn"`
			ID      string `xml:"DbiResourceId"`
			Status  string `xml:"DBInstanceStatus"`
			Host    string `xml:"Endpoint>Address"`
			Port    int    `xml:"Endpoint>Port"`
			IAM     bool   `xml:"IAMDatabaseAuthenticationEnabled"`
			Cluster string `xml:"DBClusterIdentifier"`
		} `xml:"DescribeDBInstancesResult>DBInstances>DBInstance"`
	}
	if err := query(ctx, s, t.Region, "DescribeDBInstances", "DBInstanceIdentifier", id, &answer); err != nil {
		return resource{}, err
	}
	if len(answer.Instances) == 0 {
		return resource{}, errors.New("no database instance has that endpoint")
	}
	i := answer.Instances[0]
	if i.Cluster != "" {
		return describeCluster(ctx, s, t, i.Cluster)
	}
	return resource{id: i.ID, arn: i.ARN, status: i.Status, host: i.Host, port: i.Port, iamOff: !i.IAM}, nil
}

// describeProxy: a proxy's id is the end of its ARN.
func describeProxy(ctx context.Context, s *session.Session, t airhook.Target, id string) (resource, error) {
	if strings.HasPrefix(t.SignHost, id+".endpoint.") {
		var answer struct {
			Proxy string `xml:"DescribeDBProxyEndpointsResult>DBProxyEndpoints>member>DBProxyName"`
		}
		if err := query(ctx, s, t.Region, "DescribeDBProxyEndpoints", "DBProxyEndpointName", id, &answer); err != nil {
			return resource{}, err
		}
		id = answer.Proxy
	}
	var answer struct {
		ARN    string `xml:"DescribeDBProxiesResult>DBProxies>member>DBProxyArn"`
		Status string `xml:"DescribeDBProxiesResult>DBProxies>member>Status"`
	}
	if err := query(ctx, s, t.Region, "DescribeDBProxies", "DBProxyName", id, &answer); err != nil {
		return resource{}, err
	}
	return resource{id: answer.ARN[strings.LastIndexByte(answer.ARN, ':')+1:], arn: answer.ARN, status: answer.Status}, nil
}

const (
	rdsVersion    = "2014-10-31"
	longestAnswer = 4 << 20
)

// query makes one call of the RDS API, which has the Query protocol. The SDK's client for it would make the binary 1.5 MB
// larger.
func query(ctx context.Context, s *session.Session, region, action, name, value string, answer any) error {
	creds, err := s.Credentials(ctx)
	if err != nil {
		return err
	}
	region = s.ServiceRegion(serviceRDS, region)
	form := url.Values{"Action": {action}, "Version": {rdsVersion}}
	if value != "" {
		form.Set(name, value)
	}
	body := form.Encode()
	at, err := rdsEndpoint(ctx, s, region)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, at, strings.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
	hash := sha256.Sum256([]byte(body))
	if err := v4.NewSigner().SignHTTP(ctx, creds, request, hex.EncodeToString(hash[:]), serviceRDS, region, time.Now()); err != nil {
		return err
	}
	response, err := s.Config.HTTPClient.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(response.Body, longestAnswer))
	switch {
	case err != nil:
		return err
	case response.StatusCode != http.StatusOK:
		var refusal struct {
			Code string `xml:"Error>Code"`
		}
		_ = xml.Unmarshal(text, &refusal)
		return fmt.Errorf("%s: %s (%s)", action, response.Status, refusal.Code)
	}
	return xml.Unmarshal(text, answer)
}

// rdsEndpoint is where the SDK's own client would ask; an error where that is an endpoint that only the SDK can name.
func rdsEndpoint(ctx context.Context, s *session.Session, region string) (string, error) {
	_, domain := partitionOf(region)
	otherwise := s.Config.BaseEndpoint
	for _, source := range s.Config.ConfigSources {
		if of, ok := source.(interface {
			GetServiceBaseEndpoint(ctx context.Context, sdkID string) (string, bool, error)
		}); ok {
			if url, found, err := of.GetServiceBaseEndpoint(ctx, "RDS"); found && err == nil {
				otherwise = &url
				break
			}
		}
	}
	at := s.Endpoint(serviceRDS, otherwise)
	switch {
	case at != nil:
		return strings.TrimSuffix(*at, "/") + "/", nil
	case variant(ctx, s.Config.ConfigSources):
		return "", errors.New("airhook does not ask RDS at FIPS or dual-stack endpoints")
	}
	return "https://rds." + region + "." + domain + "/", nil
}

// variant reports whether FIPS or dual-stack endpoints are asked for; the first source that says anything counts.
func variant(ctx context.Context, sources []any) bool {
	var fips aws.FIPSEndpointState
	var dual aws.DualStackEndpointState
	for _, source := range sources {
		if of, ok := source.(interface {
			GetUseFIPSEndpoint(ctx context.Context) (aws.FIPSEndpointState, bool, error)
		}); ok && fips == aws.FIPSEndpointStateUnset {
			fips, _, _ = of.GetUseFIPSEndpoint(ctx)
		}
		if of, ok := source.(interface {
			GetUseDualStackEndpoint(ctx context.Context) (aws.DualStackEndpointState, bool, error)
		}); ok && dual == aws.DualStackEndpointStateUnset {
			dual, _, _ = of.GetUseDualStackEndpoint(ctx)
		}
	}
	return fips == aws.FIPSEndpointStateEnabled || dual == aws.DualStackEndpointStateEnabled
}
