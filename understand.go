package airhook

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/airhook-go/airhook/internal/endpoint"
	"github.com/airhook-go/airhook/internal/extras"
	"github.com/airhook-go/airhook/internal/mask"
)

const (
	defaultConnectTimeout = 10 * time.Second
	defaultAWSConn        = "aws_default" // Airflow's default for aws_conn_id
)

// Target says what the connection means: every field and extra understood, listed as ignored, or refused with an
// ErrInvalid that names it. It looks nothing up; region and endpoint that the extra and the endpoint's name don't tell
// are left to the resolver of the [Client].
func (c Connection) Target() (Target, error) {
	r := newReader(c)
	t := Target{ID: c.ID, RuntimeParams: map[string]string{"application_name": "airhook"}}
	for _, read := range []func(*Target){r.where, r.method, r.identity, r.names, r.tls, r.network, r.leftovers, r.unused} {
		if !r.Undecided() {
			read(&t)
		}
	}
	if err := r.err(); err != nil {
		return Target{}, err
	}
	return t, nil
}

// where reads host, port and address.
func (r *reader) where(t *Target) {
	switch r.conn.Type {
	case "postgres", "postgresql", "redshift":
	case "aws":
		r.Fail("conn_type", errors.New("conn_type aws is an identity, not a database"), "name it as aws_conn_id in the extra of a postgres or redshift connection")
	case "":
		r.Fail("conn_type", errors.New("conn_type is missing"), "set conn_type to postgres or redshift")
	default:
		r.Fail("conn_type", fmt.Errorf("conn_type %q opens no database session", mask.Field(r.conn.Type)), "airhook opens postgres and redshift connections")
	}
	t.Host = strings.TrimSpace(r.same("host", r.conn.Host, extras.Host))
	if bare := strings.TrimSuffix(strings.TrimPrefix(t.Host, "["), "]"); endpoint.IsAddress(bare) {
		t.Host = bare // IPv6 as a URL has it
	}
	if t.Address = r.Text(extras.Address); t.Address != "" && !endpoint.IsAddress(t.Address) {
		r.Fail("hostaddr", fmt.Errorf("extra %s is %q, no IP address", r.Quoted(extras.Address), mask.Field(t.Address)), "write the address to dial, as 127.0.0.1; a name goes into host")
	}
	t.endpoint = endpoint.Parse(t.Host)
	if problem := endpoint.Problem(t.Host); problem != "" {
		r.Fail("host", fmt.Errorf("host %s", problem), "write the bare host name; port and database have fields of their own")
	}
	t.Port = r.port()
}

func (r *reader) port() int {
	extra := r.Number(extras.Port, 1, 65535)
	field := r.conn.Port
	if !r.conn.Has(FieldPort) {
		return extra
	}
	if field < 1 || field > 65535 {
		r.Fail("port", fmt.Errorf("port %d is not from 1 to 65535", field), "")
	}
	if extra != 0 && extra != field {
		r.Fail("port", fmt.Errorf("field port is %d and extra %s is %d", field, r.Quoted(extras.Port), extra), "keep one of the two")
	}
	return field
}

// method tells the engine and the way to log in.
func (r *reader) method(t *Target) {
	iam, iamGiven := r.Flag(extras.IAM)
	redshift, redshiftGiven := r.Flag(extras.Redshift)
	serverless, serverlessGiven := r.Flag(extras.Serverless)
	if redshift && serverless {
		r.Fail(r.Key(extras.Serverless), fmt.Errorf("extra %s and %s are both true", r.Quoted(extras.Redshift), r.Quoted(extras.Serverless)), "a cluster is redshift, a workgroup is redshift-serverless: keep the one that is true")
	}
	if r.conn.Type == "redshift" && !serverlessGiven && !redshift && t.endpoint.Service == "redshift-serverless" {
		serverless = true
	}
	if r.conn.Type != "redshift" && !redshiftGiven && !serverlessGiven && !redshift && !serverless {
		r.byEndpoint(t, &redshift, &serverless)
	}
	t.Engine = PostgreSQL
	if r.conn.Type == "redshift" || redshift || serverless {
		t.Engine = Redshift
	}
	// A role without a password means IAM, said or not (Astronomer's "Create an Amazon Redshift connection", IAM role).
	if !iamGiven && t.Engine == Redshift && r.Text(extras.Role) != "" && r.password().IsZero() {
		iam = true
	}
	switch {
	case !iam:
		t.Method = MethodPassword
	case serverless:
		t.Method = MethodRedshiftServerless
	case t.Engine == Redshift:
		t.Method = MethodRedshift
	default:
		t.Method = MethodRDS
	}
}

