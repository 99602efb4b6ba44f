package profile

import (
	"encoding/json"
	"fmt"
	"maps"
	"strings"
)

// Example is a grant of the documentation, and its key set's algorithm.
type Example struct {
	Alg                              string
	ClientID, Issuer, Subject, KeyID string
	Audiences                        []string
	// Set are claims that the grant sets. Listed and Free are claims that the
	// caller sends, with what it sends in the example: Listed has its values in
	// the grant, Free may have any.
	Set, Listed, Free map[string]any
}

// settings are the example as the configuration would hand it to Check.
func (e Example) settings(p *Profile) Settings {
	return p.Complete(Settings{
		Alg: e.Alg, ClientID: e.ClientID, Issuer: e.Issuer, Subject: e.Subject, KeyID: e.KeyID, Audiences: e.Audiences,
		AllowedClaims: append(sortedNames(e.Listed), sortedNames(e.Free)...), ForcedClaims: e.Set,
		HasCertificate: p.needsCertificate(),
	})
}

// input is what a request for the example hands to Build, without the clock,
// the randomness and the key.
func (e Example) input(p *Profile) Input {
	settings := e.settings(p)
	in := Input{
		Alg: e.Alg, Kid: e.KeyID, ClientID: e.ClientID, Issuer: e.Issuer, Subject: e.Subject,
		Lifetime: settings.DefaultLifetime, Claims: map[string]any{},
	}
	if len(settings.Audiences) > 0 {
		in.Audience = settings.Audiences[0]
	}
	for _, claims := range []map[string]any{e.Set, e.Listed, e.Free} {
		maps.Copy(in.Claims, claims)
	}
	return in
}

// exampleYAML is the example as a part of the configuration file.
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

// exampleKey names the key set, with a name of its own where it may not be shared.
func (p *Profile) exampleKey() string {
	if p.OwnKey || p.Delivery == DeliverImport {
		return p.exampleName()
	}
	return "payments"
}

// exampleKeySettings fits the key set to the way the receiver gets its key.
func (p *Profile) exampleKeySettings() []string {
	settings := []string{"alg: " + p.Example.Alg, "use: assertion"}
	switch p.Delivery {
	case DeliverImport:
		settings = append(settings, "label: "+p.exampleName())
	case DeliverUpload:
		settings = append(settings, "rotation: {publish_before: manual}")
	}
	if p.needsCertificate() {
		settings = append(settings, "certificate: /etc/assertd/payments.pem")
	}
	return settings
}

func (e Example) claimsYAML() string {
	var b strings.Builder
	if len(e.Listed)+len(e.Free)+len(e.Set) == 0 {
		return ""
	}
	b.WriteString("        claims:\n")
	if len(e.Listed)+len(e.Free) > 0 {
		b.WriteString("          allow:\n")
	}
	for _, name := range sortedNames(e.Listed) {
		fmt.Fprintf(&b, "            %s: %s\n", name, quote([]any{e.Listed[name]}))
	}
	for _, name := range sortedNames(e.Free) {
		fmt.Fprintf(&b, "            %s: any\n", name)
	}
	if len(e.Set) > 0 {
		b.WriteString("          set:\n")
	}
	for _, name := range sortedNames(e.Set) {
		fmt.Fprintf(&b, "            %s: %s\n", name, quote(e.Set[name]))
	}
	return b.String()
}

// quote writes a value as JSON, which YAML reads as it stands.
func quote(value any) string {
	text, err := json.Marshal(value)
	if err != nil {
		return fmt.Sprintf("%q", fmt.Sprint(value))
	}
	return string(text)
}
