package cloud

import (
	"errors"
	"net/http"

	"github.com/airhook-go/airhook/devstack/sigv4"
)

// operation is one action of a service. run answers with a value that fits the service's protocol. version is as a call
// has it. Who calls unsigned has no keys yet.
type operation struct {
	service, version string
	json, unsigned   bool
	run              func(a *Account, c call) (any, error)
}

func query(service, version string, run func(a *Account, c call) (any, error)) operation {
	return operation{service: service, version: version, run: run}
}

func json11(service, target string, run func(a *Account, c call) (any, error)) operation {
	return operation{service: service, version: target, json: true, run: run}
}

// operationOf finds an action among all that the account can do.
func operationOf(action string) (operation, bool) {
	const sts, redshift, rds, serverless = "2011-06-15", "2012-12-01", "2014-10-31", "RedshiftServerless"
	switch action {
	case "GetCallerIdentity":
		return query("sts", sts, (*Account).getCallerIdentity), true
	case "AssumeRole":
		return query("sts", sts, (*Account).assumeRole), true
	case "AssumeRoleWithWebIdentity":
		return operation{service: "sts", version: sts, unsigned: true, run: (*Account).assumeRoleWithWebIdentity}, true
	case "GetSessionToken":
		return query("sts", sts, (*Account).getSessionToken), true
	case "GetClusterCredentials":
		return query("redshift", redshift, (*Account).getClusterCredentials), true
	case "GetClusterCredentialsWithIAM":
		return query("redshift", redshift, (*Account).getClusterCredentialsWithIAM), true
	case "DescribeClusters":
		return query("redshift", redshift, (*Account).describeClusters), true
	case "DescribeCustomDomainAssociations":
		return query("redshift", redshift, (*Account).describeCustomDomainAssociations), true
	case "DescribeDBClusters":
		return query("rds", rds, (*Account).describeDBClusters), true
	case "DescribeDBInstances":
		return query("rds", rds, (*Account).describeDBInstances), true
	case "GetCredentials":
		return json11("redshift-serverless", serverless, (*Account).getCredentials), true
	case "GetWorkgroup":
		return json11("redshift-serverless", serverless, (*Account).getWorkgroup), true
	case "ListWorkgroups":
		return json11("redshift-serverless", serverless, (*Account).listWorkgroups), true
	case "GetCustomDomainAssociation":
		return json11("redshift-serverless", serverless, (*Account).getCustomDomainAssociation), true
	case "ListCustomDomainAssociations":
		return json11("redshift-serverless", serverless, (*Account).listCustomDomainAssociations), true
	case PutPrincipal:
		return json11(OwnService, OwnTarget, (*Account).putPrincipal), true
	}
	return operation{}, false
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
	op, known := operationOf(c.action)
	known = known && op.version == c.version && op.json == c.json
	if known {
		a.count(c.action)
	}
	if err := a.caller(r, c, op, known); err != nil {
		return nil, err
	}
	if a.throttled(c.action) {
		return nil, &fault{status: 400, code: "Throttling", message: "Rate exceeded"}
	}
	return op.run(a, *c)
}

// caller finds out who asks, and whether they ask the right service.
func (a *Account) caller(r *http.Request, c *call, op operation, known bool) error {
	if known && op.unsigned {
		c.region = a.o.Region
		return nil
	}
	result, err := a.verifier.VerifyRequest(r, c.payload)
	if err != nil {
		return err
	}
	who, found := a.holder(result.AccessKeyID)
	if !found {
		return &fault{status: 403, code: "InvalidClientTokenId", message: "The security token included in the request is invalid.", why: "the key is gone"}
	}
	c.who, c.region = who, result.Region
	switch {
	case !known:
		return unknown(*c)
	case op.service != result.Service:
		return wrongService(op.service, result.Service)
	}
	return nil
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
