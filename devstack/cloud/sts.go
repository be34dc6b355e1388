package cloud

// identity is the answer of sts:GetCallerIdentity.
type identity struct {
	ARN     string `xml:"Arn"`
	UserID  string `xml:"UserId"`
	Account string `xml:"Account"`
}

// getCallerIdentity needs no leave: on AWS no policy can take it away.
func (a *Account) getCallerIdentity(c call) (any, error) {
	return identity{ARN: c.who.arn, UserID: c.who.id, Account: a.o.AccountID}, nil
}
