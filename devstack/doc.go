// Package devstack is a laptop's AWS for databases: real PostgreSQL servers that stand for RDS, Redshift and Redshift
// Serverless, each behind a gateway that logs people in as AWS does, and the endpoints that give credentials for them:
// those of an EC2 instance and of a container among them, and an identity provider's. [Status] has an identity of each
// kind. Everything listens on loopback only.
//
//	stack, err := devstack.Start(ctx, devstack.Options{Dir: dir})
//	if err != nil {
//		return err
//	}
//	defer stack.Close()
//	stack.Account().Expire(time.Minute) // a fault on request
//	status := stack.Status()            // endpoints, keys, users, identities
//	ann, err := stack.Account().PutUser("ann", policy) // may do what an IAM document allows
//
// Closing a stack leaves no process and no file. When its process is killed, its servers end too, and the next Start or
// [Down] in the same folder removes the files. It runs on Linux and macOS.
package devstack
