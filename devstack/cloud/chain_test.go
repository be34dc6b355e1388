package cloud_test

import (
	"encoding/xml"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/aws-sdk-go-v2/service/sts/types"
	"github.com/golang-jwt/jwt/v5"

	"github.com/airhook-go/airhook/devstack/cloud"
)

const (
	ann     = "arn:aws:iam::123456789012:user/ann"
	devRole = "arn:aws:iam::123456789012:role/AirhookDev"
)

// A trust policy that names a role reaches no further than the session's own policy; one that names the session, or
// everybody, does.
func TestASessionPolicyLimitsWhichRolesASessionAssumes(t *testing.T) {
	s := newStand(t)
	const session = "arn:aws:sts::123456789012:assumed-role/AirhookDev/first"
	for name, c := range map[string]struct {
		trust, limit []byte
		want         bool
	}{
		"by the role, without a policy of the session": {trust(devRole, ""), nil, true},
		"by the role, which the policy does not allow": {trust(devRole, ""), document(statement("s3:*", "*")), false},
		"by the role, which the policy allows":         {trust(devRole, ""), document(statement("sts:AssumeRole", "arn:aws:iam::123456789012:role/etl")), true},
		"by the role, of which it allows another":      {trust(devRole, ""), document(statement("sts:AssumeRole", "arn:aws:iam::123456789012:role/other")), false},
		"by the session": {trust(session, ""), document(statement("s3:*", "*")), true},
		"by everybody":   {trust("*", ""), document(statement("s3:*", "*")), true},
		"by role and account, which it does not allow":  {document(`{"Effect": "Allow", "Principal": {"AWS": ["123456789012", "` + devRole + `"]}, "Action": "sts:AssumeRole"}`), document(statement("s3:*", "*")), false},
		"by the session, which the policy says is none": {trust(session, ""), document(statement("s3:*", "*"), `{"Effect": "Deny", "Action": "sts:*", "Resource": "*"}`), false},
	} {
		t.Run(name, func(t *testing.T) {
			in := assume("AirhookDev", "first")
			if c.limit != nil {
				in.Policy = aws.String(string(c.limit))
			}
			first := opened(t, s.sts(s.admin()), in)
			if _, err := s.PutRole("etl", []byte(everything), c.trust); err != nil {
				t.Fatal(err)
			}
			_, err := s.sts(first).AssumeRole(t.Context(), assume("etl", "second"))
			if (err == nil) != c.want {
				t.Errorf("got %v", err)
			}
			if err != nil && !strings.Contains(refused(t, err, "AccessDenied", 403).ErrorMessage(), "session policy") {
				t.Errorf("it does not say why: %v", err)
			}
		})
	}
}

