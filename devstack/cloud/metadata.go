package cloud

import (
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// leaseLife is that of the sessions that machines get; they are given a new one when half of it is over.
const leaseLife = time.Hour

// lease is a session of a role that a machine always has, renewed in time.
type lease struct {
	a    *Account
	role *entity
	name string

	mu            sync.Mutex
	now           Principal
	made, expires time.Time
}

func (a *Account) lease(role, name string) (*lease, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	e := a.entities[a.iamARN("role", role)]
	if e == nil {
		return nil, fmt.Errorf("no role %q in account %s", role, a.o.AccountID)
	}
	return &lease{a: a, role: e, name: name}, nil
}

// machineKeys are a session as EC2, ECS and EKS hand it out.
type machineKeys struct {
	Code, Type, LastUpdated string `json:",omitempty"`
	RoleARN                 string `json:"RoleArn,omitempty"`
	AccessKeyID             string `json:"AccessKeyId"`
	SecretAccessKey         string
	Token                   string
	Expiration              string
}

func (l *lease) keys() machineKeys {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.a.mu.Lock()
	defer l.a.mu.Unlock()
	now, sooner := l.a.clock(), l.a.faults.lifetime
	if half := l.expires.Sub(l.made) / 2; l.expires.Sub(now) <= half || sooner > 0 && l.expires.Sub(now) > sooner {
		l.made = now
		l.now, l.expires = l.a.open(session{entity: l.role, name: l.name, lifetime: leaseLife})
	}
	return machineKeys{
		LastUpdated: seconds(l.made), AccessKeyID: l.now.AccessKeyID, SecretAccessKey: l.now.SecretAccessKey, Token: l.now.SessionToken, Expiration: seconds(l.expires),
	}
}

func seconds(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// ContainerCredentials serves sessions of a role, of that name, as ECS and EKS Pod Identity do: at any path, to whom sends
// authorization as Authorization. [Account.Calls] counts them as "ContainerCredentials".
//
// https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html
func (a *Account) ContainerCredentials(role, name, authorization string) (http.Handler, error) {
	l, err := a.lease(role, name)
	if err != nil {
		return nil, err
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.count("ContainerCredentials")
		switch {
		case r.Method != http.MethodGet:
			refuseMachine(w, http.StatusMethodNotAllowed, "MethodNotAllowed")
		case subtle.ConstantTimeCompare([]byte(r.Header.Get("Authorization")), []byte(authorization)) != 1:
			refuseMachine(w, http.StatusUnauthorized, "InvalidAuthorizationToken")
		case a.throttled("ContainerCredentials"):
			refuseMachine(w, http.StatusTooManyRequests, "TooManyRequests")
		default:
			keys := l.keys()
			keys.LastUpdated, keys.RoleARN = "", l.role.arn
			answerMachine(w, keys)
		}
	}), nil
}

func refuseMachine(w http.ResponseWriter, status int, code string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"code": code, "message": http.StatusText(status)})
}

func answerMachine(w http.ResponseWriter, value any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_ = json.NewEncoder(w).Encode(value)
}

const (
	imdsTTL  = "X-Aws-Ec2-Metadata-Token-Ttl-Seconds"
	imdsAuth = "X-Aws-Ec2-Metadata-Token"
	imdsMost = 6 * 60 * 60 // seconds that a token may live
)

// instanceMetadata is what one instance may know instance.
type instanceMetadata struct {
	a        *Account
	lease    *lease
	instance string

	mu     sync.Mutex
	tokens map[string]time.Time // until when each is good
}

// Metadata serves the metadata of the EC2 instance of that id, whose role is that one, in version 2 only: who has no token
// from PUT /latest/api/token gets 401. The instance's sessions have its id for a name. [Account.Calls] counts tokens as "InstanceToken" and sessions as "InstanceCredentials".
//
// https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-retrieval.html
func (a *Account) Metadata(role, instance string) (http.Handler, error) {
	l, err := a.lease(role, instance)
	if err != nil {
		return nil, err
	}
	m := &instanceMetadata{a: a, lease: l, instance: instance, tokens: map[string]time.Time{}}
	mux := http.NewServeMux()
	mux.HandleFunc("PUT /latest/api/token", m.token)
	const base = "GET /latest/meta-data/"
	text := func(path, value string) {
		mux.HandleFunc(path, m.guard(func(w http.ResponseWriter) { _, _ = w.Write([]byte(value)) }))
	}
	text(base+"instance-id", instance)
	text(base+"placement/region", a.o.Region)
	text(base+"placement/availability-zone", a.o.Region+"a")
	text(base+"iam/security-credentials/{$}", role)
	mux.HandleFunc(base+"iam/security-credentials/"+role, m.guard(m.credentials))
	mux.HandleFunc("GET /latest/dynamic/instance-identity/document", m.guard(m.document))
	return mux, nil
}

// token gives out a token, to nobody behind a proxy: what a proxy forwards says so.
func (m *instanceMetadata) token(w http.ResponseWriter, r *http.Request) {
	m.a.count("InstanceToken")
	ttl, err := strconv.Atoi(r.Header.Get(imdsTTL))
	switch {
	case r.Header.Get("X-Forwarded-For") != "":
		http.Error(w, "Forbidden", http.StatusForbidden)
		return
	case err != nil || ttl < 1 || ttl > imdsMost:
		http.Error(w, "Bad Request", http.StatusBadRequest)
		return
	}
	text, now := random(40), m.a.now()
	m.mu.Lock()
	for old, until := range m.tokens {
		if !now.Before(until) {
			delete(m.tokens, old)
		}
	}
	m.tokens[text] = now.Add(time.Duration(ttl) * time.Second)
	m.mu.Unlock()
	w.Header().Set(imdsTTL, strconv.Itoa(ttl))
	_, _ = w.Write([]byte(text))
}

// guard asks for a token first.
func (m *instanceMetadata) guard(answer func(w http.ResponseWriter)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		now := m.a.now()
		m.mu.Lock()
		good := now.Before(m.tokens[r.Header.Get(imdsAuth)])
		m.mu.Unlock()
		if !good {
			http.Error(w, "Unauthorized", http.StatusUnauthorized)
			return
		}
		answer(w)
	}
}

func (m *instanceMetadata) credentials(w http.ResponseWriter) {
	m.a.count("InstanceCredentials")
	if m.a.throttled("InstanceCredentials") {
		http.Error(w, "Too Many Requests", http.StatusTooManyRequests)
		return
	}
	keys := m.lease.keys()
	keys.Code, keys.Type = "Success", "AWS-HMAC"
	answerMachine(w, keys)
}

func (m *instanceMetadata) document(w http.ResponseWriter) {
	answerMachine(w, map[string]string{
		"accountId": m.a.o.AccountID, "region": m.a.o.Region, "availabilityZone": m.a.o.Region + "a", "instanceId": m.instance, "instanceType": "t3.micro", "version": "2017-09-30",
	})
}