// byEndpoint tells the engine by the endpoint's name when no switch says it.
func (r *reader) byEndpoint(t *Target, redshift, serverless *bool) {
	switch t.endpoint.Service {
	case "redshift":
		*redshift = true
	case "redshift-serverless":
		*serverless = true
	default:
		return
	}
	t.Warnings = append(t.Warnings, fmt.Sprintf("the host is a %s endpoint: treated as %s although the extra does not say so", t.endpoint.Service, t.endpoint.Service))
}

func (r *reader) password() Secret {
	extra := NewSecret(r.Text(extras.Password))
	if !r.conn.Password.IsZero() && !extra.IsZero() && r.conn.Password != extra {
		r.Fail("password", errors.New("field password and extra \"password\" differ"), "keep one of the two")
	}
	return cmp.Or(r.conn.Password, extra)
}

// identity reads user, database and who signs.
func (r *reader) identity(t *Target) {
	t.User = r.same("login", r.conn.Login, extras.User)
	t.Database = r.same("schema", r.conn.Schema, extras.Database)
	if t.Database == "" && t.Engine == Redshift {
		t.Database = "dev" // what Redshift creates when nobody names one
		t.Warnings = append(t.Warnings, `no database is named: "dev", Redshift's own default, is used`)
	}
	t.Profile, t.RoleARN = r.Text(extras.Profile), r.Text(extras.Role)
	if t.AWSConnID = defaultAWSConn; r.Has(extras.AWSConn) {
		t.AWSConnID = r.Text(extras.AWSConn)
	}
	password := r.password()
	if t.Method == MethodPassword {
		switch t.password = password; {
		case !r.lookedUp(t):
			t.AWSConnID = ""
		case password.IsZero():
			r.Fail("iam", errors.New("there is neither a password nor iam"), `set "iam": true in the extra to log in with an AWS identity, or set a password`)
			return
		}
		if t.User == "" {
			r.Fail("login", errors.New("the login is missing"), "set login to the database user")
		}
		return
	}
	if !password.IsZero() {
		t.Warnings = append(t.Warnings, "the password is ignored: iam is on")
	}
	r.user(t)
}

// lookedUp reports whether a password logs in to what only AWS knows the endpoint of: a cluster or workgroup without a host.
func (r *reader) lookedUp(t *Target) bool {
	return t.Method == MethodPassword && t.Engine == Redshift && t.Host == "" && (r.Has(extras.Cluster) || r.Has(extras.Workgroup))
}

// user finds out whether the session's user is the named one or the AWS identity's own, IAM:user or IAMR:role.
func (r *reader) user(t *Target) {
	federation, _ := r.Flag(extras.Federation)
	t.GroupFederation = federation && t.Method == MethodRedshift
	switch {
	case t.User == "" && t.Method == MethodRDS:
		r.Fail("login", fmt.Errorf("the login is missing: %s logs in as a database user", t.Method), "set login to the database user that the token is for")
	case t.User != "" && (t.GroupFederation || t.Method == MethodRedshiftServerless):
		key := "login"
		if r.conn.Login == "" {
			key = r.Key(extras.User)
		}
		t.Ignored = append(t.Ignored, Ignored{key, "the session's user is the AWS identity's own, IAM:… or IAMR:…"})
		t.User = ""
	case t.User == "" && t.Method == MethodRedshift && !t.GroupFederation && t.RoleARN == "" && t.Profile == "":
		t.Warnings = append(t.Warnings, "no login is named: the session's user is the AWS identity's own, IAM:… or IAMR:…")
	}
}