func TestASourceIdentityAndTagsAreAskedForInTheTrustPolicy(t *testing.T) {
	s := newStand(t)
	trusting := func(actions, condition string) []byte {
		return document(`{"Effect": "Allow", "Principal": {"AWS": "` + ann + `"}, "Action": [` + actions + `], "Condition": ` + condition + `}`)
	}
	const assumeOnly, source, none = `"sts:AssumeRole"`, `"sts:AssumeRole", "sts:SetSourceIdentity"`, `{}`
	as := func(identity string) func(*sts.AssumeRoleInput) {
		return func(in *sts.AssumeRoleInput) { in.SourceIdentity = &identity }
	}
	for name, c := range map[string]struct {
		trust  []byte
		change func(*sts.AssumeRoleInput)
		code   string
	}{
		"without leave":           {trusting(assumeOnly, none), as("bob"), "AccessDenied"},
		"with it":                 {trusting(source, none), as("bob"), ""},
		"of that name":            {trusting(source, `{"StringEquals": {"sts:SourceIdentity": "bob"}}`), as("bob"), ""},
		"of another name":         {trusting(source, `{"StringEquals": {"sts:SourceIdentity": "bob"}}`), as("eve"), "AccessDenied"},
		"of one letter":           {trusting(source, none), as("b"), "ValidationError"},
		"with a blank":            {trusting(source, none), as("b c"), "ValidationError"},
		"a transitive tag":        {trusting(`"sts:*"`, `{"StringEquals": {"sts:TransitiveTagKeys": "team"}}`), transitive("team", "data"), ""},
		"another transitive tag":  {trusting(`"sts:*"`, `{"StringEquals": {"sts:TransitiveTagKeys": "team"}}`), transitive("project", "data"), "AccessDenied"},
		"a transitive tag, unset": {trusting(`"sts:*"`, none), func(in *sts.AssumeRoleInput) { in.TransitiveTagKeys = []string{"team"} }, "ValidationError"},
		"MFA": {trusting(`"sts:*"`, none), func(in *sts.AssumeRoleInput) {
			in.SerialNumber, in.TokenCode = aws.String("arn:aws:iam::123456789012:mfa/ann"), aws.String("123456")
		}, "ValidationError"},
		"a context": {trusting(`"sts:*"`, none), func(in *sts.AssumeRoleInput) {
			in.ProvidedContexts = []types.ProvidedContext{{ProviderArn: aws.String("arn:aws:iam::aws:contextProvider/IdentityCenter"), ContextAssertion: aws.String("text")}}
		}, "ValidationError"},
	} {
		t.Run(name, func(t *testing.T) {
			who := s.user(t, "ann", nil)
			if _, err := s.PutRole("etl", nil, c.trust); err != nil {
				t.Fatal(err)
			}
			in := assume("etl", "nightly")
			c.change(in)
			out, err := s.sts(who).AssumeRole(t.Context(), in)
			if c.code != "" {
				refused(t, err, c.code, map[bool]int{true: 403, false: 400}[c.code == "AccessDenied"])
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if aws.ToString(out.SourceIdentity) != aws.ToString(in.SourceIdentity) {
				t.Errorf("the answer's source identity is %q", aws.ToString(out.SourceIdentity))
			}
		})
	}
}

func transitive(key, value string) func(*sts.AssumeRoleInput) {
	return func(in *sts.AssumeRoleInput) {
		tagged(key, value)(in)
		in.TransitiveTagKeys = []string{key}
	}
}

func TestWhatASessionHandsDownStays(t *testing.T) {
	s := newStand(t)
	condition := `{"StringEquals": {"aws:SourceIdentity": "bob", "aws:PrincipalTag/team": "data"}, "Null": {"aws:PrincipalTag/shift": "true"}}`
	mayLook := document(`{"Effect": "Allow", "Action": "redshift:DescribeClusters", "Resource": "*", "Condition": ` + condition + `}`)
	everybody := document(`{"Effect": "Allow", "Principal": "*", "Action": "sts:*"}`)
	for _, role := range []string{"one", "two"} {
		if _, err := s.PutRole(role, mayLook, everybody); err != nil {
			t.Fatal(err)
		}
	}
	in := assume("one", "first")
	in.SourceIdentity, in.TransitiveTagKeys = aws.String("bob"), []string{"team"}
	in.Tags = []types.Tag{{Key: aws.String("team"), Value: aws.String("data")}, {Key: aws.String("shift"), Value: aws.String("night")}}
	first := opened(t, s.sts(s.user(t, "ann", nil)), in)
	_, err := s.redshift(first).DescribeClusters(t.Context(), nil)
	refused(t, err, "AccessDenied", 403) // it has a shift
	second := opened(t, s.sts(first), assume("two", "second"))
	third := opened(t, s.sts(second), assume("one", "third"))
	for _, who := range []cloud.Principal{second, third} {
		if _, err := s.redshift(who).DescribeClusters(t.Context(), nil); err != nil {
			t.Error(err)
		}
	}
	other := assume("two", "other")
	other.SourceIdentity = aws.String("eve")
	_, err = s.sts(third).AssumeRole(t.Context(), other)
	refused(t, err, "AccessDenied", 403)
	retagged := assume("two", "retagged")
	tagged("Team", "sales")(retagged)
	_, err = s.sts(third).AssumeRole(t.Context(), retagged)
	refused(t, err, "ValidationError", 400)
}

// AssumeRoleWithWebIdentity has no tags and no external id: neither opens a role that asks for them.
func TestAWorkloadAsksForNoMoreThanItsCallHas(t *testing.T) {
	s := newStand(t)
	token := webToken(t, s, workload, time.Hour)
	claims := jwt.RegisteredClaims{}
	if _, _, err := jwt.NewParser().ParseUnverified(token, &claims); err != nil {
		t.Fatal(err)
	}
	provider := "arn:aws:iam::123456789012:oidc-provider/" + strings.TrimPrefix(claims.Issuer, "https://")
	if _, err := s.PutRole("pod", nil, document(`{"Effect": "Allow", "Principal": {"Federated": "`+provider+`"}, "Action": "sts:*"}`)); err != nil {
		t.Fatal(err)
	}
	for name, more := range map[string]url.Values{
		"":                  {},
		"ExternalId":        {"ExternalId": {"x-7"}},
		"SourceIdentity":    {"SourceIdentity": {"bob"}},
		"Tags":              {"Tags.member.1.Key": {"team"}, "Tags.member.1.Value": {"admins"}},
		"TransitiveTagKeys": {"TransitiveTagKeys.member.1": {"team"}},
	} {
		form := url.Values{"Action": {"AssumeRoleWithWebIdentity"}, "Version": {"2011-06-15"}, "RoleArn": {"arn:aws:iam::123456789012:role/pod"}, "RoleSessionName": {"pod"}, "WebIdentityToken": {token}}
		for key, values := range more {
			form[key] = values
		}
		status, message := post(t, s, form)
		if name == "" && status != http.StatusOK || name != "" && (status != http.StatusBadRequest || !strings.Contains(message, "does not know the parameter "+name)) {
			t.Errorf("with %q: %d %s", name, status, message)
		}
	}
}

// post sends an unsigned call, and returns the status and message of its answer.
func post(t *testing.T, s stand, form url.Values) (int, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	response, err := s.http.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	var answer struct{ Error struct{ Message string } }
	if err := xml.Unmarshal(body, &answer); err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, answer.Error.Message
}
