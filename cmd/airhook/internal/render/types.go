package render

// Kind says how a value's text becomes output.
type Kind uint8

// The kinds. Text is everything that has no rule of its own.
const (
	Text Kind = iota
	Bool
	Integer
	Number // may be NaN or infinite
	Document
	Bytes
	Timestamp
	TimestampTZ
	Array
	Vector // int2vector, oidvector: numbers with blanks between
)

// Type is the type of a column's values. The zero Type is text.
type Type struct {
	Kind Kind
	// Elem is the type of an array's elements, Delim what stands between them.
	Elem  *Type
	Delim byte
}

// ArrayOf returns the type of arrays of elem whose text has delim between the elements.
func ArrayOf(elem Type, delim byte) Type { return Type{Kind: Array, Elem: &elem, Delim: delim} }

// scalars are PostgreSQL's built-in types that are not plain text, by OID: pg_type.dat.
var scalars = map[uint32]Kind{
	16: Bool,
	20: Integer, 21: Integer, 23: Integer, 26: Integer, // int8, int2, int4, oid
	700: Number, 701: Number, 1700: Number, // float4, float8, numeric
	114: Document, 3802: Document, // json, jsonb
	17:   Bytes,
	1114: Timestamp, 1184: TimestampTZ,
	22: Vector, 30: Vector, // int2vector, oidvector
}

// arrays maps the OIDs of the built-in array types to those of their elements: pg_type.dat.
var arrays = map[uint32]uint32{
	1000: 16, 1001: 17, 1002: 18, 1003: 19, 1016: 20, 1005: 21, 1006: 22, 1007: 23, 1008: 24, 1009: 25, 1028: 26,
	1010: 27, 1011: 28, 1012: 29, 1013: 30, 199: 114, 143: 142, 1017: 600, 1018: 601, 1019: 602, 1020: 603, 1027: 604,
	629: 628, 651: 650, 1021: 700, 1022: 701, 719: 718, 791: 790, 1040: 829, 1041: 869, 775: 774, 1034: 1033,
	1014: 1042, 1015: 1043, 1182: 1082, 1183: 1083, 1115: 1114, 1185: 1184, 1187: 1186, 1270: 1266, 1561: 1560,
	1563: 1562, 1231: 1700, 2201: 1790, 2207: 2202, 2208: 2203, 2209: 2204, 2210: 2205, 2211: 2206, 4192: 4191,
	4090: 4089, 4097: 4096, 2951: 2950, 3221: 3220, 5039: 5038, 3643: 3614, 3644: 3642, 3645: 3615, 3735: 3734,
	3770: 3769, 3807: 3802, 4073: 4072, 2949: 2970, 271: 5069, 3905: 3904, 3907: 3906, 3909: 3908, 3911: 3910,
	210: 71, 270: 75, 272: 81, 273: 83, 3913: 3912, 3927: 3926, 6150: 4451, 6151: 4532, 6152: 4533, 6153: 4534, 6155: 4535, 6157: 4536, 1263: 2275,
}

const boxOID = 603 // the only built-in type with another delimiter than a comma

// TypeOf returns the type of a built-in OID. ok is false for OIDs that only a catalog knows: enums, domains,
// composites, extensions and arrays of those. Those are text until somebody asked.
func TypeOf(oid uint32) (t Type, ok bool) {
	if k, found := scalars[oid]; found {
		return Type{Kind: k}, true
	}
	if elem, found := arrays[oid]; found {
		t, _ := TypeOf(elem)
		delim := byte(',')
		if elem == boxOID {
			delim = ';'
		}
		return ArrayOf(t, delim), true
	}
	return Type{}, oid < firstUserOID
}

// firstUserOID is PostgreSQL's FirstNormalObjectId (access/transam.h): from here on a catalog must be asked.
const firstUserOID = 16384
