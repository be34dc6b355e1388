package cloud

import (
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
)

// reservedWords are those of Redshift, which name no user, database or group.
// https://docs.aws.amazon.com/redshift/latest/dg/r_pg_keywords.html
var reservedWords = strings.Fields(`
	aes128 aes256 all allowoverwrite analyse analyze and any array as asc authorization az64 backup between binary blanksasnull both bytedict bzip2 case
	cast check collate column connect constraint create credentials cross current_date current_time current_timestamp current_user current_user_id default
	deferrable deflate defrag delta delta32k desc disable distinct do else emptyasnull enable encode encrypt encryption end except explicit false for
	foreign freeze from full globaldict256 globaldict64k grant group gzip having identity ignore ilike in initially inner intersect interval into is isnull
	join leading left like limit localtime localtimestamp lun luns lzo lzop minus mostly16 mostly32 mostly8 natural new not notnull null nulls off offline
	offset oid old on only open or order outer overlaps parallel partition percent permissions pivot placing primary public raw readratio recover references
	rejectlog resort respect restore right select session_user similar snapshot some sysdate system table tag tdes text255 text32k then timestamp to top
	trailing true truncatecolumns unique union unnest unpivot user using verbose wallet when where with without`)

func reserved(word string) bool { return slices.Contains(reservedWords, strings.ToLower(word)) }

// uuidOf is the same id for the same thing, in the form that AWS's have.
func uuidOf(kind, name string) string {
	sum := sha256.Sum256([]byte(kind + "/" + name))
	return fmt.Sprintf("%x-%x-%x-%x-%x", sum[:4], sum[4:6], sum[6:8], sum[8:10], sum[10:16])
}

func requestID() string { return uuidOf("request", rand.Text()) }
