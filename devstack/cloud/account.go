package cloud

import (
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"sync"
	"time"

	"github.com/airhook-go/airhook/devstack/sigv4"
)

// Options say what the account holds. The zero value is an account without clusters, in the dev stack's usual region.
type Options struct {
	// AccountID has twelve digits; "" is 123456789012. Region is where the resources are; "" is us-east-1.
	AccountID, Region string
	Clusters          []Cluster
	Workgroups        []Workgroup
	// Logger hears what was asked and why something was refused; nil is silent.
	Logger *slog.Logger
}

// Cluster is an Amazon Redshift cluster, as DescribeClusters shows it.
type Cluster struct {
	ID, Endpoint string
	Port         int
	Database     string
	MasterUser   string
}

// Workgroup is one of Amazon Redshift Serverless, as GetWorkgroup shows it.
type Workgroup struct {
	Name, Endpoint string
	Port           int
	Database       string
}

// Account is an AWS account on loopback. It is safe for concurrent use, faults included.
type Account struct {
	o        Options
	verifier sigv4.Verifier
	made     time.Time

	mu         sync.Mutex
	principals []Principal
	roles      []Role
	ids        map[string]string // the unique id of each user and role, by ARN
	keys       map[string]holder // by access key id
	passwords  map[login][]password
	faults     faults
	calls      map[string]int
}

// New makes an account with principal "admin", who may do everything and assume role "AirhookDev", which may do
// everything too, and with role "RedshiftRole". Its keys are random.
func New(o Options) (*Account, error) {
	if o.AccountID == "" {
		o.AccountID = "123456789012"
	}
	if o.Region == "" {
		o.Region = "us-east-1"
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if err := o.check(); err != nil {
		return nil, err
	}
	a := &Account{o: o, made: time.Now(), ids: map[string]string{}, keys: map[string]holder{}, passwords: map[login][]password{}, faults: newFaults(), calls: map[string]int{}}
	a.verifier = sigv4.Verifier{Find: a.find, Now: a.now}
	a.addRole("AirhookDev")
	a.addRole("RedshiftRole")
	_, err := a.AddPrincipal("admin")
	return a, err
}

var accountID = regexp.MustCompile(`^[0-9]{12}$`)

func (o Options) check() error {
	if !accountID.MatchString(o.AccountID) {
		return fmt.Errorf("account id %q: want twelve digits", o.AccountID)
	}
	seen := map[string]bool{}
	for _, c := range o.Clusters {
		if c.ID == "" || c.Endpoint == "" || c.Port <= 0 || seen[c.ID] {
			return fmt.Errorf("cluster %q: want an id of its own, an endpoint and a port", c.ID)
		}
		seen[c.ID] = true
	}
	clear(seen)
	for _, w := range o.Workgroups {
		if w.Name == "" || w.Endpoint == "" || w.Port <= 0 || seen[w.Name] {
			return fmt.Errorf("workgroup %q: want a name of its own, an endpoint and a port", w.Name)
		}
		seen[w.Name] = true
	}
	return nil
}

// now is the account's clock.
func (a *Account) now() time.Time {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.clock()
}

// clock is now, for those who hold the lock.
func (a *Account) clock() time.Time { return time.Now().Add(a.faults.skew) }

// Calls returns how often each action was asked for, also in vain: "GetClusterCredentials", and "rds-db:connect" for
// tokens that a gateway asked about.
func (a *Account) Calls() map[string]int {
	a.mu.Lock()
	defer a.mu.Unlock()
	calls := make(map[string]int, len(a.calls))
	for action, n := range a.calls {
		calls[action] = n
	}
	return calls
}

func (a *Account) count(action string) {
	a.mu.Lock()
	a.calls[action]++
	a.mu.Unlock()
}

// CheckToken says whether token lets user in to the RDS instance of that host, port and region, whose resource id is
// instanceID. The error says why not, and is not for the client.
func (a *Account) CheckToken(host string, port int, region, instanceID, user, token string) error {
	const action = "rds-db:connect"
	a.count(action)
	result, err := a.verifier.VerifyToken(token, sigv4.Endpoint{Host: host, Port: port, Region: region, User: user})
	if err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if d := a.faults.lifetime; d > 0 && !a.clock().Before(result.Date.Add(d)) {
		return fmt.Errorf("token expired: the account ends tokens %s after their date", d)
	}
	who, found := a.keys[result.AccessKeyID]
	if !found {
		return errors.New("the key that signed the token is gone")
	}
	return a.permit(who, action, fmt.Sprintf("arn:%s:rds-db:%s:%s:dbuser:%s/%s", partition(region), region, a.o.AccountID, instanceID, user))
}
