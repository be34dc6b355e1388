package policy_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/airhook-go/airhook/devstack/policy"
)

const (
	dbuser = "arn:aws:redshift:us-east-1:123456789012:dbuser:my-cluster/app"
	admin  = "arn:aws:iam::123456789012:user/admin"
	role   = "arn:aws:iam::123456789012:role/etl"
)

// allow is a document of one statement with these elements more.
func allow(elements string) string {
	return `{"Version": "2012-10-17", "Statement": {"Effect": "Allow", ` + elements + `}}`
}

func when(condition string) string {
	return allow(`"Action": "*", "Resource": "*", "Condition": ` + condition)
}

func TestIdentityPoliciesDecide(t *testing.T) {
	for name, c := range map[string]struct {
		policy string
		keys   policy.Keys
		want   policy.Decision
	}{
		"everything":                          {allow(`"Action": "*", "Resource": "*"`), nil, policy.Allowed},
		"the action in another case":          {allow(`"Action": "Redshift:getCLUSTERcredentials", "Resource": "*"`), nil, policy.Allowed},
		"one of several":                      {allow(`"Action": ["s3:*", "redshift:Get*"], "Resource": ["arn:aws:s3:::b", "` + dbuser + `"]`), nil, policy.Allowed},
		"a longer action":                     {allow(`"Action": "redshift:GetClusterCredentialsWithIAM", "Resource": "*"`), nil, policy.Silent},
		"a shorter action":                    {allow(`"Action": "redshift:GetCluster", "Resource": "*"`), nil, policy.Silent},
		"? is one character":                  {allow(`"Action": "redshift:GetClusterCredential?", "Resource": "*"`), nil, policy.Allowed},
		"? is not none":                       {allow(`"Action": "redshift:GetClusterCredentials?", "Resource": "*"`), nil, policy.Silent},
		"another service":                     {allow(`"Action": "redshift-serverless:*", "Resource": "*"`), nil, policy.Silent},
		"all but the action":                  {allow(`"NotAction": "redshift:*", "Resource": "*"`), nil, policy.Silent},
		"all but another action":              {allow(`"NotAction": "iam:*", "Resource": "*"`), nil, policy.Allowed},
		"* spans slashes":                     {allow(`"Action": "*", "Resource": "arn:aws:redshift:us-east-1:123456789012:dbuser:*"`), nil, policy.Allowed},
		"* spans colons of the last part":     {allow(`"Action": "*", "Resource": "arn:aws:redshift:us-east-1:123456789012:*/app"`), nil, policy.Allowed},
		"* of every part":                     {allow(`"Action": "*", "Resource": "arn:*:redshift:*:*:dbuser:*/app"`), nil, policy.Allowed},
		"* does not span parts":               {allow(`"Action": "*", "Resource": "arn:aws:redshift:*:dbuser:my-cluster/app:x"`), nil, policy.Silent},
		"another account":                     {allow(`"Action": "*", "Resource": "arn:aws:redshift:us-east-1:210987654321:dbuser:my-cluster/app"`), nil, policy.Silent},
		"a resource has a case":               {allow(`"Action": "*", "Resource": "arn:aws:redshift:us-east-1:123456789012:dbuser:My-Cluster/app"`), nil, policy.Silent},
		"all but the resource":                {allow(`"Action": "*", "NotResource": "arn:aws:redshift:*:*:dbuser:*/app"`), nil, policy.Silent},
		"all but another resource":            {allow(`"Action": "*", "NotResource": "arn:aws:redshift:*:*:dbuser:*/etl"`), nil, policy.Allowed},
		"a variable":                          {allow(`"Action": "*", "Resource": "arn:aws:redshift:*:*:dbuser:my-cluster/${redshift:DbUser}"`), policy.Keys{"redshift:dbuser": {"app"}}, policy.Allowed},
		"a variable of another value":         {allow(`"Action": "*", "Resource": "arn:aws:redshift:*:*:dbuser:my-cluster/${redshift:DbUser}"`), policy.Keys{"redshift:dbuser": {"etl"}}, policy.Silent},
		"a variable without a value":          {allow(`"Action": "*", "Resource": "arn:aws:redshift:*:*:dbuser:my-cluster/${aws:username}*"`), nil, policy.Silent},
		"a variable's wildcard is none":       {allow(`"Action": "*", "Resource": "arn:aws:redshift:*:*:dbuser:my-cluster/${redshift:DbUser}"`), policy.Keys{"redshift:dbuser": {"*"}}, policy.Silent},
		"a star by its name":                  {allow(`"Action": "*", "Resource": "arn:aws:redshift:*:*:dbuser:my-cluster/${*}"`), nil, policy.Silent},
		"no variables in the old version":     {`{"Statement": {"Effect": "Allow", "Action": "*", "Resource": "arn:aws:redshift:*:*:dbuser:my-cluster/${redshift:DbUser}"}}`, policy.Keys{"redshift:dbuser": {"app"}}, policy.Silent},
		"a deny":                              {`{"Statement": [{"Effect": "Deny", "Action": "*", "Resource": "*"}]}`, nil, policy.Denied},
		"a deny counts more":                  {`{"Statement": [{"Effect": "Deny", "Action": "redshift:*", "Resource": "*"}, {"Effect": "Allow", "Action": "*", "Resource": "*"}]}`, nil, policy.Denied},
		"in whichever order":                  {`{"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}, {"Effect": "Deny", "Action": "redshift:*", "Resource": "*"}]}`, nil, policy.Denied},
		"a deny of something else":            {`{"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}, {"Effect": "Deny", "Action": "s3:*", "Resource": "*"}]}`, nil, policy.Allowed},
		"a deny whose condition is not met":   {`{"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}, {"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": {"Bool": {"a": "true"}}}]}`, nil, policy.Allowed},
		"StringEquals":                        {when(`{"StringEquals": {"redshift:DBNAME": "dev"}}`), policy.Keys{"redshift:dbname": {"dev"}}, policy.Allowed},
		"StringEquals, several":               {when(`{"StringEquals": {"redshift:dbname": ["dev", "prod"]}}`), policy.Keys{"redshift:dbname": {"prod"}}, policy.Allowed},
		"StringEquals, another":               {when(`{"StringEquals": {"redshift:dbname": "dev"}}`), policy.Keys{"redshift:dbname": {"Dev"}}, policy.Silent},
		"StringEquals takes * for a star":     {when(`{"StringEquals": {"a": "*"}}`), policy.Keys{"a": {"x"}}, policy.Silent},
		"StringEquals, no value":              {when(`{"StringEquals": {"a": "x"}}`), nil, policy.Silent},
		"StringEqualsIfExists, no value":      {when(`{"StringEqualsIfExists": {"a": "x"}}`), nil, policy.Allowed},
		"StringEqualsIfExists, another":       {when(`{"StringEqualsIfExists": {"a": "x"}}`), policy.Keys{"a": {"y"}}, policy.Silent},
		"StringEquals with a variable":        {when(`{"StringEquals": {"redshift:dbuser": "${aws:username}"}}`), policy.Keys{"redshift:dbuser": {"ann"}, "aws:username": {"ann"}}, policy.Allowed},
		"StringNotEquals":                     {when(`{"StringNotEquals": {"a": ["x", "y"]}}`), policy.Keys{"a": {"z"}}, policy.Allowed},
		"StringNotEquals, one of them":        {when(`{"StringNotEquals": {"a": ["x", "y"]}}`), policy.Keys{"a": {"y"}}, policy.Silent},
		"StringNotEquals, no value":           {when(`{"StringNotEquals": {"a": "x"}}`), nil, policy.Allowed},
		"StringEqualsIgnoreCase":              {when(`{"StringEqualsIgnoreCase": {"a": "ABC"}}`), policy.Keys{"a": {"abc"}}, policy.Allowed},
		"StringLike":                          {when(`{"StringLike": {"a": "etl-*-?"}}`), policy.Keys{"a": {"etl-nightly-1"}}, policy.Allowed},
		"StringLike, another":                 {when(`{"StringLike": {"a": "etl-*-?"}}`), policy.Keys{"a": {"etl-nightly"}}, policy.Silent},
		"StringNotLike":                       {when(`{"StringNotLike": {"a": "etl*"}}`), policy.Keys{"a": {"etl1"}}, policy.Silent},
		"ArnLike":                             {when(`{"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/et*"}}`), policy.Keys{"aws:principalarn": {role}}, policy.Allowed},
		"ArnEquals takes wildcards too":       {when(`{"ArnEquals": {"aws:PrincipalArn": "arn:aws:iam::123456789012:role/*"}}`), policy.Keys{"aws:principalarn": {admin}}, policy.Silent},
		"ArnNotEquals":                        {when(`{"ArnNotEquals": {"aws:PrincipalArn": "` + admin + `"}}`), policy.Keys{"aws:principalarn": {role}}, policy.Allowed},
		"Bool":                                {when(`{"Bool": {"a": true}}`), policy.Keys{"a": {"true"}}, policy.Allowed},
		"Bool, another":                       {when(`{"Bool": {"a": "false"}}`), policy.Keys{"a": {"true"}}, policy.Silent},
		"NumericLessThanEquals":               {when(`{"NumericLessThanEquals": {"redshift:DurationSeconds": 900}}`), policy.Keys{"redshift:durationseconds": {"900"}}, policy.Allowed},
		"NumericLessThanEquals, more":         {when(`{"NumericLessThanEquals": {"redshift:DurationSeconds": "900"}}`), policy.Keys{"redshift:durationseconds": {"901"}}, policy.Silent},
		"NumericGreaterThan, no number":       {when(`{"NumericGreaterThan": {"a": "1"}}`), policy.Keys{"a": {"x"}}, policy.Silent},
		"Null, as it is":                      {when(`{"Null": {"a": true}}`), nil, policy.Allowed},
		"Null, as it is not":                  {when(`{"Null": {"a": "false"}}`), nil, policy.Silent},
		"two operators, one not met":          {when(`{"StringEquals": {"a": "x"}, "StringLike": {"b": "y"}}`), policy.Keys{"a": {"x"}, "b": {"z"}}, policy.Silent},
		"two keys, one not met":               {when(`{"StringEquals": {"a": "x", "b": "y"}}`), policy.Keys{"a": {"x"}}, policy.Silent},
		"ForAllValues":                        {when(`{"ForAllValues:StringEquals": {"aws:TagKeys": ["a", "b"]}}`), policy.Keys{"aws:tagkeys": {"a", "b"}}, policy.Allowed},
		"ForAllValues, one too many":          {when(`{"ForAllValues:StringEquals": {"aws:TagKeys": ["a", "b"]}}`), policy.Keys{"aws:tagkeys": {"a", "c"}}, policy.Silent},
		"ForAllValues, none":                  {when(`{"ForAllValues:StringEquals": {"aws:TagKeys": "a"}}`), nil, policy.Allowed},
		"ForAnyValue":                         {when(`{"ForAnyValue:StringEquals": {"aws:TagKeys": "a"}}`), policy.Keys{"aws:tagkeys": {"c", "a"}}, policy.Allowed},
		"ForAnyValue, none":                   {when(`{"ForAnyValue:StringNotEquals": {"aws:TagKeys": "a"}}`), nil, policy.Silent},
		"every blank is one as JSON has them": {"\n { \"Statement\" :\t[ { \"Effect\" : \"Allow\" , \"Action\" : [ \"*\" ] , \"Resource\" : \"*\" } ] } \n", nil, policy.Allowed},
	} {
		t.Run(name, func(t *testing.T) {
			d, err := policy.Parse([]byte(c.policy))
			if err != nil {
				t.Fatal(err)
			}
			if got := d.Decide(policy.Request{Action: "redshift:GetClusterCredentials", Resource: dbuser, Keys: c.keys}); got != c.want {
				t.Errorf("decides %d, want %d", got, c.want)
			}
		})
	}
	if got := (policy.Document{}).Decide(policy.Request{Action: "a:b", Resource: "*"}); got != policy.Silent {
		t.Errorf("no document decides %d", got)
	}
}

