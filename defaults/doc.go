// Package defaults builds the client that the airhook binary itself uses: connections from the environment, then from
// the embedded store; logins by password and AWS IAM.
//
//	client, err := defaults.Client(ctx)
//	if err != nil {
//		return err
//	}
//	defer client.Close()
//
// A program that keeps its connections elsewhere builds its own with airhook.New.
package defaults
