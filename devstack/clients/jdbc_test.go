//go:build unix

package clients

import (
	"bufio"
	"bytes"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/airhook-go/airhook/devstack"
)

// jars are those of testdata/jars.sha256, as a class path.
func jars(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("AIRHOOK_TEST_JARS")
	if dir == "" {
		t.Skip("AIRHOOK_TEST_JARS names no folder with the jars of testdata/jars.sha256; make test-clients makes one")
	}
	list, err := os.Open(filepath.Join("testdata", "jars.sha256"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = list.Close() }()
	var path []string
	for lines := bufio.NewScanner(list); lines.Scan(); {
		_, jar, _ := strings.Cut(lines.Text(), "  ")
		path = append(path, filepath.Join(dir, filepath.FromSlash(jar)))
		if _, err := os.Stat(path[len(path)-1]); errors.Is(err, fs.ErrNotExist) {
			t.Fatalf("%s lacks %s; make test-clients fetches it", dir, jar)
		}
	}
	return strings.Join(path, string(filepath.ListSeparator))
}

// compiled is the folder of JdbcClient.class, made once.
var compiled = sync.OnceValues(func() (string, error) {
	dir := filepath.Join(filepath.Dir(binary), "classes")
	if out, err := exec.Command("javac", "-d", dir, filepath.Join("testdata", "JdbcClient.java")).CombinedOutput(); err != nil {
		return "", errors.Join(err, errors.New(string(out)))
	}
	return dir, nil
})

// jdbc runs JdbcClient, which tries a prepared statement, 100,000 rows and a cancel, and returns who it is.
func jdbc(t *testing.T, env []string, url string, properties ...string) string {
	t.Helper()
	path := jars(t)
	classes, err := compiled()
	if err != nil {
		t.Fatal(err)
	}
	properties = append(properties, "sslmode=verify-full", "sslrootcert="+status.CAFile)
	cmd := exec.CommandContext(t.Context(), "java", append([]string{"-cp", classes + string(filepath.ListSeparator) + path, "JdbcClient", url}, properties...)...)
	cmd.Env = env
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v: %.3000s", url, err, errs.String())
	}
	return strings.TrimSpace(string(out))
}

// at is where a driver without a dial map reaches an instance: the certificate holds localhost too.
func at(in devstack.Instance) string { return "localhost:" + strconv.Itoa(in.Port) + "/" + in.Database }

func TestPgjdbc(t *testing.T) {
	in := instance(t, "rds")
	env := environment(t, "PGPASSWORD="+token(t, in))
	if got := jdbc(t, env, "jdbc:postgresql://"+at(in), "user="+in.Users[0]); got != in.Users[0] {
		t.Errorf("it is %q", got)
	}
}

func TestRedshiftJDBC(t *testing.T) {
	cluster, workgroup := instance(t, "redshift"), instance(t, "redshift-serverless")
	iam := []string{"ssl=true", "Region=" + status.AWS.Region, "EndpointUrl=" + status.AWS.EndpointURL}
	for name, c := range map[string]struct {
		url, password, want string
		properties          []string
	}{
		"a database user": {"jdbc:redshift://" + at(cluster), cluster.PasswordLogin.Password, cluster.PasswordLogin.User, []string{"user=" + cluster.PasswordLogin.User, "ssl=true"}},
		"its own IAM login to a cluster": {
			"jdbc:redshift:iam://" + at(cluster), "", cluster.Users[0], append([]string{"DbUser=" + cluster.Users[0], "ClusterID=" + cluster.ID}, iam...),
		},
		"its own IAM login to Serverless": {
			"jdbc:redshift:iam://" + at(workgroup), "", "IAM:" + status.AWS.Principals[0].Name, append([]string{"isServerless=true", "serverlessWorkGroup=" + workgroup.ID, "Workgroup=" + workgroup.ID}, iam...),
		},
	} {
		t.Run(name, func(t *testing.T) {
			env := environment(t)
			if c.password != "" {
				env = append(env, "PGPASSWORD="+c.password)
			}
			if got := jdbc(t, env, c.url, c.properties...); got != c.want {
				t.Errorf("it is %q, want %q", got, c.want)
			}
		})
	}
}