func TestTrustPoliciesDecide(t *testing.T) {
	const (
		session  = "arn:aws:sts::123456789012:assumed-role/etl/nightly"
		provider = "arn:aws:iam::123456789012:oidc-provider/oidc.example.com"
	)
	trust := func(principal string) string { return allow(`"Action": "sts:AssumeRole", "Principal": ` + principal) }
	user := policy.Caller{ARNs: []string{admin}, Account: "123456789012"}
	for name, c := range map[string]struct {
		policy string
		caller policy.Caller
		want   policy.Decision
	}{
		"the user":             {trust(`{"AWS": "` + admin + `"}`), user, policy.Allowed},
		"another user":         {trust(`{"AWS": "` + admin + `2"}`), user, policy.Silent},
		"one of several":       {trust(`{"Service": "ec2.amazonaws.com", "AWS": ["` + role + `", "` + admin + `"]}`), user, policy.Allowed},
		"the account's root":   {trust(`{"AWS": "arn:aws:iam::123456789012:root"}`), user, policy.Delegated},
		"the account":          {trust(`{"AWS": "123456789012"}`), user, policy.Delegated},
		"account and user":     {trust(`{"AWS": ["123456789012", "` + admin + `"]}`), user, policy.Allowed},
		"another account":      {trust(`{"AWS": "arn:aws:iam::210987654321:root"}`), user, policy.Silent},
		"everybody":            {trust(`"*"`), user, policy.Allowed},
		"everybody of AWS":     {trust(`{"AWS": "*"}`), user, policy.Allowed},
		"a service":            {trust(`{"Service": "redshift.amazonaws.com"}`), user, policy.Silent},
		"a role, by a session": {trust(`{"AWS": "` + role + `"}`), policy.Caller{ARNs: []string{session, role}, Account: "123456789012"}, policy.Allowed},
		"the session itself":   {trust(`{"AWS": "` + session + `"}`), policy.Caller{ARNs: []string{session, role}, Account: "123456789012"}, policy.Allowed},
		"the provider":         {trust(`{"Federated": "` + provider + `"}`), policy.Caller{Federated: provider}, policy.Allowed},
		"another provider":     {trust(`{"Federated": "` + provider + `2"}`), policy.Caller{Federated: provider}, policy.Silent},
		"a user who is none":   {trust(`{"AWS": "*"}`), policy.Caller{Federated: provider}, policy.Silent},
		"a deny by account": {
			`{"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "*"}, {"Effect": "Deny", "Principal": {"AWS": "123456789012"}, "Action": "*"}]}`, user, policy.Denied,
		},
	} {
		t.Run(name, func(t *testing.T) {
			d, err := policy.ParseTrust([]byte(c.policy))
			if err != nil {
				t.Fatal(err)
			}
			if got := d.Decide(policy.Request{Action: "sts:AssumeRole", Caller: c.caller}); got != c.want {
				t.Errorf("decides %d, want %d", got, c.want)
			}
		})
	}
}

