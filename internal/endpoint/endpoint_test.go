package endpoint_test

import (
	"strings"
	"testing"

	"github.com/airhook-go/airhook/internal/endpoint"
)

// The shapes are those of the RDS, Aurora and Redshift documentation, and of the AWS drivers' and Teleport's parsers.
var shapes = map[string]endpoint.Name{
	"mydb.abc123.eu-west-1.rds.amazonaws.com":                                                     {Service: "rds", Region: "eu-west-1", ID: "mydb"},
	"mydb-green-1a2b3c.abc123.eu-west-1.rds.amazonaws.com":                                        {Service: "rds", Region: "eu-west-1", ID: "mydb-green-1a2b3c"},
	"mydb-old1.abc123.eu-west-1.rds.amazonaws.com":                                                {Service: "rds", Region: "eu-west-1", ID: "mydb-old1"},
	"mydb.cluster-abc.us-east-1.rds.amazonaws.com":                                                {Service: "rds", Region: "us-east-1", ID: "mydb"},
	"MyDB.Cluster-ABC.us-east-1.RDS.amazonaws.com.":                                               {Service: "rds", Region: "us-east-1", ID: "mydb"},
	"mydb.cluster-ro-abc.us-east-1.rds.amazonaws.com":                                             {Service: "rds", Region: "us-east-1", ID: "mydb"},
	"readers.cluster-custom-abc.us-east-1.rds.amazonaws.com":                                      {Service: "rds", Region: "us-east-1", ID: "readers"},
	"p.proxy-abc.us-west-2.rds.amazonaws.com":                                                     {Service: "rds", Region: "us-west-2", ID: "p"},
	"ro.endpoint.proxy-abc.us-west-2.rds.amazonaws.com":                                           {Service: "rds", Region: "us-west-2", ID: "ro"},
	"s.shardgrp-abc.us-west-2.rds.amazonaws.com":                                                  {Service: "rds", Region: "us-west-2", ID: "s"},
	"g.global-abc.global.rds.amazonaws.com":                                                       {Service: "rds", ID: "g"},
	"mydb.abc.rds.cn-north-1.amazonaws.com.cn":                                                    {Service: "rds", Region: "cn-north-1", ID: "mydb"},
	"mydb.abc.cn-north-1.rds.amazonaws.com.cn":                                                    {Service: "rds", Region: "cn-north-1", ID: "mydb"},
	"mydb.cluster-ro-abc.rds.cn-northwest-1.amazonaws.com.cn":                                     {Service: "rds", Region: "cn-northwest-1", ID: "mydb"},
	"mydb.abc.us-gov-west-1.rds.amazonaws.com":                                                    {Service: "rds", Region: "us-gov-west-1", ID: "mydb"},
	"mydb.abc.rds.us-gov-east-1.amazonaws.com":                                                    {Service: "rds", Region: "us-gov-east-1", ID: "mydb"},
	"mydb.abc.us-iso-east-1.rds.c2s.ic.gov":                                                       {Service: "rds", Region: "us-iso-east-1", ID: "mydb"},
	"mydb.abc.rds.us-isob-east-1.sc2s.sgov.gov":                                                   {Service: "rds", Region: "us-isob-east-1", ID: "mydb"},
	"mydb.abc.eusc-de-east-1.rds.amazonaws.eu":                                                    {Service: "rds", Region: "eusc-de-east-1", ID: "mydb"},
	"mydb.abc.us-east-1.rds-fips.amazonaws.com":                                                   {Service: "rds", Region: "us-east-1", ID: "mydb"},
	"c1.abc.us-east-1.redshift.amazonaws.com":                                                     {Service: "redshift", Region: "us-east-1", ID: "c1"},
	"c1.abc.us-gov-west-1.redshift.amazonaws.com":                                                 {Service: "redshift", Region: "us-gov-west-1", ID: "c1"},
	"c1.abc.redshift.cn-north-1.amazonaws.com.cn":                                                 {Service: "redshift", Region: "cn-north-1", ID: "c1"},
	"c1.abc.cn-northwest-1.redshift.amazonaws.com.cn":                                             {Service: "redshift", Region: "cn-northwest-1", ID: "c1"},
	"mine-endpoint-yr4obk2a1zkxbmfkt8zl.abc.us-east-1.redshift.amazonaws.com":                     {Service: "redshift", Region: "us-east-1"},
	"wg.123456789012.us-east-1.redshift-serverless.amazonaws.com":                                 {Service: "redshift-serverless", Region: "us-east-1", ID: "wg", Account: "123456789012"},
	"wg.123456789012.cn-north-1.redshift-serverless.amazonaws.com.cn":                             {Service: "redshift-serverless", Region: "cn-north-1", ID: "wg", Account: "123456789012"},
	"mine-endpoint-yr4obk2a1zkxbmfkt8zl.123456789012.eu-west-1.redshift-serverless.amazonaws.com": {Service: "redshift-serverless", Region: "eu-west-1", Account: "123456789012"},

	"":                                  {},
	"localhost":                         {},
	"127.0.0.1":                         {},
	"db.example.com":                    {},
	"warehouse.corp.example.com":        {}, // a custom domain tells nothing
	"rds.amazonaws.com":                 {},
	"us-east-1.rds.amazonaws.com":       {},
	"mydb.us-east-1.rds.amazonaws.com":  {},
	"a.b.notaregion.rds.amazonaws.com":  {},
	"a.b.us-east-1.docdb.amazonaws.com": {},
	"mydb.abc.us-east-1.rds.amazonaws.com.evil.example.com": {},
	"mydb.abc.us-east-1.rds.xamazonaws.com":                 {},
}

