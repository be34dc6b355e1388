package roots

import (
	"crypto/x509"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestEveryRegionHasItsThreeRoots(t *testing.T) {
	all := certificates(rdsPEM)
	if len(all) != 81 || len(Regions()) != 27 {
		t.Fatalf("%d RDS roots of %d regions, want 81 of 27", len(all), len(Regions()))
	}
	for _, region := range Regions() {
		n := 0
		for _, c := range all {
			if strings.HasPrefix(c.Subject.CommonName, "Amazon RDS "+region+" Root CA ") {
				n++
			}
		}
		if n != 3 {
			t.Errorf("region %s has %d roots, want RSA2048, RSA4096 and ECC384", region, n)
		}
	}
	for _, region := range []string{"us-east-1", "eu-central-1", "ap-southeast-4", "af-south-1", "me-central-1"} {
		if !slices.Contains(Regions(), region) {
			t.Errorf("region %s has no root", region)
		}
	}
}

// The package is of 2022. When a newer one has these, Regions grows and this list shrinks.
func TestRegionsWithoutARootAreKnown(t *testing.T) {
	for _, region := range []string{
		"il-central-1", "ca-west-1", "mx-central-1", "ap-southeast-5", "ap-southeast-7", "ap-east-2",
		"us-gov-east-1", "us-gov-west-1", "cn-north-1", "cn-northwest-1",
	} {
		if slices.Contains(Regions(), region) {
			t.Errorf("region %s has a root now: take it off this list", region)
		}
	}
}

func TestAmazonTrustServicesIsComplete(t *testing.T) {
	var names []string
	for _, c := range certificates(amazonPEM) {
		names = append(names, c.Subject.CommonName)
	}
	want := []string{
		"Amazon Root CA 1", "Amazon Root CA 2", "Amazon Root CA 3", "Amazon Root CA 4",
		"Starfield Services Root Certificate Authority - G2",
	}
	if !slices.Equal(names, want) {
		t.Errorf("got %q, want %q", names, want)
	}
}

func TestEveryRootIsASelfSignedAuthorityForYears(t *testing.T) {
	for _, c := range append(certificates(rdsPEM), certificates(amazonPEM)...) {
		name := c.Subject.CommonName
		if !c.IsCA || c.CheckSignatureFrom(c) != nil {
			t.Errorf("%s is no self-signed authority", name)
		}
		if time.Until(c.NotAfter) < 5*365*24*time.Hour {
			t.Errorf("%s expires on %s", name, c.NotAfter)
		}
		if strings.Contains(name, "Beta") || strings.Contains(name, "Preview") {
			t.Errorf("%s is not for production", name)
		}
	}
}

func TestPoolsHoldWhatTheyName(t *testing.T) {
	rds, amazon := certificates(rdsPEM)[0], certificates(amazonPEM)[0]
	for _, test := range []struct {
		name        string
		pool        *x509.CertPool
		rds, amazon bool
	}{
		{"RDS", RDS(), true, false},
		{"AWS", AWS(), true, true},
		{"System", System(), true, true},
	} {
		if got := trusts(test.pool, rds); got != test.rds {
			t.Errorf("%s trusts an RDS root: %v, want %v", test.name, got, test.rds)
		}
		if got := trusts(test.pool, amazon); got != test.amazon {
			t.Errorf("%s trusts an Amazon root: %v, want %v", test.name, got, test.amazon)
		}
	}
}

func TestAPoolIsTheCallersOwn(t *testing.T) {
	RDS().AddCert(certificates(amazonPEM)[0])
	if trusts(RDS(), certificates(amazonPEM)[0]) {
		t.Error("adding to one caller's pool shows in the next caller's")
	}
}

func trusts(pool *x509.CertPool, c *x509.Certificate) bool {
	_, err := c.Verify(x509.VerifyOptions{Roots: pool, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}})
	return err == nil
}
