package sigv4_test

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/airhook-go/airhook/devstack/sigv4"
)

// wantCode checks that err is a refusal of that code that tells why, without the secrets.
func wantCode(t *testing.T, err error, code string, all vectors) {
	t.Helper()
	var refused *sigv4.Error
	if !errors.As(err, &refused) || refused.Code != code {
		t.Fatalf("got %v, want %s", err, code)
	}
	if refused.Why == "" || refused.Message == "" || refused.Status < 400 || strings.Contains(refused.Error()+refused.Message, all.SecretAccessKey) {
		t.Errorf("got %+v", refused)
	}
}

func TestTokensForAnythingElseAreRefused(t *testing.T) {
	all := readVectors(t)
	vector := all.Tokens[0]
	const mismatch, incomplete = "SignatureDoesNotMatch", "IncompleteSignature"
	replace := func(old, with string) func(string) string {
		return func(token string) string { return strings.Replace(token, old, with, 1) }
	}
	add := func(text string) func(string) string { return func(token string) string { return token + text } }
	for name, c := range map[string]struct {
		change func(string) string
		at     func(*sigv4.Endpoint)
		after  time.Duration
		code   string
	}{
		"another host":               {at: func(e *sigv4.Endpoint) { e.Host = "other.us-east-1.rds.amazonaws.com" }, code: mismatch},
		"another port":               {at: func(e *sigv4.Endpoint) { e.Port = 5433 }, code: mismatch},
		"another user":               {at: func(e *sigv4.Endpoint) { e.User = "postgres" }, code: mismatch},
		"another region":             {at: func(e *sigv4.Endpoint) { e.Region = "eu-west-1" }, code: mismatch},
		"user in another case":       {at: func(e *sigv4.Endpoint) { e.User = "APP" }, code: mismatch},
		"the host swapped":           {change: replace("mydb.", "urdb."), at: func(e *sigv4.Endpoint) { e.Host = strings.Replace(e.Host, "mydb.", "urdb.", 1) }, code: mismatch},
		"the user swapped":           {change: replace("DBUser=app", "DBUser=postgres"), at: func(e *sigv4.Endpoint) { e.User = "postgres" }, code: mismatch},
		"the region swapped":         {change: replace("us-east-1%2Frds-db", "eu-west-1%2Frds-db"), at: func(e *sigv4.Endpoint) { e.Region = "eu-west-1" }, code: mismatch},
		"the date moved":             {change: replace("T120000Z", "T120001Z"), code: mismatch},
		"another day in the scope":   {change: replace("%2F20260131%2F", "%2F20260130%2F"), code: mismatch},
		"another service":            {change: replace("rds-db", "redshift"), code: mismatch},
		"another action":             {change: replace("Action=connect", "Action=delete"), code: mismatch},
		"more headers":               {change: replace("SignedHeaders=host", "SignedHeaders=date%3Bhost"), code: mismatch},
		"a longer life":              {change: replace("Expires=900", "Expires=901"), code: mismatch},
		"a year":                     {change: replace("Expires=900", "Expires=31536000"), code: incomplete},
		"no time at all":             {change: replace("Expires=900", "Expires=0"), code: incomplete},
		"negative time":              {change: replace("Expires=900", "Expires=-1"), code: incomplete},
		"endless time":               {change: replace("Expires=900", "Expires=99999999999999999999"), code: incomplete},
		"no end":                     {change: replace("X-Amz-Expires=900&", ""), code: incomplete},
		"another algorithm":          {change: replace("AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256"), code: incomplete},
		"one more parameter":         {change: add("&more=1"), code: mismatch},
		"a second user":              {change: add("&DBUser=postgres"), code: incomplete},
		"a second signature":         {change: add("&X-Amz-Signature=" + strings.Repeat("0", 64)), code: incomplete},
		"a session token":            {change: add("&X-Amz-Security-Token=x"), code: "InvalidClientTokenId"},
		"an unknown key":             {change: replace("AKIDEXAMPLE", "AKIDOTHER"), code: "InvalidClientTokenId"},
		"a scope that is too short":  {change: replace("%2Faws4_request", ""), code: incomplete},
		"an empty part in the scope": {change: replace("us-east-1%2Frds-db", "%2Frds-db"), code: incomplete},
		"a line feed in the scope":   {change: replace("us-east-1%2Frds-db", "us%0Aeast%2Frds-db"), code: incomplete},
		"a fraction of a second":     {change: replace("T120000Z", "T120000.5Z"), code: incomplete},
		"half a percent sign":        {change: add("&x=%2"), code: incomplete},
		"a cut":                      {change: func(token string) string { return token[:len(token)-1] }, code: incomplete},
		"a path":                     {change: replace(":5432/?", ":5432/x?"), code: mismatch},
		"a scheme":                   {change: func(token string) string { return "https://" + token }, code: mismatch},
		"just a password":            {change: func(string) string { return "correct horse?battery" }, code: "MissingAuthenticationToken"},
		"nothing":                    {change: func(string) string { return "" }, code: "MissingAuthenticationToken"},
		"a megabyte":                 {change: add(strings.Repeat("x", 1<<20)), code: incomplete},
		"its end":                    {after: 900 * time.Second, code: "RequestExpired"},
		"a day later":                {after: 24 * time.Hour, code: "RequestExpired"},
		"six minutes too early":      {after: -6 * time.Minute, code: mismatch},
	} {
		t.Run(name, func(t *testing.T) {
			token, endpoint := vector.Token, vector.endpoint()
			if c.change != nil {
				if token = c.change(token); token == vector.Token {
					t.Fatal("nothing was changed")
				}
			}
			if c.at != nil {
				c.at(&endpoint)
			}
			_, err := all.verifier("", all.Now.Add(c.after)).VerifyToken(token, endpoint)
			wantCode(t, err, c.code, all)
			if strings.Contains(err.Error(), "horse") {
				t.Errorf("the error holds a password: %v", err)
			}
		})
	}
	for _, after := range []time.Duration{-5 * time.Minute, 0, 899 * time.Second} {
		if _, err := all.verifier("", all.Now.Add(after)).VerifyToken(vector.Token, vector.endpoint()); err != nil {
			t.Errorf("%s after it was signed: %v", after, err)
		}
	}
}

