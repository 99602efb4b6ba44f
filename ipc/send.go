package ipc

// AssertionType is the client_assertion_type of RFC 7523, section 2.2.
const AssertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// Send says how an assertion is sent to its receiver. Its profile decides.
type Send string

// The ways to send an assertion.
const (
	SendClientAssertion  Send = "client_assertion" // of a token request (RFC 7523, section 2.2)
	SendGrant            Send = "assertion"        // of a token request (RFC 7523, section 2.1)
	SendTokenExchange    Send = "subject_token"    // of a token exchange (RFC 8693, section 2.1)
	SendWebIdentity      Send = "web_identity"     // WebIdentityToken of AWS AssumeRoleWithWebIdentity
	SendVaultLogin       Send = "vault_login"      // jwt of a login at the JWT auth method of OpenBao or Vault
	SendBearer           Send = "bearer"           // in the Authorization header (RFC 6750, section 2.1)
	SendClientSecret     Send = "client_secret"    // of a token request
	SendDPoP             Send = "dpop"             // in the DPoP header (RFC 9449, section 4.1)
	SendRequestParameter Send = "request"          // of an authorization or pushed authorization request (RFC 9101, section 5)
	SendCustom           Send = "custom"           // as the receiver's documentation says
)

// AssertionType returns the URN that goes along with an assertion: the
// client_assertion_type, grant_type or subject_token_type. It is empty for
// assertions that are sent without one.
func (s Send) AssertionType() string {
	switch s {
	case SendClientAssertion:
		return AssertionType
	case SendGrant:
		return "urn:ietf:params:oauth:grant-type:jwt-bearer"
	case SendTokenExchange:
		return "urn:ietf:params:oauth:token-type:jwt"
	}
	return ""
}
