package serviceaccount

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/assertd/assertd/ipc"
)

// lax are claims as encoding/json reads them: it takes members in any case, and
// the last of several.
type lax struct {
	Iss        string   `json:"iss"`
	Sub        string   `json:"sub"`
	Aud        []string `json:"aud"`
	Exp        int64    `json:"exp"`
	Iat        int64    `json:"iat"`
	Nbf        int64    `json:"nbf"`
	Kubernetes struct {
		Namespace      string `json:"namespace"`
		ServiceAccount struct {
			Name string `json:"name"`
		} `json:"serviceaccount"`
	} `json:"kubernetes.io"`
}

func checkParsed(t *testing.T, payload string) {
	c, err := Parse(payload)
	if err != nil {
		var refused *Error
		if !errors.As(err, &refused) || refused.Code == "" || !slices.Contains(ipc.Codes(), refused.Code) {
			t.Fatalf("got the error %v", err)
		}
		return
	}
	text, err := base64.RawURLEncoding.DecodeString(payload)
	if err != nil || base64.RawURLEncoding.EncodeToString(text) != payload || len(payload) > MaxPayload {
		t.Fatalf("accepted %q, which has another form", payload)
	}
	var other lax
	if err := json.Unmarshal(text, &other); err != nil {
		t.Fatalf("another reader refuses the claims: %v", err)
	}
	same := other.Iss == c.Issuer && other.Sub == c.Subject() && slices.Equal(other.Aud, c.Audiences) &&
		other.Exp == c.ExpiresAt && other.Iat == c.IssuedAt && other.Nbf == c.NotBefore &&
		other.Kubernetes.Namespace == c.Namespace && other.Kubernetes.ServiceAccount.Name == c.Name
	if !same {
		t.Fatalf("another reader finds %+v in the claims, not %+v", other, c)
	}
	if strings.Count(c.Subject(), ":") != 3 || len(c.Audiences) == 0 {
		t.Fatalf("accepted the claims %+v", c)
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(text, &members); err != nil || len(members) > 8 {
		t.Fatalf("accepted members that nobody looks at: %s", text)
	}
}
