package iam

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/airhook-go/airhook"
	"github.com/airhook-go/airhook/aws/session"
)

// Needs is what a login needs of AWS and of the database, and no more.
type Needs struct {
	// Permissions is the IAM document for the identity that logs in. Of a login by a role it also allows, in a statement of
	// its own, whoever assumes the role to do so.
	Permissions json.RawMessage
	// Trust is the trust policy of the role that logs in; nil when no role is known.
	Trust json.RawMessage
	// Role and Caller are Permissions by who has to have them, where a role logs in: the role, and whoever assumes it. Without
	// a role, nil.
	Role, Caller json.RawMessage
	// SQL are the statements that the database needs, run by somebody who may create users.
	SQL []string
	// Notes say where each document belongs, what stands for something that isn't known, and how to find that.
	Notes []string
	// Resource is the ARN that the login asks for.
	Resource string
}

// The statements of a login by a role belong to two identities.
const (
	sidLogin  = "ForTheRole"
	sidAssume = "ForWhoAssumesTheRole"
)

// Needs says what a target's login needs, also of one whose endpoint nobody may look up yet: it need not be resolved. AWS is
// asked for account and ids, for three seconds at most; what it doesn't tell has a note. A password needs nothing of AWS:
// ErrInvalid.
func (l *Logins) Needs(ctx context.Context, t airhook.Target) (Needs, error) {
	if t.Method == airhook.MethodPassword && t.Host == "" && t.Cluster+t.Workgroup != "" {
		ctx, t = context.WithValue(ctx, onlyLookKey{}, true), asLookedUp(t)
	}
	if t.Method == airhook.MethodPassword {
		return Needs{}, invalid(t, airhook.StageTarget, "the connection logs in with a password: AWS has no part in it", "set iam to true in the extra to log in with an AWS identity")
	}
	s, err := l.place(ctx, &t)
	if err != nil {
		return Needs{}, err
	}
	ask, cancel := context.WithTimeout(ctx, identifyTimeout)
	defer cancel()
	var n Needs
	if wrong := elsewhere(t); wrong != nil {
		t = inItsRegion(t)
		n.note("%s: %s. The policy is for the endpoint's region", wrong[0].why, wrong[0].do)
	}
	guessed := t.GuessedID()
	l.customDomain(ask, s, &t)
	who, err := l.Identify(ask, t)
	if ctx.Err() != nil {
		return Needs{}, inStage(t, session.Failure(ctx, "ask STS who signs", ctx.Err()))
	}
	if err != nil {
		n.note("AWS could not be asked who signs: %v", err)
	}
	all := n.statements(ask, l, s, t, who.ARN)
	n.Resource = all[0].Resource[0]
	if guessed && strings.Contains(t.Host, ".") {
		all = n.domain(t, all)
	}
	n.trust(ask, l, s, t, who)
	if assumed := n.assumes(s); len(assumed) > 0 {
		n.Role, n.Caller = policy(all), policy(assumed)
		all = append(numbered(all, sidLogin), numbered(assumed, sidAssume)...)
	}
	n.Permissions = policy(all)
	if onlyLook(ctx) {
		n.SQL = []string{}
		n.note("the database user logs in with a password: the policy is for the endpoint's look-up, and not needed once host is set")
		return n, nil
	}
	n.sql(t, user(s, who.ARN))
	return n, nil
}

func (n *Needs) note(format string, args ...any) {
	n.Notes = append(n.Notes, fmt.Sprintf(format, args...))
}

// statements are those of the login, with what AWS tells of the names in them.
func (n *Needs) statements(ctx context.Context, l *Logins, s *session.Session, t airhook.Target, caller string) []statement {
	f := facts{account: account(s, t, caller), onlyLook: onlyLook(ctx)}
	switch t.Method {
	case airhook.MethodRDS:
		n.database(ctx, l, s, t, &f)
	case airhook.MethodRedshiftServerless:
		found, err := l.resource(ctx, s, t)
		if f.workgroup = found.arn; f.workgroup != "" {
			f.account = accountOf(found.arn)
			break
		}
		n.note("* stands for the workgroup's id, which AWS did not tell%s: aws redshift-serverless get-workgroup --workgroup-name %s --query workgroup.workgroupArn", because(err), shellWord(t.Workgroup))
	}
	if f.account == "" {
		n.note("* stands for the account of the database, twelve digits: aws sts get-caller-identity, as somebody of that account")
	}
	return statements(t, f)
}

