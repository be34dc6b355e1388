package devstack

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/airhook-go/airhook"
	"github.com/airhook-go/airhook/devstack/cloud"
	"github.com/airhook-go/airhook/devstack/gateway"
	"github.com/airhook-go/airhook/devstack/postgres"
)

const (
	accountID = "123456789012"
	region    = "us-east-1"
	// superuser is RDS's own, and nobody's to log in as.
	superuser = "rdsadmin"
	rdsIAM    = "rds_iam"
	// ownDatabase is what initdb makes.
	ownDatabase = "postgres"
)

// spec is what an instance is like.
type spec struct {
	kind         gateway.Kind
	id, endpoint string
	database     string
	users        []string // log in by IAM, or by no way at all on kind postgres
	master       string   // logs in by password
	port         int      // the usual one, so that stored connections outlive the stack; others may have taken it
	domain       string   // a custom domain of Redshift's
}

// The usual ports of the AWS endpoints, of an instance's metadata and of a container's credentials. All of them are below
// those that kernels give to clients.
const (
	awsPort       = 25400
	metadataPort  = 25401
	containerPort = 25402
)

// specs are the instances, in the order that status lists them. Endpoints and ids are those of the documentation of
// Airflow's Postgres provider.
func specs() []spec {
	const rds, redshift, serverless = ".cluster-xyz." + region + ".rds.amazonaws.com", ".xyz." + region + ".redshift.amazonaws.com", "." + accountID + "." + region + ".redshift-serverless.amazonaws.com"
	iam := []string{"IAM:admin", "IAMR:AirhookDev"} // whom the API logs the admin and the role in as
	plain := []string{"app", "etl"}
	all := append(append([]string{}, plain...), iam...)
	return []spec{
		{gateway.Postgres, "mypg", "mypg.example.internal", "mydb", nil, "app", 25431, ""},
		{gateway.RDS, "mydb", "mydb" + rds, "mydb", plain, "postgres", 25432, ""},
		{gateway.Redshift, "my-cluster", "my-cluster" + redshift, "dev", all, "awsuser", 25439, "warehouse.example.com"},
		{gateway.RedshiftServerless, "my-workgroup", "my-workgroup" + serverless, "dev", iam, "awsuser", 25440, "lakehouse.example.com"},
		{gateway.Redshift, "my-redshift-cluster", "my-redshift-cluster" + redshift, "dev", all, "awsuser", 25441, ""},
		{gateway.RedshiftServerless, "my-serverless-workgroup", "my-serverless-workgroup" + serverless, "dev", iam, "awsuser", 25442, ""},
	}
}

func (s spec) redshift() bool {
	return s.kind == gateway.Redshift || s.kind == gateway.RedshiftServerless
}

// instance is a server and the gateway before it.
type instance struct {
	spec
	password string // the master's
	server   *postgres.Server
	client   *airhook.Client // as superuser, past the gateway; ids are names of databases
	gateway  *gateway.Gateway
}

// local finds the databases of one server by their names.
type local struct{ socket string }

func (l local) Get(_ context.Context, id string) (airhook.Connection, error) {
	return airhook.Connection{ID: id, Type: "postgres", Host: l.socket, Port: 5432, Login: superuser, Schema: id}, nil
}

// startServers starts a server for each instance, all at once: most of it is waiting for disks and processes.
func (s *Stack) startServers(ctx context.Context, programs postgres.Programs) error {
	template := filepath.Join(s.note.Workspace, "template")
	if err := postgres.Init(ctx, programs, template, superuser); err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wait sync.WaitGroup
	for i, in := range s.instances {
		wait.Go(func() {
			o := postgres.Options{Programs: programs, Dir: filepath.Join(s.note.Workspace, strconv.Itoa(i+1)), Data: template, Superuser: superuser, Logger: s.logger.With("instance", in.id)}
			if err := in.start(ctx, o); err != nil {
				cancel(fmt.Errorf("start instance %s: %w", in.id, err)) // the first one counts; the others end on it
			}
		})
	}
	wait.Wait()
	return context.Cause(ctx)
}

func (in *instance) start(ctx context.Context, o postgres.Options) (err error) {
	if in.server, err = postgres.Start(ctx, o); err != nil {
		return err
	}
	if in.client, err = airhook.New(airhook.Config{Registry: local{in.server.Dir()}, Logger: o.Logger}); err != nil {
		return err
	}
	if err := in.execute(ctx, "template1", in.setup()...); err != nil {
		return err
	}
	first := []string{"GRANT ALL ON SCHEMA public TO PUBLIC"} // PostgreSQL 15 took that away, Redshift has not
	if in.redshift() {
		first = append(first, redshiftCatalog()...)
	}
	return in.execute(ctx, in.database, first...)
}

