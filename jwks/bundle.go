package jwks

import (
	"encoding/json"
	"fmt"
	"time"
)

// BundlePathPrefix + <trust domain> + ".json" is the path of a SPIFFE bundle.
const BundlePathPrefix = "/.well-known/spiffe/"

// Bundle returns the set as the bundle of a SPIFFE trust domain (SPIFFE Trust
// Domain and Bundle, section 4), whose keys sign JWT-SVIDs. A verifier trusts
// each of the keys for every identity in the trust domain, so the bundle must
// have no others. The refresh hint says how often to fetch it, in whole
// seconds; 0 leaves it out.
//
// It has no X.509 authorities, and no sequence number, which would have to
// survive restarts.
func (s Set) Bundle(refresh time.Duration) ([]byte, error) {
	bundle := struct {
		Refresh int64 `json:"spiffe_refresh_hint,omitempty"`
		Keys    []jwk `json:"keys"`
	}{int64(refresh / time.Second), make([]jwk, 0, len(s.entries))}
	for _, e := range s.entries {
		key := e.wire
		key.Use, key.X5c, key.X5tS256 = "jwt-svid", nil, ""
		bundle.Keys = append(bundle.Keys, key)
	}
	text, err := json.Marshal(bundle)
	if err != nil {
		return nil, fmt.Errorf("encode the SPIFFE bundle: %w", err)
	}
	return text, nil
}