func TestMalformedDocumentsNameTheElement(t *testing.T) {
	statement := func(s string) string { return `{"Statement": [` + s + `]}` }
	const good = `"Effect": "Allow", "Action": "a:b", "Resource": "*"`
	for text, want := range map[string]string{
		"":                                     "no JSON",
		"{\n\n,}":                              "line 3",
		`{"Statement": []} {}`:                 "no JSON",
		`[]`:                                   "want an object",
		`{}`:                                   "Statement: missing",
		statement(``):                          "Statement: missing",
		`{"Version": "2012", "Statement": {}}`: "Version: want",
		`{"Version": 2012, "Statement": {}}`:   "Version: want",
		`{"Statements": []}`:                   `unknown element "Statements", did you mean Statement?`,
		`{"Statement": {}, "Statement": {}}`:   "element Statement is there twice",
		statement(`1`):                         "Statement[0]: want an object",
		statement(`{` + good + `}, {}`):        "Statement[1].Effect: missing",
		statement(`{"Effect": "allow"}`):       `Statement[0].Effect: want "Allow"`,
		statement(`{"Effect": "Allow"}`):       "Statement[0].Action: missing",
		statement(`{"Effect": "Deny", "Action": "*"}`):                              "Statement[0].Resource: missing",
		statement(`{` + good + `, "Resources": "*"}`):                               `Statement[0]: unknown element "Resources", did you mean Resource?`,
		statement(`{` + good + `, "Principal": "*"}`):                               `Statement[0]: unknown element "Principal"`,
		statement(`{` + good + `, "NotAction": "*"}`):                               "Action and NotAction exclude",
		statement(`{` + good + `, "Sid": "a b"}`):                                   "Sid: want letters",
		statement(`{` + good + `, "Sid": "a"}, {` + good + `, "Sid": "a"}`):         "Statement[1].Sid",
		statement(`{"Effect": "Allow", "Action": [], "Resource": "*"}`):             "Action: empty",
		statement(`{"Effect": "Allow", "Action": null, "Resource": "*"}`):           "Action: want a string",
		statement(`{"Effect": "Allow", "Action": ["a:b", 1], "Resource": "*"}`):     "Action: want a string",
		statement(`{"Effect": "Allow", "Action": "s3", "Resource": "*"}`):           `Action: "s3": want SERVICE:ACTION`,
		statement(`{"Effect": "Allow", "Action": "*:Get", "Resource": "*"}`):        "Action: \"*:Get\"",
		statement(`{"Effect": "Allow", "Action": "a:b", "Resource": "arn:a:b"}`):    "Resource: \"arn:a:b\": want an ARN",
		statement(`{"Effect": "Allow", "Action": "a:b", "Resource": "my-bucket"}`):  "want an ARN",
		statement(`{` + good + `, "Condition": []}`):                                "Condition: want an object",
		statement(`{` + good + `, "Condition": {"StringEqual": {"a": "b"}}}`):       `Condition: unknown operator "StringEqual", did you mean StringEquals?`,
		statement(`{` + good + `, "Condition": {"NullIfExists": {"a": "true"}}}`):   "unknown operator",
		statement(`{` + good + `, "Condition": {"DateLessThan": {"a": "b"}}}`):      `unknown operator "DateLessThan"`,
		statement(`{` + good + `, "Condition": {"StringEquals": "a"}}`):             "Condition.StringEquals: want an object",
		statement(`{` + good + `, "Condition": {"StringEquals": {"a": {}}}}`):       "Condition.StringEquals.a: want a string",
		statement(`{` + good + `, "Condition": {"StringEquals": {"a": []}}}`):       "Condition.StringEquals.a: empty",
		statement(`{` + good + `, "Condition": {"NumericEquals": {"a": "b"}}}`):     `Condition.NumericEquals.a: "b": want a number`,
		statement(`{` + good + `, "Condition": {"Bool": {"a": "yes"}}}`):            "want true or false",
		statement(`{` + good + `, "Condition": {"ArnLike": {"a": "b"}}}`):           "want an ARN",
		when(`{"StringLike": {"a": ["b", "x${aws:PrincipalTag/team, 'all'}*"]}}`):   "Condition.StringLike.a: \"x${aws:PrincipalTag/team, 'all'}*\": variables with a default value",
		when(`{"ArnLike": {"a": "arn:aws:iam::1:user/${aws:username, 'all'}"}}`):    "variables with a default value",
		allow(`"Action": "*", "Resource": "arn:aws:s3:::b/${aws:username, 'all'}"`): "Resource: \"arn:aws:s3:::b/${aws:username, 'all'}\": variables with a default value",
	} {
		if _, err := policy.Parse([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", text, err, want)
		}
	}
	for text, want := range map[string]string{
		`"Action": "sts:AssumeRole"`:                                           "Principal: missing",
		`"Action": "sts:AssumeRole", "Principal": {}`:                          "Principal: empty",
		`"Action": "sts:AssumeRole", "Principal": "me"`:                        "Principal: want an object",
		`"Action": "sts:AssumeRole", "Principal": {"Aws": "*"}`:                `did you mean AWS?`,
		`"Action": "sts:AssumeRole", "Principal": {"AWS": "me"}`:               `Principal.AWS: "me": want an ARN`,
		`"Action": "sts:AssumeRole", "Principal": {"AWS": "` + role + `*"}`:    "without wildcards",
		`"Action": "sts:AssumeRole", "Principal": "*", "Resource": "*"`:        `unknown element "Resource"`,
		`"Action": "sts:AssumeRole", "NotPrincipal": {"AWS": "` + admin + `"}`: `unknown element "NotPrincipal"`,
	} {
		if _, err := policy.ParseTrust([]byte(allow(text))); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", text, err, want)
		}
	}
}

