package hook

import "testing"

func TestCopyFromOrToUsIsRecognised(t *testing.T) {
	for statement, want := range map[string][2]bool{
		"copy t from stdin":                                      {true, false},
		"COPY t FROM /* c */ STDIN":                              {true, false},
		"/* a /* nested */ b */ COPY t FROM -- here\n STDIN CSV": {true, false},
		"COPY t (a, b) FROM STDOUT":                              {true, false}, // PostgreSQL reads it so
		`COPY s.from FROM stdin`:                                 {true, false},
		`COPY "to stdout" FROM stdin WHERE a = 1`:                {true, false},
		"COPY t TO STDOUT":                                       {false, true},
		"COPY stdin TO STDOUT":                                   {false, true},
		"-- all\nCOPY (SELECT 1 FROM stdin)\nTO\nSTDOUT CSV":     {false, true},
		`COPY (SELECT ')' AS "(" FROM t) TO stdin`:               {false, true},

		"COPY t FROM 's3://bucket/x' IAM_ROLE default":       {},
		"COPY t FROM '/file' WHERE a IS DISTINCT FROM stdin": {},
		"COPY t TO '/file'":             {},
		"COPY t TO 'stdout'":            {},
		"COPY t TO PROGRAM 'cat'":       {},
		"SELECT 'COPY t TO STDOUT'":     {},
		"SELECT 1 -- COPY t FROM STDIN": {},
		"copyright to stdout":           {},
		`"copy" t from stdin`:           {},
		"COPY":                          {},
		"COPY t FROM":                   {},
		"":                              {},
	} {
		if in, out := CopyStream(statement); in != want[0] || out != want[1] {
			t.Errorf("%q: in %v, out %v, want %v", statement, in, out, want)
		}
	}
}