func TestPort443MayGoWithoutSaying(t *testing.T) {
	all := readVectors(t)
	for _, vector := range all.Tokens {
		if vector.Port != 443 {
			continue
		}
		token := strings.Replace(vector.Token, ":443", "", 1)
		if _, err := all.verifier("", all.Now).VerifyToken(token, vector.endpoint()); err != nil {
			t.Error(err)
		}
		elsewhere := vector.endpoint()
		elsewhere.Port = 5432
		_, err := all.verifier("", all.Now).VerifyToken(token, elsewhere)
		wantCode(t, err, "SignatureDoesNotMatch", all)
		return
	}
	t.Fatal("no vector has port 443")
}

func TestEveryFlippedBitOfATokenIsRefused(t *testing.T) {
	all := readVectors(t)
	vector := all.Tokens[1] // with a session token
	verifier := all.verifier(vector.SessionToken, all.Now)
	for i := range len(vector.Token) {
		for bit := range 8 {
			token := []byte(vector.Token)
			token[i] ^= 1 << bit
			if _, err := verifier.VerifyToken(string(token), vector.endpoint()); err == nil && !sameMeaning(string(token), vector.Token) {
				t.Fatalf("bit %d of byte %d flipped, and accepted: %s", bit, i, token)
			}
		}
	}
}

// sameMeaning: the host has no case, nor have the digits of an escape and of the signature.
func sameMeaning(a, b string) bool {
	hostA, queryA, _ := strings.Cut(a, "?")
	hostB, queryB, _ := strings.Cut(b, "?")
	valuesA, errA := url.ParseQuery(queryA)
	valuesB, errB := url.ParseQuery(queryB)
	for _, values := range []url.Values{valuesA, valuesB} {
		values.Set("X-Amz-Signature", strings.ToLower(values.Get("X-Amz-Signature")))
	}
	return errA == nil && errB == nil && strings.EqualFold(hostA, hostB) && cmp.Equal(valuesA, valuesB)
}

