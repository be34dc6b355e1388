// Package extras knows the keys that people have in the extras of postgres and redshift connections, beside those that
// airhook has options for: which of them are parameters of the session, which have no effect here and why, and which
// may not be passed over.
//
//	why, known := extras.Ignored("numeric_to_float")
package extras
