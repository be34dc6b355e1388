package devstack

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/airhook-go/airhook"
	"github.com/airhook-go/airhook/devstack/cloud"
	"github.com/airhook-go/airhook/devstack/sigv4"
)

// PutUser makes a user of the stack in dir, whichever process runs it, or changes one, who keeps its keys: policy, an IAM
// document, becomes its policy, and without one it may do nothing. No stack there is ErrNotFound.
func PutUser(ctx context.Context, dir, name string, policy []byte) (p cloud.Principal, err error) {
	return p, put(ctx, dir, cloud.AskedPrincipal{Name: name, Policy: policy}, &p)
}

// PutRole makes a role of the stack in dir, or changes one: policy and trust become its policies. Without the first it may
// do nothing, and nobody may assume it without the other.
func PutRole(ctx context.Context, dir, name string, policy, trust []byte) (r cloud.Role, err error) {
	return r, put(ctx, dir, cloud.AskedPrincipal{Name: name, Role: true, Policy: policy, Trust: trust}, &r)
}

// put asks the stack, as its admin.
func put(ctx context.Context, dir string, asked cloud.AskedPrincipal, made any) error {
	status, err := Running(dir)
	if err != nil {
		return err
	}
	body, err := json.Marshal(asked)
	if err != nil {
		return refused(fmt.Errorf("make %s: %w", asked.Name, err), "")
	}
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, status.AWS.EndpointURL, bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/x-amz-json-1.1")
	r.Header.Set("X-Amz-Target", cloud.OwnTarget+"."+cloud.PutPrincipal)
	admin := status.AWS.Principals[0]
	keys := aws.Credentials{AccessKeyID: admin.AccessKeyID, SecretAccessKey: admin.SecretAccessKey}
	if err := v4.NewSigner().SignHTTP(ctx, keys, r, sigv4.PayloadHash(body), cloud.OwnService, status.AWS.Region, time.Now()); err != nil {
		return err
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}} // no proxy: it is on loopback
	answer, err := client.Do(r)
	if err != nil {
		return &airhook.Error{Kind: airhook.ErrUnreachable, Err: fmt.Errorf("ask the dev stack: %w", err), Hint: "see whether it runs: airhook dev status"}
	}
	defer func() { _ = answer.Body.Close() }()
	return readAnswer(answer, asked.Name, made)
}

func readAnswer(answer *http.Response, name string, made any) error {
	text, err := io.ReadAll(io.LimitReader(answer.Body, 1<<20))
	if err != nil {
		return fmt.Errorf("read the dev stack's answer: %w", err)
	}
	if answer.StatusCode == http.StatusOK {
		return json.Unmarshal(text, made)
	}
	var said struct {
		Type    string `json:"__type"`
		Message string `json:"message"`
	}
	_ = json.Unmarshal(text, &said)
	switch said.Type {
	case "ValidationException":
		return refused(errors.New(said.Message), "")
	case "UnknownOperationException":
		return &airhook.Error{Err: fmt.Errorf("make %s: the dev stack was started by another version of airhook", name), Hint: "start it again: airhook dev down, then airhook dev up --detach"}
	}
	return fmt.Errorf("make %s: the dev stack answered %s: %s", name, answer.Status, said.Message)
}

// Running is Read of a stack that has to run: none is ErrNotFound.
func Running(dir string) (Status, error) {
	status, err := Read(dir)
	if err == nil && !status.Running {
		err = &airhook.Error{Kind: airhook.ErrNotFound, Err: fmt.Errorf("no dev stack runs in %s", dir), Hint: "start one: airhook dev up --detach"}
	}
	return status, err
}
