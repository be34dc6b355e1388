package cloud

import (
	"errors"
	"net/http"

	"github.com/airhook-go/airhook/devstack/sigv4"
)

// operation is one action of a service. run answers with a value that fits the service's protocol. version is as a call
// has it.
type operation struct {
	service, version string
	json             bool
	run              func(a *Account, c call) (any, error)
}

// operations are all that the account can do, by action.
var operations = map[string]operation{
	"GetCallerIdentity":                {"sts", "2011-06-15", false, (*Account).getCallerIdentity},
	"GetClusterCredentials":            {"redshift", "2012-12-01", false, (*Account).getClusterCredentials},
	"DescribeClusters":                 {"redshift", "2012-12-01", false, (*Account).describeClusters},
	"DescribeCustomDomainAssociations": {"redshift", "2012-12-01", false, (*Account).describeCustomDomainAssociations},
	"GetCredentials":                   {"redshift-serverless", "RedshiftServerless", true, (*Account).getCredentials},
	"GetWorkgroup":                     {"redshift-serverless", "RedshiftServerless", true, (*Account).getWorkgroup},
}

// ServeHTTP answers for every service of the account: which one is in the signature's scope, as there is one address.
// A region without resources answers as an empty one.
func (a *Account) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	// A client whose clock is off corrects it by this one.
	w.Header().Set("Date", a.now().UTC().Format(http.TimeFormat))
	id := requestID()
	w.Header().Set("X-Amzn-Requestid", id)
	c, err := readCall(w, r)
	if err != nil {
		a.refuse(w, c, id, err)
		return
	}
	answer, err := a.answer(r, &c)
	if err != nil {
		a.refuse(w, c, id, err)
		return
	}
	a.o.Logger.Debug("aws call answered", "action", c.action, "principal", c.who.arn)
	writeAnswer(w, c, id, answer)
}

// answer finds out who asks, and does it.
func (a *Account) answer(r *http.Request, c *call) (any, error) {
	op, known := operations[c.action]
	known = known && op.version == c.version && op.json == c.json
	if known {
		a.count(c.action)
	}
	result, err := a.verifier.VerifyRequest(r, c.payload)
	if err != nil {
		return nil, err
	}
	who, found := a.holder(result.AccessKeyID)
	if !found {
		return nil, &fault{status: 403, code: "InvalidClientTokenId", message: "The security token included in the request is invalid.", why: "the key is gone"}
	}
	c.who, c.region = who, result.Region
	switch {
	case !known:
		return nil, unknown(*c)
	case op.service != result.Service:
		return nil, wrongService(op.service, result.Service)
	case a.throttled(c.action):
		return nil, &fault{status: 400, code: "Throttling", message: "Rate exceeded"}
	}
	return op.run(a, *c)
}

func unknown(c call) error {
	if c.json {
		return &fault{status: 400, code: "UnknownOperationException", message: "The requested operation is not one of this account's."}
	}
	return &fault{status: 400, code: "InvalidAction", message: "Could not find operation " + short(c.action) + " for version " + short(c.version)}
}

func wrongService(want, got string) error {
	return &fault{status: 403, code: "SignatureDoesNotMatch", message: "Credential should be scoped to correct service: '" + want + "'. ", why: "signed for service " + got}
}

// refuse answers with an error and tells the log why.
func (a *Account) refuse(w http.ResponseWriter, c call, id string, err error) {
	f := &fault{status: 500, code: "InternalFailure", message: "The request processing has failed because of an unknown error, exception or failure."}
	var signature *sigv4.Error
	var known *fault
	switch {
	case errors.As(err, &known):
		f = known
	case errors.As(err, &signature):
		f = &fault{status: signature.Status, code: signature.Code, message: signature.Message}
	}
	a.o.Logger.Info("aws call refused", "action", short(c.action), "principal", c.who.arn, "err", err)
	writeFault(w, c, id, f)
}

// short makes what a client sent fit for an answer or a log line.
func short(text string) string {
	if len(text) > 100 {
		return text[:100] + "…"
	}
	return text
}
