package gateway

// AsRedshift is what a Redshift instance does to a Query or Parse.
func AsRedshift(frame []byte) []byte { return asRedshift(frame) }
