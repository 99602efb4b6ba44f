package authserver

import (
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
)

var proofAlgorithms = []jose.SignatureAlgorithm{jose.ES256, jose.RS256, jose.PS256, jose.EdDSA}

// errNonce means that a proof has no nonce, or an old one.
var errNonce = errors.New("use the nonce of the DPoP-Nonce header")

// errOtherKey means that a token is bound to another key than the proof's.
var errOtherKey = errors.New("the token is bound to another key, or is not sent as a DPoP token")

const (
	proofAge = time.Minute     // how far iat may be from now
	nonceAge = 5 * time.Minute // how long a nonce is good
)

// proofs checks DPoP proofs (RFC 9449 section 4.3).
type proofs struct {
	now func() time.Time

	mu        sync.Mutex
	nonce     string
	nonceTime time.Time
	seen      map[string]time.Time // jti to iat
}

func newProofs(now func() time.Time) *proofs {
	return &proofs{now: now, seen: map[string]time.Time{}}
}

// expected is what a proof must say.
type expected struct {
	method, url string
	accessToken string // empty at the token endpoint
}

type proofClaims struct {
	ID          string `json:"jti"`
	Method      string `json:"htm"`
	URL         string `json:"htu"`
	IssuedAt    int64  `json:"iat"`
	Nonce       string `json:"nonce"`
	AccessToken string `json:"ath"`
}

// check returns the RFC 7638 thumbprint of the key that made a proof.
func (p *proofs) check(proof string, want expected) (thumbprint string, err error) {
	key, claims, err := parseProof(proof)
	if err != nil {
		return "", err
	}
	hash := sha256.Sum256([]byte(want.accessToken))
	switch {
	case claims.Method != want.method:
		return "", fmt.Errorf("htm is %q, want %q", claims.Method, want.method)
	case claims.URL != want.url:
		return "", fmt.Errorf("htu is %q, want %q", claims.URL, want.url)
	case want.accessToken != "" && claims.AccessToken != base64.RawURLEncoding.EncodeToString(hash[:]):
		return "", errors.New("ath is not the hash of the access token")
	case claims.ID == "":
		return "", errors.New("there is no jti")
	}
	if err := p.fresh(claims); err != nil {
		return "", err
	}
	digest, err := key.Thumbprint(crypto.SHA256)
	return base64.RawURLEncoding.EncodeToString(digest), err
}

func parseProof(proof string) (*jose.JSONWebKey, proofClaims, error) {
	var claims proofClaims
	signed, err := jose.ParseSignedCompact(proof, proofAlgorithms)
	if err != nil {
		return nil, claims, errors.New("not a signed JWT")
	}
	header := signed.Signatures[0].Protected
	if typ, _ := header.ExtraHeaders[jose.HeaderType].(string); typ != "dpop+jwt" {
		return nil, claims, fmt.Errorf("typ is %q, want dpop+jwt", typ)
	}
	if header.JSONWebKey == nil || !header.JSONWebKey.IsPublic() {
		return nil, claims, errors.New("there is no public key in the header")
	}
	payload, err := signed.Verify(header.JSONWebKey)
	if err != nil {
		return nil, claims, errors.New("the signature is not by the key in the header")
	}
	return header.JSONWebKey, claims, json.Unmarshal(payload, &claims)
}

// fresh checks the time, the nonce and the jti of a proof.
func (p *proofs) fresh(claims proofClaims) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	issued := time.Unix(claims.IssuedAt, 0)
	if now.Sub(issued).Abs() > proofAge {
		return fmt.Errorf("iat is more than %v from now", proofAge)
	}
	if subtle.ConstantTimeCompare([]byte(claims.Nonce), []byte(p.current(now))) == 0 {
		return errNonce
	}
	for jti, at := range p.seen {
		if now.Sub(at) > 2*proofAge {
			delete(p.seen, jti)
		}
	}
	if _, again := p.seen[claims.ID]; again {
		return errors.New("the proof was used before")
	}
	p.seen[claims.ID] = issued
	return nil
}

// current returns the nonce. p is locked.
func (p *proofs) current(now time.Time) string {
	if now.Sub(p.nonceTime) > nonceAge {
		p.nonce, p.nonceTime = rand.Text(), now
	}
	return p.nonce
}

// refuse says why a proof is refused (RFC 9449 sections 5 and 7.1), and gives
// the client a nonce.
func (p *proofs) refuse(w http.ResponseWriter, err error, status int) {
	code := "invalid_dpop_proof"
	if errors.Is(err, errNonce) {
		code = "use_dpop_nonce"
		p.mu.Lock()
		w.Header().Set("DPoP-Nonce", p.current(p.now()))
		p.mu.Unlock()
	}
	if status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", fmt.Sprintf("DPoP error=%q, error_description=%q", code, err))
	}
	respond(w, status, map[string]string{"error": code, "error_description": err.Error()})
}
