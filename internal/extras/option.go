package extras

import "sync"

// Option is one thing that an extra can say, under the names that Airflow's hooks and the drivers have for it. Of
// several names in one extra all must agree.
type Option string

// The options, each under its first name.
const (
	IAM        Option = "iam"
	Redshift   Option = "redshift"
	Serverless Option = "redshift-serverless"
	Cluster    Option = "cluster-identifier"
	Workgroup  Option = "workgroup-name"
	AWSConn    Option = "aws_conn_id"
	Region     Option = "region_name"
	User       Option = "db_user"
	Database   Option = "database"
	Host       Option = "host"
	Address    Option = "hostaddr"
	Port       Option = "port"
	Password   Option = "password"
	Profile    Option = "profile"
	Role       Option = "role_arn"
	Groups     Option = "db_groups"
	AutoCreate Option = "auto_create"
	Federation Option = "group_federation"
	Duration   Option = "serverless_token_duration_seconds"
	SignHost   Option = "iam_host"
	SignPort   Option = "iam_port"
	Timeout    Option = "connect_timeout"
	TLS        Option = "ssl"
	TLSMode    Option = "sslmode"
	RootCert   Option = "sslrootcert"
	Cert       Option = "sslcert"
	Key        Option = "sslkey"
	TLSMin     Option = "ssl_min_protocol_version"
	TLSMax     Option = "ssl_max_protocol_version"
	Alive      Option = "keepalives"
	AliveIdle  Option = "keepalives_idle"
	AliveEvery Option = "keepalives_interval"
	AliveCount Option = "keepalives_count"
)

// names are the spellings of each option: PostgresHook's (airflow postgres provider, hooks/postgres.py),
// RedshiftSQLHook's and redshift_connector's (amazon provider, hooks/redshift_sql.py), libpq's keywords, and ours
// (iam_host, iam_port). The Postgres provider's documentation has sslca for sslrootcert.
var names = map[Option][]string{
	IAM: {"iam"}, Redshift: {"redshift"}, Serverless: {"redshift-serverless", "redshift_serverless", "is_serverless"},
	Cluster: {"cluster-identifier", "cluster_identifier"}, Workgroup: {"workgroup-name", "workgroup_name", "serverless_work_group"},
	AWSConn: {"aws_conn_id"}, Region: {"region_name", "region"}, User: {"db_user", "user"}, Database: {"database", "dbname"},
	Host: {"host"}, Address: {"hostaddr"}, Port: {"port"}, Password: {"password"}, Profile: {"profile"}, Role: {"role_arn"},
	Groups: {"db_groups"}, AutoCreate: {"auto_create"}, Federation: {"group_federation"}, Duration: {"serverless_token_duration_seconds", "duration_seconds"},
	SignHost: {"iam_host"}, SignPort: {"iam_port"}, Timeout: {"connect_timeout", "timeout"}, TLS: {"ssl"}, TLSMode: {"sslmode"},
	RootCert: {"sslrootcert", "sslca"}, Cert: {"sslcert"}, Key: {"sslkey"}, TLSMin: {"ssl_min_protocol_version"}, TLSMax: {"ssl_max_protocol_version"}, Alive: {"keepalives", "tcp_keepalive"},
	AliveIdle: {"keepalives_idle", "tcp_keepalive_idle"}, AliveEvery: {"keepalives_interval", "tcp_keepalive_interval"},
	AliveCount: {"keepalives_count", "tcp_keepalive_count"},
}

// spelt is every spelling's option.
var spelt = sync.OnceValue(func() map[string]Option {
	all := map[string]Option{}
	for o, spellings := range names {
		for _, name := range spellings {
			all[name] = o
		}
	}
	return all
})
