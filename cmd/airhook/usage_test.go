package main

import "testing"

func TestSuggestion(t *testing.T) {
	commands := []string{"connections", "sql", "token", "explain", "version"}
	for word, want := range map[string]string{
		"connection": "did you mean connections?", "conections": "did you mean connections?", "conn": "did you mean connections?",
		"SQL": "did you mean sql?", "sqll": "did you mean sql?", "tokne": "did you mean token?", "verson": "did you mean version?",
		"zebra": "see the manual", "x": "see the manual", "": "see the manual",
	} {
		if got := suggestion(word, commands, "see the manual"); got != want {
			t.Errorf("%q: %q, want %q", word, got, want)
		}
	}
}

func TestIDs(t *testing.T) {
	long := ""
	for range maxID {
		long += "a"
	}
	for id, ok := range map[string]bool{
		"warehouse": true, "a-b.c_d": true, "Größe1": true, "数据": true, long: true,
		"": false, "a b": false, "a/b": false, "a\n": false, "x'y": false, long + "a": false,
	} {
		if err := checkID(id); (err == nil) != ok {
			t.Errorf("%.20q: %v, want that it is allowed: %v", id, err, ok)
		}
	}
}