// names finds region, cluster and workgroup, and what a token is signed for.
func (r *reader) names(t *Target) {
	if t.Region = r.Text(extras.Region); t.Region != "" {
		t.RegionFrom = "extra " + r.Key(extras.Region)
		if !endpoint.IsRegion(t.Region) {
			t.Warnings = append(t.Warnings, fmt.Sprintf("%s is %q, which is no region's name", t.RegionFrom, mask.Field(t.Region)))
		}
	}
	cluster, workgroup := r.Text(extras.Cluster), r.Text(extras.Workgroup)
	switch t.Method {
	case MethodRedshift:
		t.Cluster = cmp.Or(cluster, t.endpoint.Of("redshift"), firstLabel(t, cluster))
		r.sameName(t, extras.Cluster, "cluster", cluster, t.endpoint.Of("redshift"))
		hint := "set host to the cluster's endpoint, or cluster-identifier in the extra"
		if r.Has(extras.Workgroup) {
			hint += "; a workgroup needs redshift-serverless or is_serverless to be true"
		}
		if t.Cluster == "" {
			r.Fail("cluster-identifier", errors.New("neither host nor cluster-identifier tells the cluster"), hint)
		}
	case MethodRedshiftServerless:
		t.Workgroup = cmp.Or(workgroup, t.endpoint.Of("redshift-serverless"), firstLabel(t, workgroup))
		r.sameName(t, extras.Workgroup, "workgroup", workgroup, t.endpoint.Of("redshift-serverless"))
		if t.Workgroup == "" {
			r.Fail("workgroup-name", errors.New("neither host nor workgroup-name tells the workgroup"), "set host to the workgroup's endpoint, or workgroup-name in the extra")
		}
	default:
		serverless, _ := r.Flag(extras.Serverless)
		switch found := r.lookedUp(t); {
		case found && workgroup != "" && (serverless || cluster == ""):
			t.Workgroup = workgroup
		case found && cluster != "" && !serverless:
			t.Cluster = cluster
		case t.Host == "":
			r.Fail("host", errors.New("the host is missing"), "set host to the database's address")
		}
	}
	if problem := endpoint.Problem(r.Text(extras.SignHost)); problem != "" {
		r.Fail("iam_host", fmt.Errorf("extra %s %s", r.Quoted(extras.SignHost), problem), "write the endpoint's bare name; its port goes into iam_port")
	}
	t.SignHost = endpoint.CanonicalHost(cmp.Or(r.Text(extras.SignHost), t.Host))
	if t.Host != "" && t.Port == 0 {
		t.Port = t.Engine.defaultPort()
	}
	if t.SignPort = r.Number(extras.SignPort, 1, 65535); t.SignPort == 0 {
		t.SignPort = t.Port
	}
}

// sameName warns of an identifier and an endpoint that are not of one cluster or workgroup.
func (r *reader) sameName(t *Target, o extras.Option, kind, given, endpoint string) {
	if given != "" && endpoint != "" && !strings.EqualFold(given, endpoint) {
		t.Warnings = append(t.Warnings, fmt.Sprintf("the endpoint's name says %s %s, %s says %s: a password for another is refused", kind, endpoint, r.Key(o), mask.Field(given)))
	}
}

func (e Engine) defaultPort() int {
	if e == Redshift {
		return 5439
	}
	return 5432
}

// firstLabel is Airflow's guess for names that are no AWS endpoints: the host's first label. A VPC endpoint's or an
// address's would be wrong for certain, and what somebody named is no guess.
func firstLabel(t *Target, named string) string {
	if named != "" || endpoint.IsAddress(t.Host) || t.Host == "" || t.endpoint.Service != "" {
		return ""
	}
	t.guess, _, _ = strings.Cut(t.Host, ".")
	t.Warnings = append(t.Warnings, guessed(t.guess))
	return t.guess
}

func guessed(label string) string {
	return fmt.Sprintf("the host is no AWS endpoint: unless AWS knows it as a custom domain, its first label %q is taken for the identifier", mask.Field(label))
}

var tlsModes = []TLSMode{"disable", "allow", "prefer", "require", "verify-ca", "verify-full"}