func TestRequestsThatWereChangedAreRefused(t *testing.T) {
	all := readVectors(t)
	vector := func(name string) requestVector {
		for _, r := range all.Requests {
			if r.Name == name {
				return r
			}
		}
		t.Fatalf("no vector %q", name)
		return requestVector{}
	}
	header := func(name, value string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set(name, value) }
	}
	authorization := func(old, with string) func(*http.Request) {
		return func(r *http.Request) {
			r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), old, with, 1))
		}
	}
	query := func(old, with string) func(*http.Request) {
		return func(r *http.Request) { r.URL.RawQuery = strings.Replace(r.URL.RawQuery, old, with, 1) }
	}
	const mismatch, incomplete = "SignatureDoesNotMatch", "IncompleteSignature"
	for name, c := range map[string]struct {
		vector  string
		change  func(*http.Request)
		payload string
		after   time.Duration
		code    string
	}{
		"another body":                 {vector: "form", payload: sigv4.PayloadHash([]byte("Action=DeleteCluster")), code: mismatch},
		"another method":               {vector: "form", change: func(r *http.Request) { r.Method = "GET" }, code: mismatch},
		"another path":                 {vector: "path that needs encoding", change: func(r *http.Request) { r.RequestURI = "/a%20b/c/d/e" }, code: mismatch},
		"another host":                 {vector: "form", change: func(r *http.Request) { r.Host = "127.0.0.1:4001" }, code: mismatch},
		"another signed header":        {vector: "JSON", change: header("X-Amz-Target", "RedshiftServerless.DeleteWorkgroup"), code: mismatch},
		"an unsigned header of AWS's":  {vector: "form", change: header("X-Amz-Target", "RedshiftServerless.GetCredentials"), code: "AccessDenied"},
		"a header twice":               {vector: "JSON", change: func(r *http.Request) { r.Header.Add("X-Amz-Target", "RedshiftServerless.GetCredentials") }, code: mismatch},
		"a query":                      {vector: "form", change: func(r *http.Request) { r.URL.RawQuery = "Action=DeleteCluster" }, code: mismatch},
		"duplicates in another order":  {vector: "query with duplicates, and order by value", change: query("a=z", "a=y"), code: mismatch},
		"a session token":              {vector: "form", change: header("X-Amz-Security-Token", "x"), code: "AccessDenied"},
		"no session token":             {vector: "form with a session", change: func(r *http.Request) { r.Header.Del("X-Amz-Security-Token") }, code: "InvalidClientTokenId"},
		"a hash of another body":       {vector: "path of an object", change: header("X-Amz-Content-Sha256", sigv4.PayloadHash([]byte("x"))), code: mismatch},
		"no signature":                 {vector: "form", change: func(r *http.Request) { r.Header.Del("Authorization") }, code: "MissingAuthenticationToken"},
		"two signatures":               {vector: "form", change: func(r *http.Request) { r.Header.Add("Authorization", r.Header.Get("Authorization")) }, code: incomplete},
		"signed in both ways":          {vector: "presigned", change: header("Authorization", "AWS4-HMAC-SHA256 Credential=x"), code: incomplete},
		"a bearer":                     {vector: "form", change: header("Authorization", "Bearer secret"), code: incomplete},
		"the algorithm alone":          {vector: "form", change: header("Authorization", "AWS4-HMAC-SHA256"), code: incomplete},
		"a part twice":                 {vector: "form", change: func(r *http.Request) { r.Header.Set("Authorization", r.Header.Get("Authorization")+", Signature=0") }, code: incomplete},
		"no date":                      {vector: "form", change: func(r *http.Request) { r.Header.Del("X-Amz-Date") }, code: incomplete},
		"two dates":                    {vector: "form", change: func(r *http.Request) { r.Header.Add("X-Amz-Date", "20260131T120000Z") }, code: incomplete},
		"another date":                 {vector: "form", change: header("X-Amz-Date", "20260131T120001Z"), code: mismatch},
		"another day":                  {vector: "form", change: header("X-Amz-Date", "20260201T120000Z"), code: mismatch},
		"no host among the headers":    {vector: "form", change: authorization("host;", ""), code: mismatch},
		"headers out of order":         {vector: "form", change: authorization("content-type;host", "host;content-type"), code: incomplete},
		"a header twice in the list":   {vector: "form", change: authorization("host;", "host;host;"), code: incomplete},
		"headers in capitals":          {vector: "form", change: authorization("host;", "Host;"), code: incomplete},
		"another service in the scope": {vector: "form", change: authorization("/sts/", "/redshift/"), code: mismatch},
		"another region in the scope":  {vector: "form", change: authorization("/us-east-1/", "/eu-west-1/"), code: mismatch},
		"another key":                  {vector: "form", change: authorization("AKIDEXAMPLE", "AKIDOTHER"), code: "InvalidClientTokenId"},
		"a signature that is not hex":  {vector: "form", change: authorization("Signature=", "Signature=zz"), code: incomplete},
		"five minutes and a second":    {vector: "form", after: 5*time.Minute + time.Second, code: mismatch},
		"as much too early":            {vector: "form", after: -5*time.Minute - time.Second, code: mismatch},
		"S3, after 15 minutes":         {vector: "path of an object", after: 15*time.Minute + time.Second, code: "RequestTimeTooSkewed"},
		"presigned, another action":    {vector: "presigned", change: query("GetCallerIdentity", "AssumeRole"), code: mismatch},
		"presigned, at its end":        {vector: "presigned", after: time.Minute, code: "RequestExpired"},
		"presigned, far too early":     {vector: "presigned", after: -6 * time.Minute, code: mismatch},
		"presigned, a longer life":     {vector: "presigned", change: query("Expires=60", "Expires=600"), code: mismatch},
		"presigned, twice an end":      {vector: "presigned", change: func(r *http.Request) { r.URL.RawQuery += "&X-Amz-Expires=600" }, code: incomplete},
		"presigned, no end":            {vector: "presigned", change: query("X-Amz-Expires=60&", ""), code: incomplete},
		"presigned, token in a header": {vector: "presigned", change: header("X-Amz-Security-Token", "x"), code: incomplete},
		"presigned, another token":     {vector: "presigned with a session", change: query("Security-Token=IQ", "Security-Token=AQ"), code: "InvalidClientTokenId"},
		"presigned, header of AWS's":   {vector: "presigned", change: header("X-Amz-Target", "x"), code: "AccessDenied"},
		"presigned, a body":            {vector: "presigned", payload: sigv4.PayloadHash([]byte("x")), code: mismatch},
		"presigned, parameter in case": {vector: "presigned", change: query("X-Amz-Algorithm", "x-amz-algorithm"), code: incomplete},
		"a percent sign alone":         {vector: "form", change: func(r *http.Request) { r.URL.RawQuery = "%" }, code: incomplete},
	} {
		t.Run(name, func(t *testing.T) {
			vector := vector(c.vector)
			r, payload := vector.request(), vector.payload()
			if c.change != nil {
				c.change(r)
			}
			if c.payload != "" {
				payload = c.payload
			}
			_, err := all.verifier(vector.SessionToken, all.Now.Add(c.after)).VerifyRequest(r, payload)
			wantCode(t, err, c.code, all)
		})
	}
	for name, after := range map[string]time.Duration{"form": 5 * time.Minute, "path of an object": 15 * time.Minute, "presigned": 59 * time.Second} {
		vector := vector(name)
		if _, err := all.verifier("", all.Now.Add(after)).VerifyRequest(vector.request(), vector.payload()); err != nil {
			t.Errorf("%s, %s later: %v", name, after, err)
		}
	}
}

