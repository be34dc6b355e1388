package iam

import (
	"regexp"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/airhook-go/airhook"
)

const unknownUser = "IAMR:ROLE-NAME"

// sql are the statements that a database needs for a login: the user, and an example of what it may read. identity is the
// user that AWS makes of the caller.
func (n *Needs) sql(t airhook.Target, identity string) {
	name := identifier(t.User)
	switch {
	case t.Method == airhook.MethodRDS:
		n.SQL = []string{"CREATE USER " + name, "GRANT rds_iam TO " + name}
	case t.Method == airhook.MethodRedshift && !t.WithIAM():
		if !t.AutoCreate {
			n.SQL = []string{createUser(name)}
		}
		for _, group := range t.DBGroups {
			n.SQL = append(n.SQL, "CREATE GROUP "+identifier(group))
		}
	default:
		if identity == "" {
			identity = unknownUser
			n.note("%s stands for the database user of the AWS identity: IAM: and a user's name, or IAMR: and a role's", unknownUser)
		}
		name = identifier(identity)
		n.SQL = []string{createUser(name)}
		n.note("Redshift makes the user %s at its first login; creating it before is only needed for the grants", name)
	}
	n.SQL = append(n.SQL, "GRANT USAGE ON SCHEMA public TO "+name, "GRANT SELECT ON ALL TABLES IN SCHEMA public TO "+name)
	n.note("the last two SQL statements are an example: grant what the user is to read or write")
}

// createUser makes a user of Redshift that logs in with AWS's temporary passwords only.
func createUser(name string) string { return "CREATE USER " + name + " PASSWORD DISABLE" }

var plainName = regexp.MustCompile(`^[a-z_][a-z0-9_]*$`)

// identifier is a name as SQL takes it, in quotes where it needs them.
func identifier(name string) string {
	if plainName.MatchString(name) && !slices.Contains(strings.Fields(reserved), name) {
		return name
	}
	return pgx.Identifier{name}.Sanitize()
}

// reserved are the words that are no names without quotes (PostgreSQL, appendix C; Amazon Redshift Database Developer Guide,
// "Reserved words").
const reserved = `aes128 aes256 all allowoverwrite analyse analyze and any array as asc asymmetric authorization az64 backup between binary
	blanksasnull both bytedict bzip2 case cast check collate collation column concurrently connect constraint create credentials cross
	current_catalog current_date current_role current_schema current_time current_timestamp current_user current_user_id default deferrable
	deflate defrag delta delta32k desc disable distinct do else emptyasnull enable encode encrypt encryption end except explicit false fetch for
	foreign freeze from full globaldict256 globaldict64k grant group gzip having identity ignore ilike in initially inner intersect interval into
	is isnull join language lateral leading left like limit localtime localtimestamp lun luns lzo lzop minus mostly16 mostly32 mostly8 natural new
	none not notnull null nulls off offline offset oid old on only open or order outer overlaps parallel partition percent permissions pivot
	placing primary public raw readratio recover references rejectlog resort respect restore returning right select session_user similar
	snapshot some symmetric sysdate system system_user table tablesample tag tdes text255 text32k then timestamp to top trailing true truncatecolumns
	union unique unnest unpivot user using variadic verbose wallet when where window with without`
