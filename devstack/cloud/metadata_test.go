package cloud_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/airhook-go/airhook/devstack/cloud"
)

// machine asks one of a machine's endpoints.
func machine(h http.Handler, method, path string, headers map[string]string) (int, string) {
	r := httptest.NewRequest(method, "http://127.0.0.1"+path, nil)
	for name, value := range headers {
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Code, w.Body.String()
}

// handedOut are a machine's keys, as an SDK reads them.
func handedOut(t *testing.T, status int, body string) (cloud.Principal, time.Time) {
	t.Helper()
	var keys struct {
		Code, AccessKeyId, SecretAccessKey, Token, RoleArn string
		Expiration                                         time.Time
	}
	if err := json.Unmarshal([]byte(body), &keys); err != nil || status != 200 || keys.Token == "" {
		t.Fatalf("got %d %s (%v)", status, body, err)
	}
	return principalOf(keys.AccessKeyId, keys.SecretAccessKey, keys.Token), keys.Expiration
}

const credentialsPath = "/latest/meta-data/iam/security-credentials/"

func TestMetadataIsForWhoHasAToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := quiet(t)
		h, err := a.Metadata("AirhookDev", "i-0123456789abcdef0")
		if err != nil {
			t.Fatal(err)
		}
		for name, c := range map[string]struct {
			method  string
			headers map[string]string
			status  int
		}{
			"no life":        {http.MethodPut, nil, 400},
			"no number":      {http.MethodPut, map[string]string{"X-aws-ec2-metadata-token-ttl-seconds": "x"}, 400},
			"no time":        {http.MethodPut, map[string]string{"X-aws-ec2-metadata-token-ttl-seconds": "0"}, 400},
			"too long":       {http.MethodPut, map[string]string{"X-aws-ec2-metadata-token-ttl-seconds": "21601"}, 400},
			"behind a proxy": {http.MethodPut, map[string]string{"X-aws-ec2-metadata-token-ttl-seconds": "60", "X-Forwarded-For": "10.0.0.1"}, 403},
			"by GET":         {http.MethodGet, map[string]string{"X-aws-ec2-metadata-token-ttl-seconds": "60"}, 405},
		} {
			if status, _ := machine(h, c.method, "/latest/api/token", c.headers); status != c.status {
				t.Errorf("%s: %d, want %d", name, status, c.status)
			}
		}
		_, token := machine(h, http.MethodPut, "/latest/api/token", map[string]string{"X-aws-ec2-metadata-token-ttl-seconds": "60"})
		with := map[string]string{"X-aws-ec2-metadata-token": token}
		for path, want := range map[string]string{credentialsPath: "AirhookDev", "/latest/meta-data/placement/region": "us-east-1", "/latest/meta-data/instance-id": "i-0123456789abcdef0"} {
			if status, body := machine(h, http.MethodGet, path, with); status != 200 || body != want {
				t.Errorf("%s: %d %s", path, status, body)
			}
			if status, _ := machine(h, http.MethodGet, path, nil); status != 401 {
				t.Errorf("%s without a token: %d", path, status)
			}
		}
		status, body := machine(h, http.MethodGet, credentialsPath+"AirhookDev", with)
		who, _ := handedOut(t, status, body)
		identity := url.Values{"Action": {"GetCallerIdentity"}, "Version": {"2011-06-15"}}
		if status, body := call(t, a, who, "sts", identity); status != 200 || !strings.Contains(body, ":assumed-role/AirhookDev/i-0123456789abcdef0<") {
			t.Errorf("got %d %s", status, body)
		}
		if status, _ := machine(h, http.MethodGet, credentialsPath+"admin", with); status != 404 {
			t.Errorf("another role's: %d", status)
		}
		<-time.After(time.Minute)
		if status, _ := machine(h, http.MethodGet, credentialsPath, with); status != 401 {
			t.Errorf("a token that has run out: %d", status)
		}
		if calls := a.Calls(); calls["InstanceToken"] != 6 || calls["InstanceCredentials"] != 1 {
			t.Errorf("calls %v", calls)
		}
	})
	if _, err := quiet(t).Metadata("gone", "i-0"); err == nil {
		t.Error("a role that is not there is no error")
	}
}

func TestMachinesSessionsAreRenewedInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := quiet(t)
		h, err := a.ContainerCredentials("AirhookDev", "task", "letmein")
		if err != nil {
			t.Fatal(err)
		}
		get := func() (string, time.Duration) {
			status, body := machine(h, http.MethodGet, "/v1/credentials", map[string]string{"Authorization": "letmein"})
			who, until := handedOut(t, status, body)
			return who.AccessKeyID, time.Until(until)
		}
		first, left := get()
		if left != time.Hour {
			t.Errorf("it lives for %s", left)
		}
		<-time.After(29 * time.Minute)
		if again, _ := get(); again != first {
			t.Error("renewed too soon")
		}
		<-time.After(time.Minute)
		second, left := get()
		if second == first || left != time.Hour {
			t.Errorf("not renewed when half of it is over; %s left", left)
		}
		a.Expire(time.Minute)
		if third, left := get(); third == second || left != time.Minute {
			t.Errorf("a fault shortens it to %s", left)
		}
		for _, authorization := range []string{"", "wrong"} {
			if status, body := machine(h, http.MethodGet, "/v1/credentials", map[string]string{"Authorization": authorization}); status != 401 || strings.Contains(body, "SecretAccessKey") {
				t.Errorf("authorization %q: %d", authorization, status)
			}
		}
		if status, _ := machine(h, http.MethodPost, "/v1/credentials", map[string]string{"Authorization": "letmein"}); status != 405 {
			t.Errorf("POST: %d", status)
		}
		a.Throttle("ContainerCredentials", 1)
		if status, _ := machine(h, http.MethodGet, "/v1/credentials", map[string]string{"Authorization": "letmein"}); status != 429 {
			t.Errorf("throttled: %d", status)
		}
	})
}
