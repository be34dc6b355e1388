// Package sigv4 verifies AWS Signature Version 4: of requests signed in their header, of presigned ones, and of the
// tokens that log in to Amazon RDS. Every service of the dev stack asks it. It shares no code with the signers of the
// AWS SDK, so that a mistake of theirs, or of ours in using them, shows.
//
//	v := sigv4.Verifier{Find: keys.find}
//	result, err := v.VerifyRequest(r, sigv4.PayloadHash(body))
//	if err != nil {
//		return err // *sigv4.Error: AWS's code, and why in words
//	}
//	// result.AccessKeyID signed it, for result.Service in result.Region
//
// What the key may do is for the caller to decide. It does not know Signature Version 2, 4A, or chunked payloads.
//
// The rules: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
package sigv4
