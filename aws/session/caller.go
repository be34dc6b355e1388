package session

import "github.com/aws/aws-sdk-go-v2/aws"

// Caller returns the keys that assume this session's role, for whoever wants to know who the role has to trust; nil when
// it is the session of no role, of a web identity's, or of one that the SDK found in a profile.
func (s *Session) Caller() aws.CredentialsProvider {
	if e, ok := s.Config.Credentials.(*early); ok {
		if c, ok := e.inner.(chained); ok {
			return c.base
		}
	}
	return nil
}
