//go:build unix

package devstack_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/airhook-go/airhook"
	"github.com/airhook-go/airhook/defaults"
	"github.com/airhook-go/airhook/devstack"
	"github.com/airhook-go/airhook/devstack/cloud"
	"github.com/airhook-go/airhook/hook"
)

// process is a long-running one: a client as the binary has it, and how often it asked for a credential.
type process struct {
	t      *testing.T
	client *airhook.Client

	mu    sync.Mutex
	asked map[string]int
}

// ids are those of the documentation of Airflow's Postgres provider, and what they log in to.
var ids = map[string]string{"rds_postgres_iam": "mydb", "redshift_iam": "my-cluster", "redshift_serverless_iam": "my-workgroup"}

// run starts a process whose environment names these AWS credentials, with a connection to each kind of instance.
func run(t *testing.T, s *devstack.Stack, env map[string]string) *process {
	t.Helper()
	for _, v := range os.Environ() {
		if name, _, _ := strings.Cut(v, "="); strings.HasPrefix(name, "AWS_") || strings.HasPrefix(name, "AIRFLOW_CONN_") {
			t.Setenv(name, "") // so that it is put back
			_ = os.Unsetenv(name)
		}
	}
	for _, v := range s.Env() {
		if name, value, _ := strings.Cut(v, "="); !strings.HasPrefix(name, "AWS_") || strings.HasPrefix(name, "AWS_ENDPOINT") || name == "AWS_REGION" || name == "AWS_EC2_METADATA_DISABLED" {
			t.Setenv(name, value)
		}
	}
	for name, value := range env {
		t.Setenv(name, value)
	}
	t.Setenv("AIRHOOK_HOME", t.TempDir())
	for id, of := range ids {
		in := instance(t, s, of)
		extra := map[string]any{"iam": true, "redshift": of == "my-cluster", "redshift-serverless": of == "my-workgroup", "region_name": "us-east-1"}
		text, err := json.Marshal(map[string]any{"conn_type": "postgres", "host": in.Endpoint, "port": in.Port, "schema": in.Database, "login": in.Users[0], "extra": extra})
		if err != nil {
			t.Fatal(err)
		}
		t.Setenv("AIRFLOW_CONN_"+strings.ToUpper(id), string(text))
	}
	p := &process{t: t, asked: map[string]int{}}
	setup, err := defaults.Open(t.Context(), defaults.Options{Logger: slog.New(counter{p})})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := setup.Close(); err != nil {
			t.Error(err)
		}
	})
	p.client = setup.Client
	return p
}

// counter counts what the client's log says of credentials.
type counter struct{ p *process }

func (c counter) Enabled(context.Context, slog.Level) bool { return true }
func (c counter) WithAttrs([]slog.Attr) slog.Handler       { return c }
func (c counter) WithGroup(string) slog.Handler            { return c }
func (c counter) Handle(_ context.Context, r slog.Record) error {
	if r.Message != "asked for a credential" {
		return nil
	}
	r.Attrs(func(a slog.Attr) bool {
		if a.Key == "conn" {
			c.p.mu.Lock()
			c.p.asked[a.Value.String()]++
			c.p.mu.Unlock()
		}
		return true
	})
	return nil
}

func (p *process) askedFor(id string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.asked[id]
}

// batch runs one statement in a session that was not open before. The server paces it.
func (p *process) batch(id string, seconds float64) error {
	pool, err := p.client.Pool(p.t.Context(), id)
	if err != nil {
		return err
	}
	pool.Reset()
	_, err = hook.New(p.client, id).GetFirst(p.t.Context(), fmt.Sprintf("SELECT current_user::text, pg_sleep(%.2f)::text", seconds))
	return err
}

// batches wants that many without a failure, of each id at once.
func (p *process) batches(n int, seconds float64, ids ...string) {
	p.t.Helper()
	var all sync.WaitGroup
	for _, id := range ids {
		all.Go(func() {
			for i := range n {
				if err := p.batch(id, seconds); err != nil {
					p.t.Errorf("batch %d of %d: %v", i+1, n, err)
				}
			}
		})
	}
	all.Wait()
}

// calls counts an action's until the returned function is called.
func calls(s *devstack.Stack, action string) (since func() int) {
	before := s.Account().Calls()[action]
	return func() int { return s.Account().Calls()[action] - before }
}

func between(t *testing.T, what string, got, low, high int) {
	t.Helper()
	if got < low || got > high {
		t.Errorf("%s: %d times, want %d to %d", what, got, low, high)
	}
}

func put(t *testing.T, s *devstack.Stack, name string, document []byte) cloud.Principal {
	t.Helper()
	p, err := s.Account().PutUser(name, document)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func keysOf(p cloud.Principal) map[string]string {
	return map[string]string{"AWS_ACCESS_KEY_ID": p.AccessKeyID, "AWS_SECRET_ACCESS_KEY": p.SecretAccessKey}
}

// The example "Automatic Token Refresh" of the Postgres provider's documentation: a hundred batches, on instances whose
// tokens live three seconds. RDS never says so, and is found out once for each life; Redshift's passwords tell their end.
func TestAHundredBatchesOverThreeLivesOfTheirTokens(t *testing.T) {
	s := common(t)
	p := run(t, s, keysOf(admin(s)))
	clusters, workgroups := calls(s, "GetClusterCredentials"), calls(s, "GetCredentials")
	s.Account().Expire(3 * time.Second)
	defer s.Account().Expire(0)
	began := time.Now()
	p.batches(100, 0.09, "rds_postgres_iam", "redshift_iam", "redshift_serverless_iam")
	if took := time.Since(began); took < 9*time.Second {
		t.Errorf("it took %s, which is not three lives", took)
	}
	lives := int(time.Since(began)/(3*time.Second)) + 1
	between(t, "RDS tokens signed", p.askedFor("rds_postgres_iam"), 4, 3*lives) // by its date a token is up to a second older
	between(t, "GetClusterCredentials", clusters(), 4, 3*lives)
	between(t, "GetCredentials", workgroups(), 4, 3*lives)
}

func TestThrottledWhileAPasswordIsGood(t *testing.T) {
	s := common(t)
	p := run(t, s, keysOf(admin(s)))
	s.Account().Expire(6 * time.Second)
	defer s.Account().Expire(0)
	cred, err := p.client.Credential(t.Context(), "redshift_iam")
	if err != nil {
		t.Fatal(err)
	}
	until := func(end time.Time) {
		t.Helper()
		for time.Now().Before(end) {
			p.batches(1, 0.1, "redshift_iam")
		}
	}
	since := calls(s, "GetClusterCredentials")
	s.Account().Throttle("GetClusterCredentials", 1000)
	defer s.Account().Throttle("GetClusterCredentials", 0)
	until(cred.Expires.Add(-time.Second)) // from a half of the password's life on the next one is asked for
	between(t, "throttled calls", since(), 1, 20)
	s.Account().Throttle("GetClusterCredentials", 0)
	until(cred.Expires.Add(time.Second))
}

func TestCredentialsThatAreRotatedOnDisk(t *testing.T) {
	s := common(t)
	old, next := put(t, s, "rotated-1", []byte(mayAll)), put(t, s, "rotated-2", []byte(mayAll))
	file := filepath.Join(t.TempDir(), "credentials")
	write := func(p cloud.Principal) {
		text := fmt.Sprintf("[etl]\naws_access_key_id = %s\naws_secret_access_key = %s\n", p.AccessKeyID, p.SecretAccessKey)
		if err := errors.Join(os.WriteFile(file+".new", []byte(text), 0o600), os.Rename(file+".new", file)); err != nil {
			t.Fatal(err)
		}
	}
	write(old)
	p := run(t, s, map[string]string{"AWS_PROFILE": "etl", "AWS_SHARED_CREDENTIALS_FILE": file, "AWS_CONFIG_FILE": filepath.Join(t.TempDir(), "none")})
	p.batches(3, 0, "rds_postgres_iam", "redshift_iam")
	write(next)
	put(t, s, "rotated-1", nil) // it may do nothing any more
	p.batches(20, 0.02, "rds_postgres_iam", "redshift_iam")
	between(t, "RDS tokens signed", p.askedFor("rds_postgres_iam"), 2, 2)
	cred, err := p.client.Credential(t.Context(), "rds_postgres_iam")
	if err != nil || !strings.Contains(cred.Password.Reveal(), next.AccessKeyID) {
		t.Errorf("the token is not signed with the new keys (%v)", err)
	}
}

// Keys of a credential_process end every three seconds, long before a token of 15 minutes would.
func TestSigningCredentialsThatEndBeforeTheToken(t *testing.T) {
	s := common(t)
	dir := t.TempDir()
	keys, config := filepath.Join(dir, "keys.json"), filepath.Join(dir, "config")
	var mu sync.Mutex
	renew := func() {
		mu.Lock()
		defer mu.Unlock()
		ends := time.Now().Add(3 * time.Second)
		who, err := s.Account().NewSession(admin(s).Name, time.Until(ends))
		if err != nil {
			t.Fatal(err)
		}
		text, err := json.Marshal(map[string]any{
			"Version": 1, "AccessKeyId": who.AccessKeyID, "SecretAccessKey": who.SecretAccessKey, "SessionToken": who.SessionToken, "Expiration": ends.UTC().Format(time.RFC3339Nano),
		})
		if err := errors.Join(err, os.WriteFile(keys+".new", text, 0o600), os.Rename(keys+".new", keys)); err != nil {
			t.Fatal(err)
		}
	}
	renew()
	if err := os.WriteFile(config, []byte("[default]\ncredential_process = cat "+keys+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p := run(t, s, map[string]string{"AWS_CONFIG_FILE": config, "AWS_SHARED_CREDENTIALS_FILE": filepath.Join(dir, "none")})
	cred, err := p.client.Credential(t.Context(), "rds_postgres_iam")
	if err != nil || time.Until(cred.Expires) > 4*time.Second {
		t.Fatalf("the token's end is %s (%v), after that of the keys", cred.Expires, err)
	}
	for range 50 {
		renew() // whoever asks has three seconds
		p.batches(1, 0.15, "rds_postgres_iam", "redshift_iam")
	}
	between(t, "RDS tokens signed", p.askedFor("rds_postgres_iam"), 3, 25)
}

func TestClocksThatDisagree(t *testing.T) {
	s := common(t)
	defer s.Account().Skew(0)
	for _, test := range []struct {
		ahead   time.Duration // AWS's clock, of this machine's
		refused string        // what RDS's refusal says of the clock; "" is none
	}{
		{0, ""}, {10 * time.Minute, ""}, {-10 * time.Minute, `\b(9m5\d|10m\d)s\b.*ahead|ahead.*\b(9m5\d|10m\d)s\b`}, {20 * time.Minute, `\b(19m5\d|20m\d)s\b.*behind|behind.*\b(19m5\d|20m\d)s\b`},
	} {
		t.Run(fmt.Sprint(test.ahead), func(t *testing.T) {
			s.Account().Skew(test.ahead)
			p := run(t, s, keysOf(admin(s)))
			p.batches(2, 0, "redshift_iam", "redshift_serverless_iam") // the SDK learns the difference from the first refusal
			err := p.batch("rds_postgres_iam", 0)
			var e *airhook.Error
			switch {
			case test.refused == "" && err != nil:
				t.Errorf("RDS refuses: %v", err)
			case test.refused != "" && (!errors.Is(err, airhook.ErrLogin) || !errors.As(err, &e)):
				t.Errorf("RDS: got %v", err)
			case test.refused != "" && !regexp.MustCompile(test.refused).MatchString(e.Error()+" hint: "+e.Hint):
				t.Errorf("neither %q nor the hint %q says by how much", e, e.Hint)
			}
		})
	}
}

// What may not is told so, and what may from now on is let in at once.
func TestAPolicyThatIsAttachedLater(t *testing.T) {
	s := common(t)
	who := put(t, s, "newcomer", nil)
	p := run(t, s, keysOf(who))
	for id, want := range map[string]error{"rds_postgres_iam": airhook.ErrLogin, "redshift_iam": airhook.ErrAccessDenied, "redshift_serverless_iam": airhook.ErrAccessDenied} {
		if err := p.batch(id, 0); !errors.Is(err, want) && !errors.Is(err, airhook.ErrAccessDenied) {
			t.Errorf("%s: got %v, want %v", id, err, want)
		}
	}
	put(t, s, "newcomer", []byte(mayAll))
	for _, id := range []string{"rds_postgres_iam", "redshift_iam"} {
		late := time.Now().Add(2 * time.Second)
		for err := p.batch(id, 0); err != nil; err = p.batch(id, 0) {
			if time.Now().After(late) {
				t.Fatalf("%s: two seconds after the policy was attached: %v", id, err)
			}
		}
	}
}

// Who is never let in, or never given a password, asks AWS a few times, however many there are.
func TestNoStorm(t *testing.T) {
	s := common(t)
	who := put(t, s, "stormy", []byte(mayAll))
	p := run(t, s, keysOf(who))
	conn, err := p.client.Get(t.Context(), "redshift_iam")
	if err != nil {
		t.Fatal(err)
	}
	conn.ID, conn.Login = "nobody", "not_in_the_database"
	if err := p.client.Put(t.Context(), conn); err != nil {
		t.Fatal(err)
	}
	storm := func(id string, want error) {
		t.Helper()
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				for range 25 {
					if conn, err := p.client.Dial(t.Context(), id, nil); err == nil {
						t.Errorf("%s gets in", id)
						_ = conn.Close(t.Context())
					} else if !errors.Is(err, want) {
						t.Errorf("%s: got %v, want %v", id, err, want)
					}
				}
			})
		}
		all.Wait()
	}
	began, since := time.Now(), calls(s, "GetClusterCredentials")
	storm("nobody", airhook.ErrLogin)
	between(t, "GetClusterCredentials for who is not let in", since(), 2, 8+int(time.Since(began)/(5*time.Second)))
	put(t, s, "stormy", nil)
	began, since = time.Now(), calls(s, "GetClusterCredentials")
	storm("redshift_iam", airhook.ErrAccessDenied)
	between(t, "GetClusterCredentials that are denied", since(), 1, 8+int(time.Since(began)/(2*time.Second)))
}
