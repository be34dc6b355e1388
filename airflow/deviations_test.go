package airflow_test

import "maps"

// deviation is an answer that differs on purpose from that of Airflow's server.
type deviation struct {
	why string
	// sdk: the task SDK's answer is ours.
	sdk bool
	// members are those of the answer that are ours alone.
	members map[string]string
}

func (d deviation) apply(answer map[string]string) map[string]string {
	if d.members["error"] != "" {
		return d.members
	}
	answer = maps.Clone(answer)
	maps.Copy(answer, d.members)
	return answer
}

const (
	keepsNumbers = "a number keeps its digits"
	keepsID      = "an id is never dropped or cut without a word"
	keepsString  = "a string that looks like JSON goes into __extra__, or it would be read back as something else"
	halfHost     = "Airflow reads its own answer as another host: a :// without a protocol, or without a host, is quoted"
	surrogate    = "half a surrogate pair goes into __extra__, escaped; Airflow can't write it"
)

// deviations by line of testdata/connections.jsonl; docs/airflow-compat.md has a row for each reason.
var deviations = map[int]deviation{
	// parse
	71: {why: keepsNumbers, members: map[string]string{
		"extra":   `{"timeout": 30, "ssl": true, "ratio": 0.10, "none": null, "list": [1, 2], "obj": {"k": "v"}, "text": "abc"}`,
		"as_json": `{"conn_type": "postgres", "host": "h", "schema": "x", "extra": {"timeout": 30, "ssl": true, "ratio": 0.10, "none": null, "list": [1, 2], "obj": {"k": "v"}, "text": "abc"}}`,
		"get_uri": "postgres://h/x?__extra__=%7B%22timeout%22%3A+30%2C+%22ssl%22%3A+true%2C+%22ratio%22%3A+0.10%2C+%22none%22%3A+null%2C+%22list%22%3A+%5B1%2C+2%5D%2C+%22obj%22%3A+%7B%22k%22%3A+%22v%22%7D%2C+%22text%22%3A+%22abc%22%7D",
	}},
	72: {why: keepsNumbers, members: map[string]string{
		"extra":   `{"account": "000123", "zip": 12345, "ver": 1.10, "exp": 2e3, "neg": -0, "big": 98765432109876543210}`,
		"as_json": `{"conn_type": "postgres", "host": "h", "schema": "x", "extra": {"account": "000123", "zip": 12345, "ver": 1.10, "exp": 2e3, "neg": -0, "big": 98765432109876543210}}`,
		"get_uri": "postgres://h/x?__extra__=%7B%22account%22%3A+%22000123%22%2C+%22zip%22%3A+12345%2C+%22ver%22%3A+1.10%2C+%22exp%22%3A+2e3%2C+%22neg%22%3A+-0%2C+%22big%22%3A+98765432109876543210%7D",
	}},
	140: {why: surrogate, members: map[string]string{
		"get_uri": "postgres://h/x?__extra__=%7B%22k%22%3A+%22%5C%5C%5C%22%22%2C+%22k2%22%3A+%22%5Cud83d%22%7D",
	}},
	144: {why: keepsID, sdk: true},
	148: {why: keepsID, sdk: true},
	149: {why: keepsID, sdk: true},
	// format
	163: refused("a port is a number"),
	186: {why: "Airflow can't read its own answer: a key __extra__ goes into __extra__", members: map[string]string{
		"get_uri": "postgres://h/db?__extra__=%7B%22__extra__%22%3A+%22z%22%7D",
	}},
	190: {why: keepsNumbers, members: map[string]string{
		"as_json": `{"conn_type": "postgres", "host": "h", "schema": "db", "extra": {"a": 1.0, "b": 1e2, "c": 1E400, "d": -0.0, "e": 12345678901234567890}}`,
	}},
	193: {why: keepsString, members: map[string]string{"get_uri": "postgres://h/db?__extra__=%7B%22n%22%3A+%225%22%7D"}},
	194: {why: keepsString, members: map[string]string{"get_uri": "postgres://h/db?__extra__=%7B%22t%22%3A+%22true%22%7D"}},
	197: {why: surrogate, members: map[string]string{"get_uri": "postgres://h/db?__extra__=%7B%22a%22%3A+%22%5Cud83d%22%7D"}},
	213: {why: "Airflow can't read its own answer: a protocol that equals the scheme is quoted in any case", members: map[string]string{
		"get_uri": "http://http%3A%2F%2Fhost",
	}},
	218: {why: halfHost, members: map[string]string{"get_uri": "http://%3A%2F%2Fh"}},
	219: {why: halfHost, members: map[string]string{"get_uri": "http://h%3A%2F%2F"}},
	// from_json
	252: {why: keepsNumbers, members: map[string]string{
		"extra":   "{\"k\": \"\\u00fc\", \"n\": 1.50}",
		"as_json": "{\"extra\": {\"k\": \"\\u00fc\", \"n\": 1.50}}",
		"get_uri": "///?__extra__=%7B%22k%22%3A+%22%5Cu00fc%22%2C+%22n%22%3A+1.50%7D",
	}},
	253: {why: keepsNumbers, members: map[string]string{"as_json": `{"extra": {"k": 1.50}}`}},
	257: {why: "connections belong to no team here; dropping it would lose it", sdk: true},
	258: {why: "a bare number is the text that the database makes of it", members: map[string]string{
		"host": "5", "as_json": `{"host": "5"}`, "get_uri": "//5",
	}},
	// row, row_error
	365: odd, 367: rsUser, 385: odd, 387: rsUser,
	391: refused("a row that doesn't open is an error as a whole"),
}

var (
	odd = deviation{why: keepsString, members: map[string]string{
		"get_uri": "postgres://u%40d%2Fx%3Ay:p%40ss%3A%2F%3F%23%5B%5D%25%20%C3%A9%F0%9F%94%91%27%22@h%20x/a%2Fb%3Fc?__extra__=" +
			"%7B%22application_name%22%3A+%22a%2Bb%26c%3Dd+e%22%2C+%22keepalives_idle%22%3A+%2230%22%7D",
	}}
	rsUser = deviation{why: keepsNumbers, members: map[string]string{
		"as_json": `{"conn_type": "redshift", "description": "yes", "host": "c.abc.us-east-1.redshift.amazonaws.com", "login": "awsuser", ` +
			`"password": "Secret#1", "schema": "dev", "port": 5439, "extra": {"ssl": true, "timeout": 1.50, "note": "\u00e9\u00e9"}}`,
	}}
)

func refused(why string) deviation {
	return deviation{why: why, members: map[string]string{"error": failed}}
}