// domain: to know the cluster or workgroup behind a custom domain is a permission too.
func (n *Needs) domain(t airhook.Target, all []statement) []statement {
	ask := domainStatement(t)
	if t.GuessedID() {
		n.note("%s is only a guess from the host's name, which may be a custom domain: then %s tells whose it is, and the other statements have to name that one; to settle it, %s", what(t), ask.Action, settles(t))
	} else {
		n.note("%s tells that %s is the domain of %s; with %s in the extra it is not needed", ask.Action, t.Host, what(t), idKey(t))
	}
	return append(all, ask)
}

// database notes the resource id, which the policy leaves open: a refusal, which can't look it up, names the same policy.
func (n *Needs) database(ctx context.Context, l *Logins, s *session.Session, t airhook.Target, f *facts) {
	found, err := l.database(ctx, s, t)
	if found.arn != "" {
		f.account = accountOf(found.arn)
	}
	any := anyResourceID(t.SignHost)
	if found.id != "" {
		exact := strings.Replace(statements(t, *f)[0].Resource[0], "dbuser:"+any+"/", "dbuser:"+found.id+"/", 1)
		n.note("%s stands for the resource id, which is %s; to let in to this database alone, write %s", any, found.id, exact)
	} else {
		id, _ := secondLabel(t.SignHost)
		n.note("%s stands for the resource id, which AWS did not tell%s; to let in to one database alone, put its id there: %s", any, because(err), findResourceID(any, id))
	}
	if found.iamOff {
		n.note("IAM authentication is off for this database: switch it on (aws rds modify-db-cluster or modify-db-instance, --enable-iam-database-authentication)")
	}
}

func findResourceID(any, id string) string {
	id = shellWord(id)
	switch any {
	case "cluster-*":
		return "aws rds describe-db-clusters --db-cluster-identifier " + id + " --query 'DBClusters[].DbClusterResourceId'"
	case "prx-*":
		return "the end of what this prints: aws rds describe-db-proxies --db-proxy-name " + id + " --query 'DBProxies[].DBProxyArn'"
	}
	return "aws rds describe-db-instances --db-instance-identifier " + id + " --query 'DBInstances[].[DbiResourceId,DBClusterIdentifier]'; of a cluster's member it is the cluster's"
}

// shellWord is a text as one word of a shell's command: what is printed is copied.
func shellWord(text string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_.", r)
	}
	if text != "" && strings.IndexFunc(text, func(r rune) bool { return !plain(r) }) < 0 {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}

// because is a reason in brackets, on one line.
func because(err error) string {
	if err == nil {
		return ""
	}
	return " (" + err.Error() + ")"
}

// assumes are the permissions to assume the role that logs in. A web identity needs none.
func (n *Needs) assumes(s *session.Session) []statement {
	how, assumed := s.Assumed()
	if !assumed || how.TokenFile != "" {
		return nil
	}
	n.note("statement %s belongs to whoever assumes %s; in the role's own account its trust policy is enough when it names the caller. The others belong to the role", sidAssume, s.RoleARN)
	var all []statement
	for _, action := range actions(how) {
		all = append(all, statement{Action: action, Resource: []string{s.RoleARN}})
	}
	return all
}

// numbered gives statements ids, which are unlike in one document.
func numbered(all []statement, sid string) []statement {
	for i := range all {
		if all[i].Sid = sid; i > 0 {
			all[i].Sid += strconv.Itoa(i + 1)
		}
	}
	return all
}

// user is the database user that AWS makes of an identity: IAM:alice, IAMR:etl; "" when it isn't known.
func user(s *session.Session, arn string) string {
	kind, path, _ := strings.Cut(last(arn), "/")
	parts := strings.Split(path, "/")
	switch {
	case kind == "user":
		return "IAM:" + parts[len(parts)-1]
	case kind == "assumed-role":
		return "IAMR:" + parts[0]
	case s.RoleARN != "":
		return "IAMR:" + s.RoleARN[strings.LastIndexByte(s.RoleARN, '/')+1:]
	}
	return ""
}
