package profile

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Example is a grant in the documentation, and what its caller sends.
type Example struct {
	// Settings are what the grant says, without the claims that it allows.
	Settings
	// Listed and Free are the claims that the caller sends, with their values.
	// The grant lists the values of Listed, and allows any value for Free.
	Listed, Free map[string]any
}

// complete returns the settings that Check gets for the example.
func (e Example) complete(p *Profile) Settings {
	s := e.Settings
	s.AllowedClaims = slices.Concat(sortedKeys(e.Listed), sortedKeys(e.Free))
	s.HasCertificate = p.NeedsCertificate()
	return p.Complete(s)
}

func sortedKeys(claims map[string]any) []string { return slices.Sorted(maps.Keys(claims)) }

// input is what Build gets for the example, without the clock, the randomness
// and the key.
func (e Example) input(p *Profile) Input {
	settings := e.complete(p)
	in := Input{
		BackDate: *settings.BackDate, NotBefore: p.NotBefore, MaxLifetime: settings.MaxLifetime,
		Alg: e.Alg, Kid: e.KeyID, ClientID: e.ClientID, Issuer: e.Issuer, Subject: e.Subject,
		Lifetime: settings.DefaultLifetime, Claims: map[string]any{},
	}
	if len(settings.Audiences) > 0 {
		in.Audience = settings.Audiences[0]
	}
	for _, claims := range []map[string]any{e.ForcedClaims, e.Listed, e.Free} {
		maps.Copy(in.Claims, claims)
	}
	return in
}

// exampleYAML is the example as part of a configuration file.
func (p *Profile) exampleYAML() string {
	var b strings.Builder
	e := p.Example
	fmt.Fprintf(&b, "keys:\n  %s: {%s}\n", p.exampleKey(), strings.Join(p.exampleKeySettings(), ", "))
	fmt.Fprintf(&b, "clients:\n  - name: payments-api\n    match: {user: payments}\n    grants:\n")
	fmt.Fprintf(&b, "      - name: %s\n        key: %s\n        profile: %s\n", p.exampleName(), p.exampleKey(), p.Name)
	for _, setting := range []struct{ name, value string }{
		{"client_id", e.ClientID}, {"issuer", e.Issuer}, {"subject", e.Subject}, {"key_id", e.KeyID},
	} {
		if setting.value != "" {
			fmt.Fprintf(&b, "        %s: %s\n", setting.name, quote(setting.value))
		}
	}
	if len(e.Audiences) > 0 {
		fmt.Fprintf(&b, "        audiences: %s\n", quote(e.Audiences))
	}
	b.WriteString(e.claimsYAML())
	return b.String()
}

func (p *Profile) exampleName() string { return strings.ReplaceAll(p.Name, "_", "-") }

// exampleKey is the name of the key set, different from all others if the
// profile can't share it.
func (p *Profile) exampleKey() string {
	if p.DedicatedKey || p.Delivery == DeliverImport {
		return p.exampleName()
	}
	return "payments"
}

// exampleKeySettings suits the key set to the way in which the receiver gets
// the key.
func (p *Profile) exampleKeySettings() []string {
	settings := []string{"alg: " + p.Example.Alg, "use: assertion"}
	switch p.Delivery {
	case DeliverImport:
		settings = append(settings, "accept: imported")
	case DeliverUpload:
		settings = append(settings, "rotation: {publish_before: manual}")
	}
	if p.NeedsCertificate() {
		settings = append(settings, "certificate: /etc/assertd/payments.pem")
	}
	return settings
}

func (e Example) claimsYAML() string {
	var b strings.Builder
	if len(e.Listed)+len(e.Free)+len(e.ForcedClaims) == 0 {
		return ""
	}
	b.WriteString("        claims:\n")
	if len(e.Listed)+len(e.Free) > 0 {
		b.WriteString("          allow:\n")
	}
	for _, name := range sortedKeys(e.Listed) {
		fmt.Fprintf(&b, "            %s: %s\n", name, quote([]any{e.Listed[name]}))
	}
	for _, name := range sortedKeys(e.Free) {
		fmt.Fprintf(&b, "            %s: any\n", name)
	}
	if len(e.ForcedClaims) > 0 {
		b.WriteString("          set:\n")
	}
	for _, name := range sortedKeys(e.ForcedClaims) {
		fmt.Fprintf(&b, "            %s: %s\n", name, quote(e.ForcedClaims[name]))
	}
	return b.String()
}

// quote formats a value as JSON, which is also YAML.
func quote(value any) string {
	text, err := json.Marshal(value)
	if err != nil {
		return fmt.Sprintf("%q", fmt.Sprint(value))
	}
	return string(text)
}