func FuzzPolicyDocuments(f *testing.F) {
	f.Add([]byte(allow(`"Action": "*", "Resource": "*"`)))
	f.Add([]byte(when(`{"ForAnyValue:StringLikeIfExists": {"a": ["${aws:username}*", 1, true]}}`)))
	f.Add([]byte(allow(`"Action": "sts:AssumeRole", "Principal": {"AWS": "123456789012", "Service": "ec2.amazonaws.com"}`)))
	f.Add([]byte(allow(`"NotAction": ["a:?*"], "NotResource": "arn:*:*:*:*:${a"`)))
	f.Fuzz(func(t *testing.T, text []byte) {
		for _, parse := range []func([]byte) (policy.Document, error){policy.Parse, policy.ParseTrust} {
			d, err := parse(text)
			if err != nil {
				continue
			}
			var compact bytes.Buffer
			if err := json.Compact(&compact, text); err != nil {
				t.Fatalf("%q passes, and is no JSON: %v", text, err)
			}
			again, err := parse(compact.Bytes())
			if err != nil {
				t.Fatalf("%q passes, and without blanks it does not: %v", text, err)
			}
			request := policy.Request{
				Action: "redshift:GetClusterCredentials", Resource: dbuser, Keys: policy.Keys{"a": {"x", "y"}, "aws:username": {"ann"}},
				Caller: policy.Caller{ARNs: []string{admin}, Account: "123456789012"},
			}
			if a, b := d.Decide(request), again.Decide(request); a != b {
				t.Errorf("%q decides %d, and without blanks %d", text, a, b)
			}
		}
	})
}
