package devstack

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/airhook-go/airhook/devstack/cloud"
	"github.com/airhook-go/airhook/devstack/gateway"
)

const (
	requestTimeout = 30 * time.Second
	drainTimeout   = 2 * time.Second
)

// endpoints are what a stack serves over HTTP: AWS's services, the metadata of an EC2 instance and the credentials of a
// container, each at an address of its own.
type endpoints struct {
	aws, metadata, container string // their URLs
	authorization            string // what a container sends to be given credentials
	servers                  []*http.Server
}

// openAccount opens the AWS endpoints, which know the instances' ports.
func (s *Stack) openAccount(ctx context.Context) error {
	o := cloud.Options{AccountID: accountID, Region: region, Logger: s.logger, Changed: s.changed, Issued: s.issued}
	for _, in := range s.instances {
		port := in.gateway.Port()
		switch in.kind {
		case gateway.RDS:
			o.Databases = append(o.Databases, cloud.Database{ID: in.id, Endpoint: in.endpoint, Port: port, Database: in.database, MasterUser: in.master})
		case gateway.Redshift:
			o.Clusters = append(o.Clusters, cloud.Cluster{ID: in.id, Endpoint: in.endpoint, Port: port, Database: in.database, MasterUser: in.master, CustomDomain: in.domain})
		case gateway.RedshiftServerless:
			o.Workgroups = append(o.Workgroups, cloud.Workgroup{Name: in.id, Endpoint: in.endpoint, Port: port, Database: in.database, CustomDomain: in.domain})
		}
	}
	account, err := cloud.New(o)
	if err != nil {
		return err
	}
	s.account.Store(account)
	role := account.Roles()[0].Name
	metadata, err := account.Metadata(role, instanceID)
	if err != nil {
		return err
	}
	s.endpoints.authorization = rand.Text()
	container, err := account.ContainerCredentials(role, containerSession, s.endpoints.authorization)
	if err != nil {
		return err
	}
	for _, e := range []struct {
		url     *string
		handler http.Handler
		port    int
	}{{&s.endpoints.aws, account, awsPort}, {&s.endpoints.metadata, metadata, metadataPort}, {&s.endpoints.container, container, containerPort}} {
		if *e.url, err = s.listen(ctx, e.handler, e.port); err != nil {
			return fmt.Errorf("open the AWS endpoint: %w", err)
		}
	}
	return nil
}

// listen serves on loopback until stop.
func (s *Stack) listen(ctx context.Context, handler http.Handler, port int) (url string, err error) {
	listener, err := gateway.Loopback(ctx, port)
	if err != nil {
		return "", err
	}
	server := &http.Server{
		Handler: handler, ReadHeaderTimeout: requestTimeout, ReadTimeout: requestTimeout, WriteTimeout: requestTimeout, IdleTimeout: requestTimeout,
		ErrorLog: slog.NewLogLogger(s.logger.Handler(), slog.LevelWarn),
	}
	s.endpoints.servers = append(s.endpoints.servers, server)
	s.serving.Go(func() { _ = server.Serve(listener) }) // ends with ErrServerClosed
	return "http://" + listener.Addr().String(), nil
}

// stop ends the servers, which have a moment for the requests under way.
func (e endpoints) stop() error {
	ctx, cancel := context.WithTimeout(context.Background(), drainTimeout)
	defer cancel()
	var errs []error
	for _, server := range e.servers {
		err := server.Shutdown(ctx)
		if errors.Is(err, context.DeadlineExceeded) {
			err = server.Close()
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}