func TestParse(t *testing.T) {
	for host, want := range shapes {
		if got := endpoint.Parse(host); got != want {
			t.Errorf("%s: got %+v, want %+v", host, got, want)
		}
	}
}

func TestAnIDIsOfItsServiceOnly(t *testing.T) {
	n := endpoint.Parse("c1.abc.us-east-1.redshift.amazonaws.com")
	if n.Of("redshift") != "c1" || n.Of("redshift-serverless") != "" {
		t.Errorf("got %q, %q", n.Of("redshift"), n.Of("redshift-serverless"))
	}
}

func TestHostsThatCanBeDialled(t *testing.T) {
	for host, problem := range map[string]string{
		"db.example.com": "", "localhost": "", "127.0.0.1": "", "::1": "", "fe80::1%eth0": "", "/var/run/postgresql": "", "a_b-c.corp.": "", "": "",
		"https://h": "scheme (https://)", "h1,h2": "several hosts", "u:p@h": "credentials", "h:5432": "port", "h/db": "character", "h h": "character",
		"<your-host>": "character", "h\x00": "character", "[h]": "character",
	} {
		if got := endpoint.Problem(host); (got == "") != (problem == "") || !strings.Contains(got, problem) {
			t.Errorf("%q: got %q, want %q", host, got, problem)
		}
	}
}

func FuzzEndpoint(f *testing.F) {
	for host := range shapes {
		f.Add(host)
	}
	f.Fuzz(func(t *testing.T, host string) {
		n := endpoint.Parse(host)
		if again := endpoint.Parse(endpoint.CanonicalHost(host)); !strings.HasSuffix(host, "..") && again != n {
			t.Fatalf("%q: %+v, in canonical form %+v", host, n, again)
		}
		switch {
		case n.Service == "" && n != endpoint.Name{}:
			t.Fatalf("%q: %+v of no service", host, n)
		case n.Region != "" && !endpoint.IsRegion(n.Region):
			t.Fatalf("%q: region %q", host, n.Region)
		case !strings.HasPrefix(strings.ToLower(host), n.ID):
			t.Fatalf("%q: id %q", host, n.ID)
		}
	})
}
