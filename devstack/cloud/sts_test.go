package cloud_test

import (
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/aws-sdk-go-v2/service/sts/types"
	"github.com/golang-jwt/jwt/v5"
	"github.com/google/go-cmp/cmp"

	"github.com/airhook-go/airhook/devstack/cloud"
)

func TestRolesAreAssumedByWhomTheyTrust(t *testing.T) {
	s := newStand(t)
	const account, me = "arn:aws:iam::123456789012:root", "arn:aws:iam::123456789012:user/ann"
	leave := document(statement("sts:AssumeRole", "arn:aws:iam::123456789012:role/etl"))
	for name, c := range map[string]struct {
		trust, policy []byte
		change        func(*sts.AssumeRoleInput)
		code          string
	}{
		"named, without a policy":       {trust(me, ""), nil, nil, ""},
		"by the account, with a policy": {trust(account, ""), leave, nil, ""},
		"by the account, without one":   {trust(account, ""), nil, nil, "AccessDenied"},
		"by the account, for another":   {trust(account, ""), document(statement("sts:AssumeRole", "arn:aws:iam::123456789012:role/other")), nil, "AccessDenied"},
		"not named, with a policy":      {trust(s.admin().ARN, ""), []byte(everything), nil, "AccessDenied"},
		"no trust at all":               {nil, []byte(everything), nil, "AccessDenied"},
		"named, and denied by a policy": {trust(me, ""), document(`{"Effect": "Deny", "Action": "sts:*", "Resource": "*"}`), nil, "AccessDenied"},
		"denied by the trust policy":    {document(`{"Effect": "Allow", "Principal": "*", "Action": "*"}`, `{"Effect": "Deny", "Principal": {"AWS": "`+me+`"}, "Action": "*"}`), leave, nil, "AccessDenied"},
		"a role that is not there":      {trust(me, ""), leave, func(in *sts.AssumeRoleInput) { in.RoleArn = aws.String("arn:aws:iam::123456789012:role/gone") }, "AccessDenied"},
		"a user for a role":             {trust(me, ""), []byte(everything), func(in *sts.AssumeRoleInput) { in.RoleArn = aws.String(s.admin().ARN) }, "AccessDenied"},
		"the external id":               {trust(me, `{"StringEquals": {"sts:ExternalId": "x-7"}}`), nil, func(in *sts.AssumeRoleInput) { in.ExternalId = aws.String("x-7") }, ""},
		"another external id":           {trust(me, `{"StringEquals": {"sts:ExternalId": "x-7"}}`), nil, func(in *sts.AssumeRoleInput) { in.ExternalId = aws.String("x-8") }, "AccessDenied"},
		"no external id":                {trust(me, `{"StringEquals": {"sts:ExternalId": "x-7"}}`), nil, nil, "AccessDenied"},
		"the session's name":            {trust(me, `{"StringLike": {"sts:RoleSessionName": "night*"}}`), nil, nil, ""},
		"another name":                  {trust(me, `{"StringEquals": {"sts:RoleSessionName": "${aws:username}"}}`), nil, nil, "AccessDenied"},
		"the longest session":           {trust(me, ""), nil, func(in *sts.AssumeRoleInput) { in.DurationSeconds = aws.Int32(3600) }, ""},
		"longer than the role's":        {trust(me, ""), nil, func(in *sts.AssumeRoleInput) { in.DurationSeconds = aws.Int32(3601) }, "ValidationError"},
		"longer than any":               {trust(me, ""), nil, func(in *sts.AssumeRoleInput) { in.DurationSeconds = aws.Int32(43201) }, "ValidationError"},
		"too short":                     {trust(me, ""), nil, func(in *sts.AssumeRoleInput) { in.DurationSeconds = aws.Int32(899) }, "ValidationError"},
		"a name of one letter":          {trust(me, ""), nil, func(in *sts.AssumeRoleInput) { in.RoleSessionName = aws.String("a") }, "ValidationError"},
		"a name with a blank":           {trust(me, ""), nil, func(in *sts.AssumeRoleInput) { in.RoleSessionName = aws.String("a b") }, "ValidationError"},
		"an external id with a blank":   {trust(me, ""), nil, func(in *sts.AssumeRoleInput) { in.ExternalId = aws.String("a b") }, "ValidationError"},
		"no ARN":                        {trust(me, ""), nil, func(in *sts.AssumeRoleInput) { in.RoleArn = aws.String("this is no ARN at all") }, "ValidationError"},
		"a session policy that is none": {trust(me, ""), nil, func(in *sts.AssumeRoleInput) { in.Policy = aws.String(`{"Statement": 1}`) }, "MalformedPolicyDocument"},
		"managed policies": {trust(me, ""), nil, func(in *sts.AssumeRoleInput) {
			in.PolicyArns = []types.PolicyDescriptorType{{Arn: aws.String("arn:aws:iam::aws:policy/ReadOnlyAccess")}}
		}, "ValidationError"},
		"tags":                      {trust(me, ""), nil, tagged("team", "data"), ""},
		"tags that are not allowed": {document(`{"Effect": "Allow", "Principal": {"AWS": "` + me + `"}, "Action": "sts:AssumeRole"}`), nil, tagged("team", "data"), "AccessDenied"},
		"tags that are asked for":   {trust(me, `{"StringEquals": {"aws:RequestTag/Team": "data"}, "ForAllValues:StringEquals": {"aws:TagKeys": "team"}}`), nil, tagged("team", "data"), ""},
		"tags of another value":     {trust(me, `{"StringEquals": {"aws:RequestTag/team": "data"}}`), nil, tagged("team", "sales"), "AccessDenied"},
	} {
		t.Run(name, func(t *testing.T) {
			who := s.user(t, "ann", c.policy)
			if _, err := s.PutRole("etl", []byte(everything), c.trust); err != nil {
				t.Fatal(err)
			}
			in := assume("etl", "nightly")
			if c.change != nil {
				c.change(in)
			}
			out, err := s.sts(who).AssumeRole(t.Context(), in)
			if c.code != "" {
				status := 400
				if c.code == "AccessDenied" {
					status = 403
				}
				if api := refused(t, err, c.code, status); status == 403 && !strings.HasPrefix(api.ErrorMessage(), "User: "+me+" is not authorized to perform: sts:") {
					t.Errorf("it says %q", api.ErrorMessage())
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			got, err := s.sts(principalOf(*out.Credentials.AccessKeyId, *out.Credentials.SecretAccessKey, *out.Credentials.SessionToken)).GetCallerIdentity(t.Context(), nil)
			if err != nil {
				t.Fatal(err)
			}
			want := []string{"arn:aws:sts::123456789012:assumed-role/etl/nightly", *out.AssumedRoleUser.AssumedRoleId, "123456789012"}
			if diff := cmp.Diff(want, []string{*got.Arn, *got.UserId, *got.Account}); diff != "" || *out.AssumedRoleUser.Arn != *got.Arn {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if left := time.Until(*out.Credentials.Expiration); left < 59*time.Minute || left > 61*time.Minute {
				t.Errorf("lives for %s", left)
			}
		})
	}
}

func tagged(key, value string) func(*sts.AssumeRoleInput) {
	return func(in *sts.AssumeRoleInput) { in.Tags = []types.Tag{{Key: &key, Value: &value}} }
}

func TestRolesAssumeRolesForAnHourAtMost(t *testing.T) {
	s := newStand(t)
	first := opened(t, s.sts(s.admin()), assume("AirhookDev", "first"))
	if _, err := s.PutRole("etl", nil, trust("arn:aws:iam::123456789012:role/AirhookDev", "")); err != nil {
		t.Fatal(err)
	}
	second := opened(t, s.sts(first), assume("etl", "second"))
	if out, err := s.sts(second).GetCallerIdentity(t.Context(), nil); err != nil || *out.Arn != "arn:aws:sts::123456789012:assumed-role/etl/second" {
		t.Errorf("got %v, %v", out, err)
	}
	long := assume("AirhookDev", "again")
	long.DurationSeconds = aws.Int32(7200)
	_, err := s.sts(first).AssumeRole(t.Context(), long)
	if api := refused(t, err, "ValidationError", 400); !strings.Contains(api.ErrorMessage(), "role chaining") {
		t.Errorf("it says %q", api.ErrorMessage())
	}
	if _, err := s.sts(s.admin()).AssumeRole(t.Context(), long); err != nil {
		t.Errorf("a user may: %v", err)
	}
	s.Deny("admin", "sts:AssumeRole")
	_, err = s.sts(s.admin()).AssumeRole(t.Context(), assume("AirhookDev", "denied"))
	refused(t, err, "AccessDenied", 403)
	s.Allow("admin", "*")
	s.Throttle("AssumeRole", 1)
	_, err = s.sts(s.admin()).AssumeRole(t.Context(), assume("AirhookDev", "throttled"))
	refused(t, err, "Throttling", 400)
	if n := s.Calls()["AssumeRole"]; n != 6 {
		t.Errorf("%d calls, want 6", n)
	}
}

func TestSessionTokensAreForUsers(t *testing.T) {
	s := newStand(t)
	out, err := s.sts(s.user(t, "ann", nil)).GetSessionToken(t.Context(), &sts.GetSessionTokenInput{DurationSeconds: aws.Int32(900)})
	if err != nil {
		t.Fatal(err)
	}
	session := principalOf(*out.Credentials.AccessKeyId, *out.Credentials.SecretAccessKey, *out.Credentials.SessionToken)
	if who, err := s.sts(session).GetCallerIdentity(t.Context(), nil); err != nil || *who.Arn != "arn:aws:iam::123456789012:user/ann" || time.Until(*out.Credentials.Expiration) > 15*time.Minute {
		t.Errorf("got %v, %v", who, err)
	}
	_, err = s.sts(session).GetSessionToken(t.Context(), nil)
	refused(t, err, "AccessDenied", 403)
	_, err = s.sts(s.admin()).GetSessionToken(t.Context(), &sts.GetSessionTokenInput{DurationSeconds: aws.Int32(129601)})
	refused(t, err, "ValidationError", 400)
}

const workload = "system:serviceaccount:jobs:etl"

func TestWorkloadsAssumeRolesByTheirTokens(t *testing.T) {
	s := newStand(t)
	good := webToken(t, s, workload, time.Hour)
	claims := jwt.RegisteredClaims{}
	if _, _, err := jwt.NewParser().ParseUnverified(good, &claims); err != nil {
		t.Fatal(err)
	}
	forged := func(change func(*jwt.RegisteredClaims)) string {
		mine := claims
		change(&mine)
		text, err := jwt.NewWithClaims(jwt.SigningMethodHS256, mine).SignedString([]byte("guess"))
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	head, signature := good[:strings.LastIndex(good, ".")], good[strings.LastIndex(good, "."):]
	for name, c := range map[string]struct {
		token string
		role  string
		code  string
	}{
		"good":                    {good, "AirhookDev", ""},
		"expired":                 {webToken(t, s, workload, -time.Minute), "AirhookDev", "ExpiredTokenException"},
		"expired just now":        {webToken(t, s, workload, 0), "AirhookDev", "ExpiredTokenException"},
		"another subject":         {webToken(t, s, "repo:somebody/else", time.Hour), "AirhookDev", "AccessDenied"},
		"a role without trust":    {good, "RedshiftRole", "AccessDenied"},
		"a role that isn't there": {good, "gone", "AccessDenied"},
		"no token":                {"this is no token", "AirhookDev", "InvalidIdentityToken"},
		"signed by somebody":      {forged(func(*jwt.RegisteredClaims) {}), "AirhookDev", "InvalidIdentityToken"},
		"of another issuer":       {forged(func(c *jwt.RegisteredClaims) { c.Issuer = "https://accounts.google.com" }), "AirhookDev", "InvalidIdentityToken"},
		"with a broken signature": {head + signature[:8] + "AAAA" + signature[12:], "AirhookDev", "InvalidIdentityToken"},
		"without a signature":     {head + ".", "AirhookDev", "InvalidIdentityToken"},
	} {
		t.Run(name, func(t *testing.T) {
			in := &sts.AssumeRoleWithWebIdentityInput{RoleArn: aws.String("arn:aws:iam::123456789012:role/" + c.role), RoleSessionName: aws.String("pod"), WebIdentityToken: &c.token, DurationSeconds: aws.Int32(7200)}
			out, err := s.sts(cloud.Principal{}).AssumeRoleWithWebIdentity(t.Context(), in)
			if c.code != "" {
				status := 400
				if c.code == "AccessDenied" {
					status = 403
				}
				refused(t, err, c.code, status)
				if strings.Contains(s.log.String(), c.token) {
					t.Error("the log holds the token")
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			who, err := s.sts(principalOf(*out.Credentials.AccessKeyId, *out.Credentials.SecretAccessKey, *out.Credentials.SessionToken)).GetCallerIdentity(t.Context(), nil)
			if err != nil || *who.Arn != "arn:aws:sts::123456789012:assumed-role/AirhookDev/pod" || *out.SubjectFromWebIdentityToken != workload || *out.Audience != "sts.amazonaws.com" {
				t.Errorf("got %v, %v", who, err)
			}
		})
	}
	_, err := s.sts(s.admin()).AssumeRole(t.Context(), assume("RedshiftRole", "me"))
	refused(t, err, "AccessDenied", 403)
}

func webToken(t *testing.T, s stand, subject string, life time.Duration) string {
	t.Helper()
	text, err := s.WebIdentityToken(subject, life)
	if err != nil {
		t.Fatal(err)
	}
	return text
}
