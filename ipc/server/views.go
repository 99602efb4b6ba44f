package server

import (
	"encoding/json"
	"encoding/pem"
	"fmt"
	"time"

	"github.com/assertd/assertd/internal/jose"
	"github.com/assertd/assertd/internal/keyset"
	"github.com/assertd/assertd/internal/rate"
	"github.com/assertd/assertd/ipc"
	"github.com/assertd/assertd/ipc/caller"
	"github.com/assertd/assertd/signer"
	"github.com/assertd/assertd/signer/policy"
)

// visibleGrants describes everything that the caller may have signed.
func (s *Signing) visibleGrants(p *policy.Policy, from caller.Caller) ipc.GrantsResponse {
	response := ipc.GrantsResponse{Caller: ipc.CallerInfo{Caller: from}, Grants: []ipc.GrantInfo{}}
	named := make(map[string]bool)
	for _, visible := range p.Visible(from) {
		if !named[visible.Client] {
			named[visible.Client] = true
			response.Caller.Clients = append(response.Caller.Clients, visible.Client)
		}
		response.Grants = append(response.Grants, s.grant(visible))
	}
	return response
}

func (s *Signing) grant(visible policy.VisibleGrant) ipc.GrantInfo {
	rule := visible.Rule
	info := ipc.GrantInfo{
		Name: rule.Name, Client: visible.Client, Key: rule.Key, InFlight: visible.InFlight,
		Use:     ipc.UseAssertion,
		Budgets: s.Budgets(signer.GrantBudget(visible.Client, rule.Name), signer.KeyBudget(rule.Key)),
	}
	if key, err := s.KeySets.SigningKey(rule.Key); err == nil {
		info.Kid, info.Alg = key.Kid, key.Alg
	}
	if rule.Raw != nil {
		info.Use, info.Hashes, info.Paddings = ipc.UseRaw, rule.Raw.Hashes, rule.Raw.Paddings
		return info
	}
	if rule.Kubernetes != nil {
		info.Use = ipc.UseKubernetes
		return info
	}
	if rule.KeyID != "" {
		info.Kid = rule.KeyID
	}
	info.Profile, info.Audiences = rule.Profile, rule.Audiences
	info.Issuer, info.Subject = orElse(rule.Issuer, rule.ClientID), orElse(rule.Subject, rule.ClientID)
	info.Lifetime = &ipc.Lifetime{
		DefaultSeconds: int64(rule.DefaultLifetime / time.Second), MaxSeconds: int64(rule.MaxLifetime / time.Second),
	}
	info.Claims = claimsInfo(rule)
	return info
}

func orElse(value, otherwise string) string {
	if value == "" {
		return otherwise
	}
	return value
}

func claimsInfo(rule policy.Rule) *ipc.ClaimsInfo {
	if len(rule.Allow)+len(rule.Force)+len(rule.Require) == 0 {
		return nil
	}
	info := &ipc.ClaimsInfo{Require: rule.Require}
	for name, allowed := range rule.Allow {
		if info.Allow == nil {
			info.Allow = make(map[string]ipc.ClaimInfo)
		}
		info.Allow[name] = ipc.ClaimInfo{
			Any: allowed.Any, Words: allowed.Words, MaxItems: allowed.MostItems(), Values: rawValues(allowed.Values),
		}
	}
	for name, value := range rule.Force {
		if info.Set == nil {
			info.Set = make(map[string]json.RawMessage)
		}
		info.Set[name] = rawValue(value)
	}
	return info
}

func rawValues(values []any) []json.RawMessage {
	var raw []json.RawMessage
	for _, value := range values {
		raw = append(raw, rawValue(value))
	}
	return raw
}

// rawValue encodes a value from the configuration, which is always plain JSON.
func rawValue(value any) json.RawMessage {
	text, err := json.Marshal(value)
	if err != nil {
		return json.RawMessage("null")
	}
	return text
}

// Budgets lists the rate windows of budgets, and what is left of each.
func (s *Signing) Budgets(names ...string) []ipc.BudgetInfo {
	var infos []ipc.BudgetInfo
	for _, name := range names {
		for _, left := range s.Limiter.Left(s.Now(), name) {
			infos = append(infos, ipc.BudgetInfo{
				Scope: scopeOf(left.Window), Name: name, Limit: left.Window.Limit, PerSeconds: left.Window.Per.Seconds(), Burst: left.Window.Burst,
				Remaining: left.Remaining, ResetSeconds: left.ResetIn.Seconds(),
			})
		}
	}
	return infos
}

// scopeOf names the scope of a window that isn't the host's.
func scopeOf(w rate.Window) string {
	if w.Fleet {
		return "fleet"
	}
	return ""
}

// rawKeys lists the raw key sets that the caller may use and that can sign now.
// If none of them can, the error says why.
func (s *Signing) rawKeys(p *policy.Policy, from caller.Caller) (ipc.KeysResponse, error) {
	response := ipc.KeysResponse{Keys: []ipc.KeyInfo{}}
	var unusable error
	for _, visible := range p.Visible(from) {
		if visible.Rule.Raw == nil {
			continue
		}
		key, err := s.KeySets.SigningKey(visible.Rule.Key)
		if err != nil {
			unusable = err
			continue
		}
		info, err := keyInfo(key, visible.Rule.Raw)
		if err != nil {
			return ipc.KeysResponse{}, err
		}
		response.Keys = append(response.Keys, info)
	}
	if len(response.Keys) == 0 {
		return response, unusable
	}
	return response, nil
}

func keyInfo(key keyset.Key, rule *policy.RawRule) (ipc.KeyInfo, error) {
	der, err := jose.MarshalSPKI(key.Public)
	if err != nil {
		return ipc.KeyInfo{}, fmt.Errorf("public key %s: %w", key.Kid, err)
	}
	info := ipc.KeyInfo{
		Key: key.Set, Kid: key.Kid, Alg: key.Alg, Hashes: rule.Hashes, Paddings: rule.Paddings,
		PublicKey: pemBlock("PUBLIC KEY", der),
	}
	for _, certificate := range key.Certificates {
		info.Certificates = append(info.Certificates, pemBlock("CERTIFICATE", certificate.Raw))
	}
	return info, nil
}

func pemBlock(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}
