package profile

// Send is how the assertion reaches its receiver.
type Send string

// The ways in which an assertion is sent.
const (
	// SendClientAssertion: client_assertion and client_assertion_type of a
	// token request (RFC 7523 section 2.2).
	SendClientAssertion Send = "client_assertion"
	// SendGrant: grant_type jwt-bearer and assertion (RFC 7523 section 2.1).
	SendGrant Send = "assertion"
	// SendTokenExchange: subject_token of a token exchange (RFC 8693 section
	// 2.1).
	SendTokenExchange Send = "subject_token"
	// SendWebIdentity: WebIdentityToken of AWS AssumeRoleWithWebIdentity.
	SendWebIdentity Send = "web_identity"
	// SendBearer: the Authorization header of an API request (RFC 6750 section
	// 2.1).
	SendBearer Send = "bearer"
	// SendClientSecret: client_secret of a token request.
	SendClientSecret Send = "client_secret"
	// SendDPoP: the DPoP header of a request (RFC 9449 section 4.1).
	SendDPoP Send = "dpop"
	// SendRequestParameter: the request parameter of an authorization or a
	// pushed authorization request (RFC 9101 section 5).
	SendRequestParameter Send = "request"
	// SendCustom: however the receiver wants it.
	SendCustom Send = "custom"
)

// AssertionType is the URN that accompanies the assertion in a request: the
// client_assertion_type, grant_type or subject_token_type. It is empty if the
// assertion needs none.
func (s Send) AssertionType() string {
	switch s {
	case SendClientAssertion:
		return "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
	case SendGrant:
		return "urn:ietf:params:oauth:grant-type:jwt-bearer"
	case SendTokenExchange:
		return "urn:ietf:params:oauth:token-type:jwt"
	}
	return ""
}
