package airhook

import (
	"context"
	"errors"

	"github.com/airhook-go/airhook/internal/mask"
)

// Explanation is what airhook understood of a connection, ready for JSON. It holds no secret; what could not be learnt
// is null or empty and has a warning.
type Explanation struct {
	Connection string    `json:"connection"`
	FoundIn    string    `json:"found_in"`
	Engine     Engine    `json:"engine"`
	Method     string    `json:"method"`
	Host       string    `json:"host"`
	Port       int       `json:"port"`
	Database   string    `json:"database"`
	User       string    `json:"user"`
	Region     string    `json:"region"`
	RegionFrom string    `json:"region_from"`
	Cluster    string    `json:"cluster"`
	Workgroup  string    `json:"workgroup"`
	SignHost   string    `json:"sign_host"`
	SignPort   int       `json:"sign_port"`
	AWSConnID  string    `json:"aws_conn_id"`
	Profile    string    `json:"profile"`
	RoleARN    string    `json:"role_arn"`
	Identity   *Identity `json:"identity"`
	TLS        TLSMode   `json:"tls"`
	Session    []string  `json:"session"`
	// Parameters are sent with the login: startup parameters, and connect_timeout, which stays here.
	Parameters map[string]string `json:"parameters"`
	Ignored    []Ignored         `json:"ignored"`
	Warnings   []string          `json:"warnings"`
}

// Explain says what airhook understood of a connection. It opens no session and asks AWS at most for the region, the
// endpoint and the caller's name. What cannot be learnt becomes a warning; only a connection that cannot work is an
// error.
func (c *Client) Explain(ctx context.Context, conn Connection) (Explanation, error) {
	t, err := conn.Target()
	if err != nil {
		return Explanation{}, about(conn.ID, StageTarget, err)
	}
	resolved, err := c.resolve(ctx, conn)
	if err == nil {
		t = resolved
	} else {
		t = c.withoutAWS(t, err)
	}
	x := Explanation{
		Connection: conn.ID, FoundIn: conn.FoundIn, Engine: t.Engine, Method: t.Method, Host: t.Host, Port: t.Port, Database: t.Database,
		User: t.User, Region: t.Region, RegionFrom: t.RegionFrom, Cluster: t.Cluster, Workgroup: t.Workgroup, AWSConnID: t.AWSConnID,
		Profile: t.Profile, RoleARN: t.RoleARN, TLS: t.TLS.Mode, Session: append([]string{}, t.Session...), Parameters: map[string]string{"connect_timeout": t.ConnectTimeout.String()},
		Ignored: append([]Ignored{}, t.Ignored...), Warnings: append([]string{}, t.Warnings...),
	}
	for name, value := range t.RuntimeParams {
		x.Parameters[name] = mask.Field(value) // options may hold anything
	}
	if t.Method == MethodRDS {
		x.SignHost, x.SignPort = t.SignHost, t.SignPort
	}
	if t.Refused != "" {
		x.Warnings = append(x.Warnings, "a login is refused: "+t.Refused)
	}
	c.identify(ctx, t, err == nil, &x)
	return x, nil
}

// withoutAWS completes a target as far as it goes when AWS could not be asked.
func (c *Client) withoutAWS(t Target, err error) Target {
	t.Warnings = append(t.Warnings, withHint(err))
	if t.Region == "" && t.endpoint.Region != "" {
		t.Region, t.RegionFrom = t.endpoint.Region, "endpoint name"
	}
	if t.Port == 0 {
		t.Port = t.Engine.defaultPort()
	}
	return t
}

func withHint(err error) string {
	text := err.Error()
	var e *Error
	if errors.As(err, &e) && e.Hint != "" {
		text += " – " + e.Hint
	}
	return text
}

func (c *Client) identify(ctx context.Context, t Target, resolved bool, x *Explanation) {
	if t.Method == MethodPassword || c.cfg.Identify == nil || !resolved || t.Refused != "" {
		return
	}
	who, err := c.cfg.Identify(ctx, t)
	if err != nil {
		x.Warnings = append(x.Warnings, "who signs could not be learnt: "+withHint(err))
	}
	if who != (Identity{}) {
		x.Identity = &who
	}
}
