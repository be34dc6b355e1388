package devstack

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/airhook-go/airhook/devstack/cloud"
	"github.com/airhook-go/airhook/devstack/gateway"
	"github.com/airhook-go/airhook/internal/files"
)

// Status is what a stack is and how it is reached, in the shape of `airhook dev status -o json`. It holds the keys and
// passwords of the stack.
type Status struct {
	Running bool `json:"running"`
	// Starting says that somebody is bringing it up, or down.
	Starting bool   `json:"starting,omitempty"`
	Dir      string `json:"dir"`
	// PIDs are all processes of the stack, that of airhook first.
	PIDs   []int  `json:"pids"`
	CAFile string `json:"ca_file"`
	// DialMap says where an endpoint's HOST:PORT is on loopback.
	DialMap   map[string]string `json:"dial_map"`
	AWS       AWS               `json:"aws"`
	Instances []Instance        `json:"instances"`
	// PostgreSQL is the version of the servers, and Programs the folder of their programs.
	PostgreSQL string `json:"postgresql"`
	Programs   string `json:"programs"`
	// Cache is where a PostgreSQL that had to be fetched is kept for the next time.
	Cache string `json:"postgresql_cache,omitempty"`
}

// AWS is the account of a stack.
type AWS struct {
	EndpointURL string            `json:"endpoint_url"`
	Region      string            `json:"region"`
	AccountID   string            `json:"account_id"`
	Principals  []cloud.Principal `json:"principals"`
	Roles       []cloud.Role      `json:"roles"`
	Identities  []Identity        `json:"identities"`
}

// Identity is a way to be somebody to an AWS SDK: the variables that make it so.
type Identity struct {
	Kind string            `json:"kind"`
	Env  map[string]string `json:"env"`
	ARN  string            `json:"arn"`
}

// Instance is a database instance, cluster or workgroup.
type Instance struct {
	ID       string       `json:"id"`
	Engine   string       `json:"engine"`
	Kind     gateway.Kind `json:"kind"`
	Endpoint string       `json:"endpoint"`
	// CustomDomain is another name of the endpoint's, the user's own; "" is none.
	CustomDomain string `json:"custom_domain,omitempty"`
	// ResourceID is RDS's name of the instance in policies.
	ResourceID string `json:"resource_id,omitempty"`
	// Port is the endpoint's and the port on loopback alike; Address is the latter with its host.
	Port    int    `json:"port"`
	Address string `json:"address"`
	// UsualPort is the one that the instance has whenever nobody else does.
	UsualPort int    `json:"usual_port"`
	Database  string `json:"database"`
	// Users are those that log in, the first one in the way of the kind.
	Users         []string      `json:"users"`
	PasswordLogin PasswordLogin `json:"password_login"`
}

// PasswordLogin is a database user that logs in by password.
type PasswordLogin struct {
	User     string `json:"user"`
	Password string `json:"password"`
}

// Env are the variables, NAME=value, that make airhook, the AWS SDKs and libpq use the stack.
func (s Status) Env() []string {
	env := []string{"AIRHOOK_DEV_DIR=" + s.Dir, "AWS_ENDPOINT_URL=" + s.AWS.EndpointURL, stsEndpoint + "=" + s.AWS.EndpointURL}
	if len(s.AWS.Principals) > 0 {
		env = append(env, "AWS_ACCESS_KEY_ID="+s.AWS.Principals[0].AccessKeyID, "AWS_SECRET_ACCESS_KEY="+s.AWS.Principals[0].SecretAccessKey)
	}
	return append(env, "AWS_REGION="+s.AWS.Region, "AWS_DEFAULT_REGION="+s.AWS.Region, "AWS_EC2_METADATA_DISABLED=true",
		"AWS_CONFIG_FILE="+filepath.Join(s.Dir, awsFolder, "config"), "AWS_SHARED_CREDENTIALS_FILE="+filepath.Join(s.Dir, awsFolder, "credentials"),
		"PGSSLROOTCERT="+s.CAFile)
}

// EnvNames are the names of Env's variables.
func EnvNames() []string {
	var names []string
	for _, pair := range (Status{AWS: AWS{Principals: make([]cloud.Principal, 1)}}).Env() {
		name, _, _ := strings.Cut(pair, "=")
		names = append(names, name)
	}
	return names
}

// Instance returns the instance of that id.
func (s Status) Instance(id string) (Instance, bool) {
	for _, in := range s.Instances {
		if in.ID == id {
			return in, true
		}
	}
	return Instance{}, false
}

// Read returns the status of the stack in dir, whoever runs it. No stack there is no error: it is not running.
func Read(dir string) (Status, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return Status{}, err
	}
	none := empty(dir)
	if there, err := trusted(dir); !there {
		return none, err
	}
	pid, err := holder(filepath.Join(dir, lockName))
	if err != nil || pid == 0 {
		return none, err
	}
	text, err := files.ReadOwn(filepath.Join(dir, stackName))
	if errors.Is(err, fs.ErrNotExist) {
		none.Starting = true
		return none, nil
	}
	var s Status
	if err == nil {
		err = json.Unmarshal(text, &s)
	}
	if err != nil {
		return none, failed(dir, "read the dev stack's state", err, "")
	}
	if !s.whole() {
		return none, refused(fmt.Errorf("read the dev stack's state %s: another version of airhook wrote it", filepath.Join(dir, stackName)), "end it: airhook dev down")
	}
	s.Running, s.PIDs = true, append([]int{pid}, withChildren(s.PIDs[min(1, len(s.PIDs)):])...)
	return s, nil
}

// whole says whether a state has what every stack of ours has.
func (s Status) whole() bool {
	for _, in := range s.Instances {
		if len(in.Users) == 0 {
			return false
		}
	}
	_, found := s.Instance("mydb")
	return found && len(s.AWS.Principals) > 0
}

func empty(dir string) Status {
	return Status{
		Dir: dir, PIDs: []int{}, DialMap: map[string]string{}, Instances: []Instance{},
		AWS: AWS{Principals: []cloud.Principal{}, Roles: []cloud.Role{}, Identities: []Identity{}},
	}
}
