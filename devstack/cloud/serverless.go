package cloud

import (
	"fmt"
	"regexp"
	"slices"
	"time"
)

// workgroupCredentials is the answer of redshift-serverless:GetCredentials. JSON 1.1 counts time in seconds.
type workgroupCredentials struct {
	DBUser          string  `json:"dbUser"`
	DBPassword      string  `json:"dbPassword"`
	Expiration      float64 `json:"expiration"`
	NextRefreshTime float64 `json:"nextRefreshTime"`
}

// getCredentials gives a temporary password for the database user that the caller is: nobody chooses another.
//
// https://docs.aws.amazon.com/redshift-serverless/latest/APIReference/API_GetCredentials.html
func (a *Account) getCredentials(c call) (any, error) {
	var asked struct {
		WorkgroupName    *string `json:"workgroupName"`
		CustomDomainName *string `json:"customDomainName"`
		DBName           *string `json:"dbName"`
		DurationSeconds  *int    `json:"durationSeconds"`
	}
	if err := c.decode(&asked); err != nil {
		return nil, err
	}
	if asked.CustomDomainName != nil {
		var err error
		if asked.WorkgroupName, err = a.workgroupOfDomain(c, *asked.CustomDomainName, asked.WorkgroupName); err != nil {
			return nil, err
		}
	}
	if err := checkWorkgroupName(asked.WorkgroupName); err != nil {
		return nil, err
	}
	lifetime := 900 * time.Second
	if d := asked.DurationSeconds; d != nil {
		if *d < 900 || *d > 3600 {
			return nil, validation("durationSeconds must be between 900 and 3600.")
		}
		lifetime = time.Duration(*d) * time.Second
	}
	if asked.DBName != nil && (!fits(dbName, *asked.DBName) || reserved(*asked.DBName)) {
		return nil, validation(fmt.Sprintf("Invalid dbName %q.", short(*asked.DBName)))
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	found, err := a.workgroup(c, "GetCredentials", *asked.WorkgroupName)
	if err != nil {
		return nil, err
	}
	user := c.who.entity.dbUser()
	like := password{role: user, create: true}
	if asked.DBName != nil {
		like.database = *asked.DBName
	}
	plain, expires := a.issue(login{"redshift-serverless", found.Name, user}, like, lifetime)
	return workgroupCredentials{user, plain, epoch(expires), epoch(expires)}, nil
}

// getWorkgroup shows one workgroup.
//
// https://docs.aws.amazon.com/redshift-serverless/latest/APIReference/API_GetWorkgroup.html
func (a *Account) getWorkgroup(c call) (any, error) {
	var asked struct {
		WorkgroupName *string `json:"workgroupName"`
	}
	if err := c.decode(&asked); err != nil {
		return nil, err
	}
	if err := checkWorkgroupName(asked.WorkgroupName); err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	found, err := a.workgroup(c, "GetWorkgroup", *asked.WorkgroupName)
	if err != nil {
		return nil, err
	}
	return map[string]workgroupShape{"workgroup": a.workgroupShape(found)}, nil
}

// listWorkgroups shows all of the region that is asked. Whoever may list them may list all.
//
// https://docs.aws.amazon.com/redshift-serverless/latest/APIReference/API_ListWorkgroups.html
func (a *Account) listWorkgroups(c call) (any, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.permit(c, "redshift-serverless:ListWorkgroups", "*", nil); err != nil {
		return nil, err
	}
	list := []workgroupShape{}
	if c.region == a.o.Region {
		for _, w := range a.o.Workgroups {
			list = append(list, a.workgroupShape(w))
		}
	}
	return map[string][]workgroupShape{"workgroups": list}, nil
}

var workgroupName = regexp.MustCompile(`^[a-z0-9-]{3,}$`)

func checkWorkgroupName(name *string) error {
	if name == nil {
		return validation("1 validation error detected: Value at 'workgroupName' failed to satisfy constraint: Member must not be null")
	}
	if !fits(workgroupName, *name) {
		return validation(fmt.Sprintf("1 validation error detected: Value '%s' at 'workgroupName' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-z0-9-]{3,64}", short(*name)))
	}
	return nil
}

// workgroup finds a workgroup that the caller may use, in the region that was asked. The caller holds the lock.
func (a *Account) workgroup(c call, verb, name string) (Workgroup, error) {
	if err := a.permit(c, "redshift-serverless:"+verb, a.workgroupARN(c.region, name), nil); err != nil {
		return Workgroup{}, err
	}
	i := slices.IndexFunc(a.o.Workgroups, func(x Workgroup) bool { return x.Name == name })
	if i < 0 || c.region != a.o.Region {
		return Workgroup{}, notFound("Workgroup", name)
	}
	return a.o.Workgroups[i], nil
}

// workgroupARN ends in the workgroup's id, which is not its name; one that does not exist has neither.
func (a *Account) workgroupARN(region, name string) string {
	return a.arn("redshift-serverless", region, "workgroup/"+uuidOf("workgroup", name))
}

func notFound(what, name string) error {
	return &fault{status: 404, code: "ResourceNotFoundException", message: what + " " + short(name) + " not found."}
}

func validation(message string) error {
	return &fault{status: 400, code: "ValidationException", message: message}
}

func epoch(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }
