package extras

import (
	"fmt"
	"strings"
)

// Placeholder returns what stands in a value to be replaced, such as <your-region>, or "". Guides print them, and people
// copy them.
func Placeholder(value string) string {
	_, rest, found := strings.Cut(value, "<")
	name, _, closed := strings.Cut(rest, ">")
	if !found || !closed || name == "" || strings.Trim(strings.ToLower(name), "abcdefghijklmnopqrstuvwxyz0123456789_- ") != "" {
		return ""
	}
	return "<" + name + ">"
}

// examples are what a value looks like.
var examples = map[Option]string{
	Cluster: "my-cluster", Workgroup: "my-workgroup", Region: "us-east-1", User: "app", Database: "dev", Profile: "default",
	Role: "arn:aws:iam::123456789012:role/etl", Host: "my-cluster.abc.us-east-1.redshift.amazonaws.com", AWSConn: "aws_default",
}

// Filled fails for a value of a field or key that still has the placeholder of a guide.
func (r *Reader) Filled(field string, o Option, value string) {
	left := Placeholder(value)
	if left == "" {
		return
	}
	hint := "write your own value in place of " + left
	if example, ok := examples[o]; ok {
		hint += ", as in " + example
	}
	name := r.Key(o)
	if of, ok := strings.CutPrefix(field, "field "); ok {
		name = of
	}
	r.Fail(name, fmt.Errorf("%s still has the placeholder %s", field, left), hint) // and nothing else is said of it
}
