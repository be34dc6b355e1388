package airhook

import (
	"cmp"
	"context"
	"errors"
	"maps"

	"github.com/airhook-go/airhook/internal/mask"
)

// Explanation is what airhook understood of a connection, ready for JSON. It holds no secret; what could not be learnt
// is null or empty and has a warning.
type Explanation struct {
	Connection   string    `json:"connection"`
	FoundIn      string    `json:"found_in"`
	Engine       Engine    `json:"engine"`
	Method       string    `json:"method"`
	Host         string    `json:"host"`
	Port         int       `json:"port"`
	Database     string    `json:"database"`
	User         string    `json:"user"`
	Region       string    `json:"region"`
	RegionFrom   string    `json:"region_from"`
	Cluster      string    `json:"cluster"`
	Workgroup    string    `json:"workgroup"`
	EndpointFrom string    `json:"endpoint_from"`
	SignHost     string    `json:"sign_host"`
	SignPort     int       `json:"sign_port"`
	AWSConnID    string    `json:"aws_conn_id"`
	Profile      string    `json:"profile"`
	RoleARN      string    `json:"role_arn"`
	Identity     *Identity `json:"identity"`
	TLS          TLSMode   `json:"tls"`
	Session      []string  `json:"session"`
	// Parameters are what else shapes a session, under libpq's names: startup parameters, and what stays here, such as
	// connect_timeout and sslrootcert.
	Parameters map[string]string `json:"parameters"`
	// DBGroups, AutoCreate and Duration are asked of AWS with a password; Duration is "" for AWS's default.
	DBGroups   []string `json:"db_groups"`
	AutoCreate bool     `json:"auto_create"`
	Duration   string   `json:"duration"`

	Ignored  []Ignored `json:"ignored"`
	Warnings []string  `json:"warnings"`
}

// Explain says what airhook understood of a connection. It opens no session and asks AWS at most for the region, the
// endpoint and the caller's name. What cannot be learnt becomes a warning; only a connection that cannot work is an
// error.
func (c *Client) Explain(ctx context.Context, conn Connection) (Explanation, error) {
	understood, err := conn.Target()
	if err != nil {
		return Explanation{}, about(conn.ID, StageTarget, err)
	}
	t, err := c.resolve(ctx, conn)
	if t.Engine == "" { // the resolver kept what it had
		t = understood
	}
	if err != nil {
		t = c.withoutAWS(t, err)
	}
	x := Explanation{
		Connection: conn.ID, FoundIn: conn.FoundIn, Engine: t.Engine, Method: t.Method, Host: t.Host, Port: t.Port, Database: t.Database,
		User: t.User, Region: t.Region, RegionFrom: t.RegionFrom, Cluster: t.Cluster, Workgroup: t.Workgroup, EndpointFrom: t.EndpointFrom, AWSConnID: t.AWSConnID,
		Profile: t.Profile, RoleARN: t.RoleARN, TLS: t.TLS.Mode, Session: append([]string{}, t.Session...), Parameters: t.parameters(),
		DBGroups: []string{}, Ignored: append([]Ignored{}, t.Ignored...), Warnings: append([]string{}, t.Warnings...),
	}
	if t.Method == MethodRDS {
		x.SignHost, x.SignPort = t.SignHost, t.SignPort
	} else if t.Method != MethodPassword && t.Duration > 0 {
		x.Duration = t.Duration.String()
	}
	if t.Method == MethodRedshift && !t.WithIAM() {
		x.DBGroups, x.AutoCreate = append(x.DBGroups, t.DBGroups...), t.AutoCreate
	}
	if t.Refused != "" && err == nil {
		x.Warnings = append(x.Warnings, "a login is refused: "+t.Refused)
	}
	if err == nil || errors.Is(err, ErrAccessDenied) || errors.Is(err, ErrClusterNotFound) || errors.Is(err, ErrWorkgroupNotFound) {
		c.identify(ctx, t, &x)
	}
	x.masked()
	return x, nil
}

// masked hides what looks like a secret in any text: a field or an extra may hold one where none belongs.
func (x *Explanation) masked() {
	for _, text := range []*string{&x.Host, &x.Database, &x.User, &x.Region, &x.Cluster, &x.Workgroup, &x.SignHost, &x.AWSConnID, &x.Profile, &x.RoleARN} {
		*text = mask.Field(*text)
	}
	for i := range x.Session {
		x.Session[i] = mask.Field(x.Session[i])
	}
	for i := range x.DBGroups {
		x.DBGroups[i] = mask.Field(x.DBGroups[i])
	}
	for name, value := range x.Parameters {
		x.Parameters[name] = mask.Field(value)
	}
}

// parameters are the settings of a session under libpq's names.
func (t Target) parameters() map[string]string {
	all := map[string]string{"connect_timeout": t.ConnectTimeout.String()}
	for _, some := range []map[string]string{t.kept, t.libpq, t.RuntimeParams} {
		maps.Copy(all, some)
	}
	return all
}

// withoutAWS completes a target as far as it goes when AWS could not be asked.
func (c *Client) withoutAWS(t Target, err error) Target {
	t.Warnings = append(t.Warnings, withHint(err))
	if t.Region == "" && t.endpoint.Region != "" {
		t.Region, t.RegionFrom = t.endpoint.Region, "endpoint name"
	}
	return t
}

func withHint(err error) string {
	text := err.Error()
	var e *Error
	if errors.As(err, &e) && e.Hint != "" {
		text += " – " + e.Hint
	}
	if e != nil && len(e.Policy) > 0 {
		text += " (airhook policy " + e.ID + ")"
	}
	return text
}

func (c *Client) identify(ctx context.Context, t Target, x *Explanation) {
	if t.Method == MethodPassword || c.cfg.Identify == nil || t.Refused != "" {
		return
	}
	who, err := c.cfg.Identify(ctx, t)
	if err != nil {
		x.Warnings = append(x.Warnings, "who signs could not be learnt: "+withHint(err))
	}
	if who != (Identity{}) {
		x.Identity, x.RoleARN = &who, cmp.Or(t.RoleARN, who.RoleARN)
	}
	if x.User = cmp.Or(t.User, who.DatabaseUser()); x.User == "" {
		x.Warnings = append(x.Warnings, "the session's user is the AWS identity's own, IAM:… or IAMR:…, and which that is isn't known")
	}
}