// tls reads what libpq's sslmode family says. A token is never sent without TLS.
func (r *reader) tls(t *Target) {
	t.TLS = TLS{
		RootCert: r.Text(extras.RootCert), Cert: r.Text(extras.Cert), Key: r.Text(extras.Key),
		MinVersion: r.TLSVersion(extras.TLSMin), MaxVersion: r.TLSVersion(extras.TLSMax),
	}
	if (t.TLS.Cert == "") != (t.TLS.Key == "") {
		r.Fail("sslcert", errors.New("extra has one of sslcert and sslkey without the other"), "name both files, or neither")
	}
	mode := TLSMode(r.Text(extras.TLSMode))
	ssl, sslGiven := r.Flag(extras.TLS)
	switch strict := slices.Index(tlsModes, mode); {
	case mode == "":
		mode = r.defaultMode(t, ssl)
		if sslGiven && !ssl {
			mode = "disable"
		}
	case ssl && mode == "disable", sslGiven && !ssl && strict > slices.Index(tlsModes, "prefer"):
		r.Fail("sslmode", fmt.Errorf("extra \"ssl\" is %t and \"sslmode\" is %q", ssl, mode), "keep one of the two")
	case ssl && strict >= 0 && strict <= slices.Index(tlsModes, "prefer"):
		t.Warnings = append(t.Warnings, fmt.Sprintf("sslmode %s is treated as require: ssl is true", mode))
		mode = "require"
	}
	if !slices.Contains(tlsModes, mode) {
		r.Fail("sslmode", fmt.Errorf("extra \"sslmode\" is %q", mask.Field(string(mode))), "one of disable, allow, prefer, require, verify-ca, verify-full")
	}
	if t.Method != MethodPassword {
		if strings.HasPrefix(t.Host, "/") {
			r.Fail("host", errors.New("with iam the session needs TLS, and a Unix socket has none: a token is never sent in clear"), "set host to the database's endpoint; the address of a tunnel goes into hostaddr")
		}
		switch mode {
		case "disable":
			r.Fail("sslmode", errors.New("with iam the session needs TLS: a token is never sent in clear, and AWS refuses it"), "remove sslmode (verify-full is the default), or set it to require or stricter")
		case "allow", "prefer":
			t.Warnings = append(t.Warnings, fmt.Sprintf("sslmode %s is treated as require: a token is never sent without TLS", mode))
			mode = "require"
		}
		if mode == "require" && t.TLS.RootCert == "" {
			t.Warnings = append(t.Warnings, "sslmode require does not check who the server is: whoever answers at that address gets the token")
		}
	}
	t.TLS.Mode = mode
}

// defaultMode is the sslmode when none is given. "ssl": true of a Redshift connection is redshift_connector's, and there
// means verify-ca.
func (r *reader) defaultMode(t *Target, ssl bool) TLSMode {
	switch {
	case t.Method != MethodPassword, t.Host == "", t.endpoint.Service != "", t.TLS.RootCert != "":
		return "verify-full"
	case strings.HasPrefix(t.Host, "/"):
		return "disable"
	case ssl && r.conn.Type == "redshift":
		return "verify-ca"
	case ssl:
		return "require"
	}
	return "prefer" // libpq's
}

func (r *reader) network(t *Target) {
	t.ConnectTimeout, t.kept = defaultConnectTimeout, r.Kept()
	if n := r.Number(extras.Timeout, 0, 3600); n > 0 {
		t.ConnectTimeout = time.Duration(n) * time.Second
	}
	alive, given := r.Flag(extras.Alive)
	t.Keepalive = Keepalive{
		Off: given && !alive, Count: r.Number(extras.AliveCount, 0, 1000),
		Idle:     time.Duration(r.Number(extras.AliveIdle, 0, 86400)) * time.Second,
		Interval: time.Duration(r.Number(extras.AliveEvery, 0, 86400)) * time.Second,
	}
	t.DBGroups = r.List(extras.Groups)
	t.AutoCreate, _ = r.Flag(extras.AutoCreate)
	t.Duration = time.Duration(r.Number(extras.Duration, 900, 3600)) * time.Second
}

// unused lists what the extra says that this way to log in has no use for.
func (r *reader) unused(t *Target) {
	way := extras.Way{
		IAM: t.Method != MethodPassword, Found: r.lookedUp(t), RDS: t.Method == MethodRDS, Cluster: t.Method == MethodRedshift, Workgroup: t.Method == MethodRedshiftServerless,
		Named: t.Method == MethodRedshift && !t.WithIAM(), Type: r.conn.Type == "redshift",
	}
	for _, u := range r.Unused(way) {
		t.Ignored = append(t.Ignored, Ignored(u))
	}
	slices.SortFunc(t.Ignored, func(a, b Ignored) int { return strings.Compare(a.Key, b.Key) })
}
