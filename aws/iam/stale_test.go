package iam

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/airhook-go/airhook"
	"github.com/airhook-go/airhook/airhooktest"
	"github.com/airhook-go/airhook/aws/session"
	"github.com/airhook-go/airhook/internal/refresh"
)

// signs writes the AWS file that says whose keys sign. Keys of another length make a file that nobody takes for the old one.
func signs(t *testing.T, file, key string) {
	t.Helper()
	if err := os.WriteFile(file, []byte("[default]\naws_access_key_id = "+key+"\naws_secret_access_key = "+canary+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestALoginSignsOnlyAsWhoTheTargetSays(t *testing.T) {
	f := newFake(t)
	file := filepath.Join(t.TempDir(), "credentials")
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", file)
	signs(t, file, "AKIDALICE")
	registry := airhooktest.Registry(conn(t, "my_aws", "aws", "", `{"endpoint_url": "`+f.URL+`"}`))
	l := New(&session.Resolver{Registry: registry})
	chain := conn(t, "chain", "postgres", "mydb.xyz.us-east-1.rds.amazonaws.com", `{"iam": true}`)
	for _, c := range []struct {
		conn          airhook.Connection
		change, again func()
	}{
		{chain, func() { signs(t, file, "AKIDBOB") }, func() { signs(t, file, "AKIDALICE1") }},
		{rdsConn(t), func() { put(t, registry, "AKIDTWO") }, func() { put(t, registry, "AKIDEXAMPLE") }},
		{redshiftConn(t), func() { put(t, registry, "AKIDTWO") }, func() { put(t, registry, "AKIDEXAMPLE") }},
		{serverlessConn(t), func() { put(t, registry, "AKIDTWO") }, func() { put(t, registry, "AKIDEXAMPLE") }},
	} {
		put(t, registry, "AKIDEXAMPLE")
		target := resolved(t, l, c.conn)
		login := l.Logins()[target.Method]
		c.change()
		_, err := login(t.Context(), target)
		var e *airhook.Error
		if !errors.Is(err, refresh.ErrStale) || !errors.As(err, &e) || e.ID != c.conn.ID || e.Stage != airhook.StageCredential || e.Hint == "" {
			t.Errorf("%s, as somebody else: %#v", c.conn.ID, err)
		}
		c.again()
		if c.conn.ID == "chain" { // the files of before are not known to be the same
			target = resolved(t, l, c.conn)
		}
		if _, err := login(t.Context(), target); err != nil {
			t.Errorf("%s, as before: %v", c.conn.ID, err)
		}
	}
}

func put(t *testing.T, r airhook.Editor, key string) {
	t.Helper()
	c, err := r.(airhook.Registry).Get(t.Context(), "my_aws")
	if err != nil {
		t.Fatal(err)
	}
	c.Login = key
	if err := r.Put(t.Context(), c); err != nil {
		t.Fatal(err)
	}
}

// TestALookedUpTargetIsNotStale: what its endpoint's name tells is known to the login, and was not when it was resolved.
func TestALookedUpTargetIsNotStale(t *testing.T) {
	file := filepath.Join(t.TempDir(), "credentials")
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", file)
	f := newFake(t)
	f.knows = map[string]string{"DescribeClusters": oneCluster}
	t.Setenv("AWS_ENDPOINT_URL", f.URL)
	l := New(&session.Resolver{Registry: airhooktest.Registry()})
	db := conn(t, "db", "redshift", "", `{"iam": true, "cluster-identifier": "my-cluster"}`)
	t.Setenv("AWS_REGION", "us-east-1")
	client, err := airhook.New(airhook.Config{Registry: airhooktest.Registry(db), Logins: l.Logins(), Resolve: l.Resolve})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	for _, key := range []string{"AKIDALICE", "AKIDBOB"} {
		signs(t, file, "AKIDPASSINGBY")
		if _, err := l.sessions.Open(t.Context(), session.Who{ConnID: "aws_default"}); err != nil { // as for a target without a region
			t.Fatal(err)
		}
		signs(t, file, key)
		if err := client.Delete(t.Context(), "db"); err != nil { // so that it is opened anew
			t.Fatal(err)
		}
		if err := client.Put(t.Context(), db); err != nil {
			t.Fatal(err)
		}
		if cred, err := client.Credential(t.Context(), "db"); err != nil || cred.Principal != key {
			t.Errorf("signed by %s, want %s: %v", cred.Principal, key, err)
		}
	}
}

// TestWhoSignsIsLookedAtAgain: nobody tells this process of what others write.
func TestWhoSignsIsLookedAtAgain(t *testing.T) {
	file := filepath.Join(t.TempDir(), "credentials")
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", file)
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	signs(t, file, "AKIDALICE")
	synctest.Test(t, func(t *testing.T) {
		registry := airhooktest.Registry(conn(t, "my_aws", "aws", "", ""), rdsConn(t), conn(t, "chain", "postgres", "mydb.xyz.us-east-1.rds.amazonaws.com", `{"iam": true}`))
		l := New(&session.Resolver{Registry: registry})
		client, err := airhook.New(airhook.Config{Registry: registry, Logins: l.Logins(), Resolve: l.Resolve})
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		look := func(id, want string) {
			t.Helper()
			if cred, err := client.Credential(t.Context(), id); err != nil || cred.Principal != want {
				t.Errorf("%s is signed for by %s, want %s: %v", id, cred.Principal, want, err)
			}
		}
		look("chain", "AKIDALICE")
		look("rds", "AKIDEXAMPLE")
		for _, key := range []string{"AKIDBOB", "AKIDALICE", "AKIDCAROLINE"} {
			signs(t, file, key)
			put(t, registry, key)
			<-time.After(11 * time.Second)
			look("chain", key)
			look("rds", key)
		}
		t.Setenv("AWS_ACCESS_KEY_ID", "AKIDENV")
		t.Setenv("AWS_SECRET_ACCESS_KEY", canary)
		<-time.After(11 * time.Second)
		look("chain", "AKIDENV")
		look("rds", "AKIDCAROLINE")
	})
}
