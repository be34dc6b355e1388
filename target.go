package airhook

import (
	"slices"
	"time"

	"github.com/airhook-go/airhook/internal/endpoint"
)

// Engine is the kind of database behind a connection.
type Engine string

// The engines. Redshift speaks an old PostgreSQL dialect and says so in server_version; branch on the engine, not on
// the number.
const (
	PostgreSQL Engine = "postgresql"
	Redshift   Engine = "redshift"
)

// The ways to log in, as Target.Method has them.
const (
	MethodPassword           = "password"
	MethodRDS                = "rds-iam"
	MethodRedshift           = "redshift-iam"
	MethodRedshiftServerless = "redshift-serverless-iam"
)

// TLSMode is libpq's sslmode.
type TLSMode string

// Target is what a connection means: typed, validated once, and the only thing that later steps read.
type Target struct {
	// ID is the connection's id.
	ID     string
	Engine Engine
	// Method is one of the Method constants.
	Method string
	// Host and Port are what is dialled; Host is empty when the endpoint must be looked up from Cluster or Workgroup.
	// A Host that starts with a slash is the directory of a Unix socket.
	Host string
	Port int
	// Address, when set, is dialled in Host's place (libpq's hostaddr); names in certificates stay Host's.
	Address string
	// User is the database user that the login is for; "" when that is the AWS identity's own, as on Redshift Serverless and
	// of a login [Target.WithIAM].
	Database, User string
	// Region is where the database lives and where tokens are signed for; RegionFrom says how we know.
	Region, RegionFrom string
	// Cluster and Workgroup are the identifiers that AWS knows the database by; EndpointFrom is its call that told them or Host.
	Cluster, Workgroup, EndpointFrom string
	// SignHost and SignPort are what an RDS token is signed for: the real endpoint, lower case, even when a tunnel or
	// CNAME is dialled (extras iam_host, iam_port).
	SignHost string
	SignPort int
	// DBGroups, AutoCreate and Duration are parameters of GetClusterCredentials; a zero Duration is AWS's default.
	DBGroups   []string
	AutoCreate bool
	Duration   time.Duration
	// GroupFederation asks a cluster for the AWS identity's own database user, whose groups the identity's tags name.
	GroupFederation bool
	// AWSConnID names the Airflow aws connection that signs; "" is the SDK's default chain.
	AWSConnID string
	// Profile and RoleARN narrow the AWS identity further.
	Profile, RoleARN string
	// Principal is an opaque word for who signs, filled in by the resolver: another identity, another word. It is part
	// of the cache's key and holds no secret.
	Principal string
	// Refused says why this target cannot log in although it is understood; empty when it can.
	Refused string
	TLS     TLS
	// ConnectTimeout bounds DNS, TCP, TLS and login together.
	ConnectTimeout time.Duration
	Keepalive      Keepalive
	// RuntimeParams are startup parameters; Session are statements run in each new session.
	RuntimeParams map[string]string
	Session       []string
	// Ignored lists extras without effect; Warnings what a person should look at.
	Ignored  []Ignored
	Warnings []string

	password Secret
	endpoint endpoint.Name
	guess    string            // what Cluster or Workgroup was guessed to be
	libpq    map[string]string // options of libpq that pgx has fields for
	kept     map[string]string // options that shape a session and are not sent, as somebody wrote them
}

// TLS is how the session is encrypted and what is checked.
type TLS struct {
	// Mode is the sslmode in force.
	Mode TLSMode
	// RootCert, Cert and Key are file names (sslrootcert, sslcert, sslkey); RootCert "system" means the system's roots,
	// "" the built-in ones of AWS and the system's.
	RootCert, Cert, Key string
	// MinVersion and MaxVersion are libpq's ssl_min_protocol_version and its counterpart, zero for none; below TLS 1.2
	// nothing is spoken.
	MinVersion, MaxVersion uint16
}

// Keepalive is TCP keepalive; a zero value leaves Go's or the default of 30 seconds.
type Keepalive struct {
	Off            bool
	Idle, Interval time.Duration
	Count          int
}

// Ignored is an extra key that has no effect here, and why.
type Ignored struct {
	Key    string `json:"key"`
	Reason string `json:"reason"`
}

// EndpointRegion returns the region that the endpoint's name tells, or "".
func (t Target) EndpointRegion() string { return t.endpoint.Region }

// EndpointAccount returns the account that a serverless endpoint's name tells, or "".
func (t Target) EndpointAccount() string { return t.endpoint.Account }

// WithIAM reports whether a cluster is asked for the AWS identity's own database user (GetClusterCredentialsWithIAM), which
// is named IAM:user or IAMR:role.
func (t Target) WithIAM() bool {
	return t.Method == MethodRedshift && (t.User == "" || t.GroupFederation)
}

// GuessedID reports whether Cluster or Workgroup is only the first label of a host that is no AWS endpoint. The host may
// be a custom domain, and AWS know better.
func (t Target) GuessedID() bool { return t.guess != "" }

// Identified returns the target with the cluster or workgroup that AWS says it is, in a guess's place and without the
// guess's warning.
func (t Target) Identified(id string) Target {
	t.Warnings = slices.DeleteFunc(slices.Clone(t.Warnings), func(w string) bool { return t.guess != "" && w == guessed(t.guess) })
	t.guess = ""
	if t.Method == MethodRedshiftServerless {
		t.Workgroup = id
	} else {
		t.Cluster = id
	}
	return t
}
