package extras

// Way is a way to log in, as far as extras are for it.
type Way struct {
	IAM, RDS, Cluster, Workgroup bool
	// Named: a cluster is asked for a database user that the connection names.
	Named bool
	// Found: a password logs in, where AWS says.
	Found bool
	// Type: conn_type is Redshift's own.
	Type bool
}

// Unused is an option without effect, and why.
type Unused struct{ Key, Reason string }

// Unused are the options that a way to log in has no use for.
func (r *Reader) Unused(w Way) (all []Unused) {
	for _, rule := range []struct {
		option Option
		used   bool
		why    string
	}{
		{Redshift, !w.Type, "conn_type says it"},
		{Cluster, w.Cluster || w.Found, "only a Redshift cluster has one"},
		{Workgroup, w.Workgroup || w.Found, "only Redshift Serverless has one"},
		{Groups, w.Named, "only GetClusterCredentials takes it"},
		{AutoCreate, w.Named, "only GetClusterCredentials takes it"},
		{Federation, w.Cluster, "only a Redshift cluster has a choice"},
		{Duration, w.Cluster || w.Workgroup, "an RDS token lives 15 minutes"},
		{SignHost, w.RDS, "only an RDS token is signed for a host"},
		{SignPort, w.RDS, "only an RDS token is signed for a port"},
		{AWSConn, w.IAM || w.Found, "iam is off"},
		{Region, w.IAM || w.Found, "iam is off"},
		{Profile, w.IAM || w.Found, "iam is off"},
		{Role, w.IAM || w.Found, "iam is off"},
	} {
		if r.Has(rule.option) && !rule.used {
			all = append(all, Unused{r.Key(rule.option), rule.why})
		}
	}
	return all
}