// redshiftCatalog changes what the databases of a Redshift cluster say they are. Only a superuser that asks for it may
// touch pg_catalog.
func redshiftCatalog() []string {
	return []string{
		"SET allow_system_table_mods = on",
		"CREATE OR REPLACE FUNCTION pg_catalog.version() RETURNS text LANGUAGE sql STABLE PARALLEL SAFE AS $$SELECT '" + gateway.RedshiftVersion + "'::text$$",
	}
}

// setup are the statements that make the instance's users and its database. Redshift has no database postgres: there the
// new server's becomes the instance's, which is quicker than to make one.
func (in *instance) setup() []string {
	quote := func(name string) string { return pgx.Identifier{name}.Sanitize() }
	in.password = rand.Text()
	sql := []string{"SET password_encryption = 'scram-sha-256'"} // PostgreSQL 13 has another default
	for _, user := range in.users {
		sql = append(sql, "CREATE ROLE "+quote(user)+" LOGIN")
	}
	sql = append(sql, "CREATE ROLE "+quote(in.master)+" LOGIN CREATEDB CREATEROLE PASSWORD '"+in.password+"'")
	if in.kind == gateway.RDS {
		sql = append(sql, "CREATE ROLE "+rdsIAM)
		for _, user := range in.users {
			sql = append(sql, "GRANT "+rdsIAM+" TO "+quote(user))
		}
	}
	database := quote(in.database)
	if in.redshift() {
		sql = append(append(sql, redshiftCatalog()...), "ALTER DATABASE "+ownDatabase+" RENAME TO "+database) // the catalog is for databases that are made later
	} else {
		sql = append(sql, "CREATE DATABASE "+database)
	}
	return append(sql, "ALTER DATABASE "+database+" OWNER TO "+quote(in.master), "GRANT ALL ON DATABASE "+database+" TO PUBLIC")
}

// maintenance is the database that the gateway looks roles up in.
func (in *instance) maintenance() string {
	if in.redshift() {
		return in.database
	}
	return ownDatabase
}

// execute runs statements one by one: CREATE DATABASE stands alone.
func (in *instance) execute(ctx context.Context, database string, sql ...string) error {
	conn, err := in.client.Dial(ctx, database, nil)
	if err != nil {
		return err
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = conn.Close(ctx)
	}()
	for _, statement := range sql {
		if _, err := conn.Exec(ctx, statement).ReadAll(); err != nil {
			return fmt.Errorf("set up database %s: %w", database, err)
		}
	}
	return nil
}

// openGateways opens the instances' addresses. Until the account is there they let in by password only.
func (s *Stack) openGateways(ctx context.Context) error {
	for _, in := range s.instances {
		pool, err := in.client.Pool(ctx, in.maintenance())
		if err != nil {
			return err
		}
		o := gateway.Options{Kind: in.kind, Name: in.endpoint, Port: in.port, Authority: s.authority, Roles: gateway.NewRoles(pool), Socket: in.server.Socket(), Logger: s.logger}
		switch in.kind {
		case gateway.RDS:
			o.Token = s.checkToken(in)
		case gateway.Redshift, gateway.RedshiftServerless:
			o.Password, o.Closed = s.checkPassword(in), s.paused(in)
		}
		if in.domain != "" {
			o.Aliases = []string{in.domain}
		}
		if in.gateway, err = gateway.Listen(ctx, o); err != nil {
			return err
		}
		if port := in.gateway.Port(); port != in.port {
			s.logger.Info("the usual port is taken", "instance", in.id, "usual", in.port, "port", port)
		}
	}
	return nil
}

var errStarting = errors.New("the account is not there yet")

func (s *Stack) checkToken(in *instance) func(user, token string) error {
	return func(user, token string) error {
		account := s.account.Load()
		if account == nil {
			return errStarting
		}
		return account.CheckToken(in.endpoint, in.gateway.Port(), region, cloud.ResourceID(in.id), user, token)
	}
}

// paused says whether a cluster takes no connections, as SetClusterStatus has it.
func (s *Stack) paused(in *instance) func() bool {
	return func() bool {
		account := s.account.Load()
		return account != nil && in.kind == gateway.Redshift && account.ClusterStatus(in.id) != "available"
	}
}

func (s *Stack) checkPassword(in *instance) func(database, user, password string) (string, bool, error) {
	return func(database, user, password string) (string, bool, error) {
		account := s.account.Load()
		switch {
		case account == nil:
			return "", false, errStarting
		case in.kind == gateway.Redshift:
			return account.CheckPassword(in.id, database, user, password)
		}
		return account.CheckWorkgroupPassword(in.id, database, user, password)
	}
}

// close ends an instance, its address first.
func (in *instance) close() error {
	var errs []error
	if in.gateway != nil {
		errs = append(errs, in.gateway.Close())
	}
	if in.client != nil {
		in.client.Close()
	}
	if in.server != nil {
		errs = append(errs, in.server.Close())
	}
	return errors.Join(errs...)
}
