package profile

import (
	"bytes"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/assertd/assertd/ipc"
)

const recipesIntro = `# Recipes: one for each receiver

<!-- Generated from the rows in signer/profile: change them and run go generate ./signer/profile. -->

For each receiver: what to register, what to configure, how to try it, and how to rotate the key. Not sure which one is
yours? [which-profile.md](which-profile.md) asks a few questions.

## Before you start

1. Add the key set and the grant to the configuration. Each recipe links to an example. ` + "`assertd check`" + ` checks it.
2. Make the key: ` + "`assertd key generate KEYSET`" + `. Reload the daemon.
3. Register the public key with the receiver. [keys.md](keys.md#registering-it) has the command for each form of it.
4. Try it as the user that the service runs as. ` + "`assertctl grants`" + ` shows what that user may ask for.

If the receiver refuses the assertion, ` + "`assertctl assert --grant GRANT --decode`" + ` shows what it got, and ` + "`assertctl jwks diff URL`" + `
shows whether it has the key.

## Rotation, in four ways

How a key is rotated depends on how the receiver gets it.

| the receiver gets the key | to rotate |
| --- | --- |
`

// TestRecipes fails if docs/recipes.md differs from the rows.
func TestRecipes(t *testing.T) {
	var page bytes.Buffer
	page.WriteString(recipesIntro)
	for _, d := range []Delivery{DeliverJWKS, DeliverUpload, DeliverImport, DeliverHeader} {
		writeRow(&page, string(d), rotation[d])
	}
	for _, family := range families() {
		fmt.Fprintf(&page, "\n## %s%s\n", strings.ToUpper(string(family[:1])), family[1:])
		for _, p := range All() {
			if p.Family == family {
				p.writeRecipe(t, &page)
			}
		}
	}
	golden(t, filepath.Join("..", "..", "docs", "recipes.md"), page.Bytes())
}

// rotation is what to do about a key that is due, by how receivers get it.
var rotation = map[Delivery]string{
	DeliverJWKS: "Nothing, with `rotation: {every: 90d, auto: true}`: the next version is in the JWKS for `publish_before` before it signs. " +
		"Without `auto`, run `assertd key generate KEYSET`. If the receiver has a copy of the JWKS, update it before the new version signs.",
	DeliverUpload: "Run `assertd key generate KEYSET`, upload the new public key or certificate, add its kid to `rotation.activate`, and reload. " +
		"Remove the old one at the receiver once `assertctl status` shows that it no longer signs.",
	DeliverImport: "Have the receiver generate another key, `assertd key import FILE --as KEYSET`, destroy the file, and delete the old key at the receiver " +
		"once it no longer signs.",
	DeliverHeader: "Run `assertd key generate KEYSET`. If the profile needs a certificate, have one issued and import it: the new version waits for it.",
}

// shortRotation is the line of a recipe.
var shortRotation = map[Delivery]string{
	DeliverJWKS:   "through the JWKS; if the receiver has a copy of it, update that before the next version signs",
	DeliverUpload: "upload the next key first, then activate it",
	DeliverImport: "import the next key that the receiver hands out",
	DeliverHeader: "generate the next key; the receiver learns it from the assertion",
}

func (p *Profile) writeRecipe(t *testing.T, page *bytes.Buffer) {
	if shortRotation[p.Delivery] == "" {
		t.Fatalf("%s: no recipe for delivery %q", p.Name, p.Delivery)
	}
	fmt.Fprintf(page, "\n### %s\n\n%s.\n\n", p.Name, p.Title)
	fmt.Fprintf(page, "- **Register**: %s\n", p.Register)
	fmt.Fprintf(page, "- **Configure**: `profile: %s`, as in [this example](profiles.md#%s). %s", p.Name, p.Name, p.configureNote())
	fmt.Fprintf(page, "- **Try**: `%s`\n", p.try())
	rotate := shortRotation[p.Delivery]
	if p.KeyID == KeyIDFromReceiver {
		rotate += "; set the grant's `key_id` to the new key's name together with it"
	}
	fmt.Fprintf(page, "- **Rotate**: %s.\n", rotate)
}

// configureNote is what the grant can't do without.
func (p *Profile) configureNote() string {
	var notes []string
	if p.KeyID == KeyIDFromReceiver {
		notes = append(notes, "`key_id` is the name that the receiver gave the key.")
	}
	if p.NeedsCertificate() {
		notes = append(notes, "The key needs a [certificate](keys.md#certificates).")
	}
	if p.DedicatedKey {
		notes = append(notes, "It needs a key set of its own.")
	}
	if len(notes) == 0 {
		notes = append(notes, fmt.Sprintf("`assertd profiles %s` prints it too.", p.Name))
	}
	return strings.Join(notes, " ") + "\n"
}

// try is the command that shows whether the receiver takes the assertion, or
// the assertion itself where only its program can send it.
func (p *Profile) try() string {
	grant := p.exampleName()
	const tokenURL = "https://as.example/token"
	switch p.Send {
	case ipc.SendClientAssertion, ipc.SendGrant:
		return "assertctl token --grant " + grant + " --url " + tokenURL
	case ipc.SendTokenExchange:
		return "assertctl token --grant " + grant + " --url https://sts.googleapis.com/v1/token --scope https://www.googleapis.com/auth/cloud-platform --param audience=PROVIDER"
	case ipc.SendWebIdentity:
		return "assertctl token --grant " + grant + " --url https://sts.eu-central-1.amazonaws.com --param RoleArn=ROLE --param RoleSessionName=test"
	case ipc.SendVaultLogin:
		return "assertctl token --grant " + grant + " --url https://vault.example:8200/v1/auth/jwt/login --param role=ROLE"
	case ipc.SendBearer:
		return "assertctl call --grant " + grant + " https://api.example/"
	case ipc.SendClientSecret:
		return "assertctl token --grant " + grant + " --url https://appleid.apple.com/auth/token --client-id com.example --param grant_type=authorization_code --param code=@code"
	case ipc.SendDPoP:
		return "assertctl token --grant GRANT --url " + tokenURL + " --dpop " + grant
	}
	return "assertctl assert --grant " + grant + " --decode"
}

// TestEveryDeliveryHasRotation: a new way to get keys needs its recipe.
func TestEveryDeliveryHasRotation(t *testing.T) {
	for _, p := range All() {
		if rotation[p.Delivery] == "" || shortRotation[p.Delivery] == "" {
			t.Errorf("%s: no rotation for delivery %q", p.Name, p.Delivery)
		}
	}
}
