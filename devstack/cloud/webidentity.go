package cloud

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// audience is whom a token for STS must be for.
const audience = "sts.amazonaws.com"

// provider is the account's OpenID Connect provider, as that of an EKS cluster. Its key lives in memory only.
type provider struct {
	issuer string // without https://, as condition keys have it
	arn    string
	key    *ecdsa.PrivateKey
}

func (a *Account) newProvider() (provider, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return provider{}, fmt.Errorf("make the identity provider's key: %w", err)
	}
	issuer := fmt.Sprintf("oidc.eks.%s.amazonaws.com/id/%X", a.o.Region, sha256.Sum256([]byte("oidc/"+a.o.AccountID)))[:len("oidc.eks..amazonaws.com/id/")+len(a.o.Region)+32]
	return provider{issuer, a.iamARN("oidc-provider", issuer), key}, nil
}

// WebIdentityToken is a token of the account's identity provider for a workload, with which it may assume the roles that
// trust it: of AirhookDev those of Kubernetes, "system:serviceaccount:NAMESPACE:NAME". A life that is not positive gives
// one that has run out.
func (a *Account) WebIdentityToken(subject string, life time.Duration) (string, error) {
	now := a.now()
	expires := now.Add(life)
	claims := jwt.RegisteredClaims{
		Issuer: "https://" + a.provider.issuer, Subject: subject, Audience: jwt.ClaimStrings{audience}, ID: uuidOf("token", rand.Text()),
		ExpiresAt: jwt.NewNumericDate(expires), IssuedAt: jwt.NewNumericDate(now.Add(min(0, life-time.Minute))),
	}
	text, err := jwt.NewWithClaims(jwt.SigningMethodES256, claims).SignedString(a.provider.key)
	if err != nil {
		return "", fmt.Errorf("sign a web identity token: %w", err)
	}
	a.o.Issued(text)
	return text, nil
}

var errNoProvider = errors.New("no provider of that name")

// readWebToken checks a token: who issued it, for whom, until when. The errors are STS's.
func (a *Account) readWebToken(text string) (jwt.RegisteredClaims, error) {
	var claims jwt.RegisteredClaims
	_, err := jwt.ParseWithClaims(text, &claims, func(*jwt.Token) (any, error) {
		if claims.Issuer != "https://"+a.provider.issuer {
			return nil, errNoProvider
		}
		return &a.provider.key.PublicKey, nil
	}, jwt.WithValidMethods([]string{jwt.SigningMethodES256.Alg()}), jwt.WithTimeFunc(a.now), jwt.WithExpirationRequired())
	invalid := func(message string) error {
		return &fault{status: 400, code: "InvalidIdentityToken", message: message, why: fmt.Sprint(err)}
	}
	switch {
	case errors.Is(err, errNoProvider):
		return claims, invalid("No OpenIDConnect provider found in your account for " + short(claims.Issuer))
	case errors.Is(err, jwt.ErrTokenExpired):
		return claims, &fault{
			status: 400, code: "ExpiredTokenException",
			message: fmt.Sprintf("Token expired: current date/time %d must be before the expiration date/time %d", a.now().Unix(), claims.ExpiresAt.Unix()),
		}
	case errors.Is(err, jwt.ErrTokenMalformed):
		return claims, invalid("The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)")
	case err != nil:
		return claims, invalid("Couldn't retrieve verification key from your identity provider,  please reference AssumeRoleWithWebIdentity documentation for requirements")
	case !slices.Contains(claims.Audience, audience):
		return claims, invalid("Incorrect token audience")
	case claims.Subject == "":
		return claims, invalid("Missing a required claim: sub")
	}
	return claims, nil
}