func TestKeysRunOut(t *testing.T) {
	all := readVectors(t)
	vector, request := all.Tokens[1], all.Requests[1]
	verifier := all.verifier(vector.SessionToken, all.Now)
	find := verifier.Find
	for _, c := range []struct {
		expires time.Time
		good    bool
	}{{time.Time{}, true}, {all.Now.Add(time.Second), true}, {all.Now, false}, {all.Now.Add(-time.Hour), false}} {
		verifier.Find = func(id string) (sigv4.Key, bool) {
			key, found := find(id)
			key.Expires = c.expires
			return key, found
		}
		_, tokenErr := verifier.VerifyToken(vector.Token, vector.endpoint())
		_, requestErr := verifier.VerifyRequest(request.request(), request.payload())
		for _, err := range []error{tokenErr, requestErr} {
			if c.good && err != nil {
				t.Errorf("a key until %s: %v", c.expires, err)
			} else if !c.good {
				wantCode(t, err, "ExpiredToken", all)
			}
		}
	}
}

// TestKeyWithoutSecretSignsNothing: a store that finds an empty key must not let in who signs with an empty secret.
func TestKeyWithoutSecretSignsNothing(t *testing.T) {
	all := readVectors(t)
	verifier := all.verifier("", all.Now)
	verifier.Find = func(id string) (sigv4.Key, bool) { return sigv4.Key{AccessKeyID: id}, true }
	_, err := verifier.VerifyToken(all.Tokens[0].Token, all.Tokens[0].endpoint())
	wantCode(t, err, "InvalidClientTokenId", all)
}
