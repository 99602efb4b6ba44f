package profile

import (
	"bytes"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/assertd/assertd/ipc"
)

// TestDocs fails if docs/profiles.md differs from the rows.
func TestDocs(t *testing.T) {
	var page bytes.Buffer
	page.WriteString(docsIntro)
	writeOverview(&page)
	writeRegistration(&page)
	for _, family := range families() {
		writeFamily(t, &page, family)
	}
	golden(t, filepath.Join("..", "..", "docs", "profiles.md"), page.Bytes())
}

const docsIntro = `# Assertion profiles

<!-- Generated from the rows in signer/profile: change them and run go generate ./signer/profile. -->

A profile is the form of assertion that one kind of receiver expects. A grant names a profile, and the daemon builds
the header and the claims accordingly. A grant can't exceed its profile's limits. If a grant contradicts its profile, the
daemon refuses the configuration and says what the profile requires, what the grant says, and how to fix it.

These rules hold for every profile:

- Only the daemon sets iss, sub, aud, exp, nbf, iat and jti. Callers and grants can't set them, in upper or lower case.
  The same goes for claims with the name of a header parameter.
- Nobody else sets header parameters. There is never a jku or an x5u.
- aud is one of the grant's audiences, byte for byte. It never comes from the network.
- An audience that is a URL uses https. Only loopback hosts may use http.
- Every request gets a new assertion.

` + "`assertd profiles` prints the table, `assertd profiles NAME` one profile with an example.\n\n"

func writeOverview(page *bytes.Buffer) {
	page.WriteString("## The table\n\nThe lifetime column shows the default and the maximum.\n\n")
	writeRow(page, "profile", "receiver", "algorithms", "extra header parameters", "iss", "sub", "aud", "lifetime", "jti", "sent as")
	writeRow(page, slices.Repeat([]string{"---"}, 10)...)
	for _, p := range All() {
		members := []string{}
		if p.Typ != "" {
			members = append(members, "typ "+p.Typ)
		}
		for _, m := range p.Header {
			members = append(members, string(m))
		}
		writeRow(page, "["+p.Name+"](#"+p.Name+")", p.Title, p.algorithmSummary(), strings.Join(members, ", "),
			p.Issuer.origin(), p.Subject.origin(), p.audienceSummary(), p.lifetimeSummary(), string(p.JTI), string(p.Send))
	}
	page.WriteString("\nall means ES256-512, PS256-512, RS256-512, EdDSA and Ed25519 (the RFC 9864 name for EdDSA with an Ed25519 key).\n\n" +
		"Receivers differ in the name: " + ed25519Refusers + ". " + eddsaRefusers + ". `assertd check` warns where that matters.\n\n")
}

// origin summarizes a rule in a word or two.
func (r SubjectRule) origin() string {
	if r.From == FromLiteral {
		return r.Literal
	}
	if r.From == FromNothing {
		return "-"
	}
	return string(r.From)
}

func writeRegistration(page *bytes.Buffer) {
	page.WriteString("## What to register\n\n" +
		"For a manual upload, set `rotation: {publish_before: manual}`. A new version then signs only once its kid is listed under `activate`. " +
		"If the receiver generates the key, adopt it by its label.\n\n")
	writeRow(page, "profile", "public key", "register")
	writeRow(page, "---", "---", "---")
	for _, p := range All() {
		writeRow(page, p.Name, p.keySummary(), p.Register)
	}
	page.WriteString("\n")
}

func writeRow(page *bytes.Buffer, cells ...string) {
	for i, cell := range cells {
		cells[i] = strings.ReplaceAll(cell, "|", "\\|")
	}
	fmt.Fprintf(page, "| %s |\n", strings.Join(cells, " | "))
}

func families() []Family {
	return []Family{ClientAuthentication, Grants, Federation, Direct, Proof, Custom}
}

func writeFamily(t *testing.T, page *bytes.Buffer, family Family) {
	fmt.Fprintf(page, "## Family: %s\n\n", family)
	first := true
	for _, p := range All() {
		if p.Family != family {
			continue
		}
		fmt.Fprintf(page, "### %s\n\n%s.\n\n", p.Name, p.Title)
		for _, f := range p.facts() {
			fmt.Fprintf(page, "- **%s**: %s\n", f.label, f.text)
		}
		fmt.Fprintf(page, "\n```yaml\n%s```\n\n", p.exampleYAML())
		if first {
			writeWorkedExample(t, page, p)
		}
		first = false
	}
}

// writeWorkedExample follows one assertion from the request to the receiver.
func writeWorkedExample(t *testing.T, page *bytes.Buffer, p *Profile) {
	e := p.Example
	request := map[string]any{"grant": p.exampleName()}
	claims := map[string]any{}
	for _, sent := range []map[string]any{e.Listed, e.Free} {
		for name, value := range sent {
			claims[name] = value
		}
	}
	if len(claims) > 0 {
		request["claims"] = claims
	}
	page.WriteString("Worked example. The caller sends\n\n```\n" +
		"curl --unix-socket /run/assertd/assertd.sock http://assertd/v1/assertions \\\n  -H 'Content-Type: application/json' \\\n")
	fmt.Fprintf(page, "  -d '%s'\n```\n\n", quote(request))
	fmt.Fprintf(page, "and gets an assertion with\n\n```json\n%s```\n\n", indented(t, exampleResult(t, p)))
	fmt.Fprintf(page, "which it sends to the receiver as\n\n```\n%s\n```\n\n", p.sendExample())
}

// sendExample is the request that carries the assertion.
func (p *Profile) sendExample() string {
	const form = "Content-Type: application/x-www-form-urlencoded\n\n"
	switch p.Send {
	case ipc.SendClientAssertion:
		return "POST /token HTTP/1.1\n" + form + "grant_type=client_credentials&client_id=" + p.Example.ClientID +
			"\n&client_assertion_type=" + p.Send.AssertionType() + "\n&client_assertion=ASSERTION"
	case ipc.SendGrant:
		return "POST /token HTTP/1.1\n" + form + "grant_type=" + p.Send.AssertionType() + "\n&assertion=ASSERTION"
	case ipc.SendVaultLogin:
		return "POST /v1/auth/jwt/login HTTP/1.1\nContent-Type: application/json\n\n{\"role\": \"payments\", \"jwt\": \"ASSERTION\"}"
	case ipc.SendDPoP:
		return p.Example.Listed["htm"].(string) + " /token HTTP/1.1\nDPoP: ASSERTION"
	case ipc.SendBearer:
		return "GET / HTTP/1.1\nAuthorization: Bearer ASSERTION"
	}
	return "however the receiver wants it, with ASSERTION in it"
}

// A family that is missing from the list would be missing from the page.
func TestDocsCoverEveryFamily(t *testing.T) {
	for _, p := range All() {
		if !slices.Contains(families(), p.Family) {
			t.Errorf("%s is of family %q, which the page omits", p.Name, p.Family)
		}
	}
}

func TestWriteProfile(t *testing.T) {
	for _, p := range All() {
		var text bytes.Buffer
		if err := p.WriteProfile(&text); err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{p.Name, p.Title, p.Source, p.Register, "profile: " + p.Name} {
			if !strings.Contains(text.String(), want) {
				t.Errorf("%s: the text does not contain %q", p.Name, want)
			}
		}
	}
}
