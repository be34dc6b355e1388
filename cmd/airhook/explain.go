package main

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/airhook-go/airhook"
)

func newExplain(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "explain ID",
		Short: "Say what a connection means, where each part comes from and what has no effect",
		Long: `Say what a connection means. No session is opened. AWS is asked who signs, and for the endpoint of a Redshift connection
that names only its cluster or workgroup; what can't be learnt is left out, with a warning.`,
		Args: takes(1, 1, "ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			client, err := a.client(cmd.Context())
			if err != nil {
				return err
			}
			conn, err := client.Get(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			x, err := client.Explain(cmd.Context(), conn)
			if err != nil {
				return err
			}
			if a.flags.output == "json" {
				return a.printValue(printable(x))
			}
			return a.printPairs(explanationPairs(x))
		},
	}
}

// printedExplanation is -o json of `explain`: what a connection doesn't have, or nobody could learn, is null.
type printedExplanation struct {
	Connection string            `json:"connection"`
	FoundIn    maybe[string]     `json:"found_in"`
	Engine     airhook.Engine    `json:"engine"`
	Method     string            `json:"method"`
	Host       maybe[string]     `json:"host"`
	Port       maybe[int]        `json:"port"`
	Database   maybe[string]     `json:"database"`
	User       maybe[string]     `json:"user"`
	Region     maybe[string]     `json:"region"`
	RegionFrom maybe[string]     `json:"region_from"`
	Cluster    maybe[string]     `json:"cluster"`
	Workgroup  maybe[string]     `json:"workgroup"`
	Endpoint   maybe[string]     `json:"endpoint_from"`
	SignHost   maybe[string]     `json:"sign_host"`
	SignPort   maybe[int]        `json:"sign_port"`
	AWSConnID  maybe[string]     `json:"aws_conn_id"`
	Profile    maybe[string]     `json:"profile"`
	RoleARN    maybe[string]     `json:"role_arn"`
	Identity   *printedIdentity  `json:"identity"`
	TLS        airhook.TLSMode   `json:"tls"`
	Session    []string          `json:"session"`
	Parameters map[string]string `json:"parameters"`
	DBGroups   []string          `json:"db_groups"`
	AutoCreate bool              `json:"auto_create"`
	Duration   maybe[string]     `json:"duration"`
	Ignored    []airhook.Ignored `json:"ignored"`
	Warnings   []string          `json:"warnings"`
}

type printedIdentity struct {
	Source string        `json:"source"`
	ARN    maybe[string] `json:"arn"`
}

// maybe is null when it is zero.
type maybe[T comparable] struct{ value T }

// MarshalJSON writes the value or null.
func (m maybe[T]) MarshalJSON() ([]byte, error) {
	if m == (maybe[T]{}) {
		return []byte("null"), nil
	}
	return marshal(m.value)
}

func printable(x airhook.Explanation) printedExplanation {
	text := func(s string) maybe[string] { return maybe[string]{s} }
	p := printedExplanation{
		Connection: x.Connection, FoundIn: text(x.FoundIn), Engine: x.Engine, Method: x.Method, Host: text(x.Host), Port: maybe[int]{x.Port},
		Database: text(x.Database), User: text(x.User), Region: text(x.Region), RegionFrom: text(x.RegionFrom), Cluster: text(x.Cluster),
		Workgroup: text(x.Workgroup), Endpoint: text(x.EndpointFrom), SignHost: text(x.SignHost), SignPort: maybe[int]{x.SignPort}, AWSConnID: text(x.AWSConnID), Profile: text(x.Profile),
		RoleARN: text(x.RoleARN), TLS: x.TLS, Session: x.Session, Parameters: x.Parameters, DBGroups: x.DBGroups, AutoCreate: x.AutoCreate, Duration: text(x.Duration), Ignored: x.Ignored, Warnings: x.Warnings,
	}
	if x.Identity != nil {
		p.Identity = &printedIdentity{x.Identity.Source, text(x.Identity.ARN)}
	}
	return p
}

// explanationPairs are the lines for people; empty ones are left out by the printer.
func explanationPairs(x airhook.Explanation) [][2]string {
	host, id := x.EndpointFrom, ""
	if strings.Contains(x.EndpointFrom, "Domain") { // it told whose domain the host is
		host, id = id, host
	}
	pairs := [][2]string{
		{"connection", x.Connection},
		{"found in", x.FoundIn},
		{"engine", string(x.Engine)},
		{"logs in by", x.Method},
		{"host", because(x.Host, host)},
		{"port", number(x.Port)},
		{"database", x.Database},
		{"user", x.User},
		{"region", because(x.Region, x.RegionFrom)},
		{"cluster", because(x.Cluster, id)},
		{"workgroup", because(x.Workgroup, id)},
		{"signed for", signedFor(x)},
		{"AWS connection", x.AWSConnID},
		{"profile", x.Profile},
		{"role", x.RoleARN},
	}
	if x.Identity != nil {
		pairs = append(pairs, [2]string{"identity", because(cmp.Or(x.Identity.ARN, "not known"), x.Identity.Source)})
	}
	if x.AutoCreate {
		pairs = append(pairs, [2]string{"auto_create", "AWS makes the database user"})
	}
	pairs = append(pairs, [2]string{"db_groups", strings.Join(x.DBGroups, ", ")}, [2]string{"duration", x.Duration})
	pairs = append(pairs, [2]string{"TLS", string(x.TLS)}, [2]string{"each session", strings.Join(x.Session, "; ")})
	var parameters []string
	for _, name := range slices.Sorted(maps.Keys(x.Parameters)) {
		parameters = append(parameters, name+"="+x.Parameters[name])
	}
	pairs = append(pairs, [2]string{"parameters", strings.Join(parameters, ", ")})
	for _, i := range x.Ignored {
		pairs = append(pairs, [2]string{"ignored", because(i.Key, i.Reason)})
	}
	for _, w := range x.Warnings {
		pairs = append(pairs, [2]string{"warning", w})
	}
	return pairs
}

func number(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}

// because is a value, if any, and, in brackets, where it comes from.
func because(value, from string) string {
	if value == "" || from == "" {
		return value
	}
	return value + " (" + from + ")"
}

// signedFor is shown when the token is for another address than the one dialled.
func signedFor(x airhook.Explanation) string {
	if x.SignHost == "" || x.SignHost == x.Host && x.SignPort == x.Port {
		return ""
	}
	return x.SignHost + ":" + strconv.Itoa(x.SignPort)
}
