package config

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/assertd/assertd/internal/jose"
	"github.com/assertd/assertd/internal/keyset"
	"github.com/assertd/assertd/internal/strictyaml"
	"github.com/assertd/assertd/jwks"
)

const (
	// shortestCache is how long receivers keep a JWKS regardless of its max-age.
	// For example, npm's oidc-provider refuses an unknown kid for a minute.
	shortestCache = time.Minute
	// receiverMargin is how much longer than that a new version must be published:
	// a receiver can have fetched the JWKS just before, and the daemon itself sees
	// a new key only when it next polls the token.
	receiverMargin = time.Minute
)

var thumbprint = regexp.MustCompile(`^[A-Za-z0-9_-]{43}$`)

// keys checks the key sets in the order of their names, so errors are always
// the same.
func (c *checker) keys() {
	labels, ids := make(map[string]string), make(map[string]string)
	for _, name := range slices.Sorted(maps.Keys(c.Keys)) {
		k, path := c.Keys[name], strictyaml.Key("keys", name)
		if err := jwks.CheckSetName(name); err != nil {
			c.file.FaultKey("keys", name, "%s", err)
		}
		c.foreign(path+".label", k.Label, name)
		c.adopted(path+".label", "label", k.Label, name, labels)
		c.adopted(path+".id", "id", strings.ToLower(k.ID), name, ids)
		if k.Created != "" && k.Label == "" && k.ID == "" {
			c.fault(path+".created", "created only applies to adopted keys, which have a label or id; remove it")
		}
		c.size(path, k)
		c.rates(path+".rate", k.Rate)
		c.rotation(path+".rotation", k)
		switch k.Use {
		case UseAssertion:
			c.noRawForms(path, k.Hashes, k.Paddings)
		case UseKubernetes:
			c.kubernetesKey(path, k)
		default:
			c.rawForms(path, k.Alg, k.Hashes, k.Paddings)
		}
	}
}

// adopted refuses to have a key pair in two key sets: what one of them can
// sign, the other must not.
func (c *checker) adopted(path, what, value, name string, taken map[string]string) {
	if value == "" {
		return
	}
	if other, ok := taken[value]; ok {
		c.fault(path, "key set %q has the same %s; a key pair can be in only one key set, so remove one of them", other, what)
		return
	}
	taken[value] = name
}

// foreign refuses to adopt a version of another key set by its label, which
// would also be one key pair in two key sets.
func (c *checker) foreign(path, label, name string) {
	set, _, err := keyset.ParseLabel(label)
	if _, ok := c.Keys[set]; err == nil && ok && set != name {
		c.fault(path, "%s is a version of key set %q; a key pair can be in only one key set, so adopt another key", strictyaml.Quote(label), set)
	}
}

func (c *checker) size(path string, k KeySet) {
	switch {
	case k.Bits == 0 || k.Alg == "": // a wrong alg has been reported
	case k.Alg.kind() != jose.RSA:
		c.fault(path+".bits", "bits only applies to RSA keys; remove it, since %s determines the size", k.Alg)
	case k.Bits != 2048 && k.Bits != 3072 && k.Bits != 4096:
		c.fault(path+".bits", "RSA keys can't have %d bits; use 2048, 3072 or 4096", k.Bits)
	}
}

func (c *checker) rates(path string, windows []Window) {
	periods := make(map[Duration]int)
	for i, w := range windows {
		if first, ok := periods[w.Per]; ok && w.Per != 0 {
			c.fault(strictyaml.Item(path, i), "%s is also a window per %s; keep the stricter one", strictyaml.Item(path, first), w.Per)
			continue
		}
		periods[w.Per] = i
		if err := w.rate().Check(); err != nil {
			c.fault(strictyaml.Item(path, i), "invalid window: %s", err)
		}
		if w.Scope == ScopeFleet && c.Budgets.Shared == nil {
			c.fault(strictyaml.Item(path, i)+".scope", "scope: fleet requires budgets.shared, the server on which daemons share the window; add it, or remove scope")
		}
	}
}

func (c *checker) rotation(path string, k KeySet) {
	r := k.Rotation
	before := r.PublishBefore.Duration
	if r.Every != 0 && !r.PublishBefore.Manual && before >= r.Every {
		c.fault(path+".publish_before", "publish_before (%s) must be shorter than every (%s), or the next version would have to exist before the current one signs", before, r.Every)
	}
	if least := max(c.JWKS.MaxAge.Std(), shortestCache) + receiverMargin; k.Use != UseRaw && !r.PublishBefore.Manual && before.Std() < least {
		c.fault(path+".publish_before", "publish_before (%s) must be at least %s, which is jwks.max_age (or a minute, if that is longer) plus a minute; before that, receivers can still have a cached JWKS without the new key and reject its assertions", before, Duration(least))
	}
	if r.Auto && k.Use == UseRaw {
		c.fault(path+".auto", "auto requires use: assertion or kubernetes; a raw key belongs to a certificate or registration that the daemon can't renew, so generate its versions by hand")
	}
	if r.Auto && r.Every == 0 {
		c.fault(path+".auto", "auto needs a rotation interval; set every, such as every: 90d, or remove auto")
	}
	c.kids(path, r)
}

// kids checks lists of kids: a mistyped kid would revoke nothing.
func (c *checker) kids(path string, r Rotation) {
	for _, list := range []struct {
		name string
		kids []string
	}{{"activate", r.Activate}, {"revoke", r.Revoke}} {
		for i, kid := range list.kids {
			at := strictyaml.Item(path+"."+list.name, i)
			switch {
			case !thumbprint.MatchString(kid):
				c.fault(at, "%s is not a kid; copy the 43 characters that assertd key list shows", strictyaml.Quote(kid))
			case slices.Contains(list.kids[:i], kid):
				c.fault(at, "%s is listed twice; remove one", strictyaml.Quote(kid))
			case list.name == "revoke" && slices.Contains(r.Activate, kid):
				c.fault(at, "%s is also under activate; remove it there, since revoking is final", strictyaml.Quote(kid))
			}
		}
	}
}

func (c *checker) noRawForms(path string, hashes, paddings []string) {
	if hashes != nil {
		c.fault(path+".hashes", "hashes only apply to use: raw; remove them, since a JWT's algorithm determines its hash")
	}
	if paddings != nil {
		c.fault(path+".paddings", "paddings only apply to use: raw; remove them, since a JWT's algorithm determines its padding")
	}
}

// rawForms checks hashes and paddings against the algorithm's keys.
func (c *checker) rawForms(path string, alg Algorithm, hashes, paddings []string) {
	message := alg.kind().SignsMessages()
	for i, hash := range hashes {
		if (hash == "none") != message && alg != "" {
			want := "SHA-256, SHA-384 or SHA-512"
			if message {
				want = "none, since " + string(alg) + " signs the message itself"
			}
			c.fault(strictyaml.Item(path+".hashes", i), "%s keys can't sign with the hash %s; use %s", alg, hash, want)
		}
	}
	if paddings != nil && alg.kind() != jose.RSA && alg != "" {
		c.fault(path+".paddings", "paddings only apply to RSA keys; remove them")
	}
	if hashes != nil && len(hashes) == 0 {
		c.fault(path+".hashes", "an empty list allows no hash; list some, or remove hashes to allow the algorithm's own")
	}
	if paddings != nil && len(paddings) == 0 {
		c.fault(path+".paddings", "an empty list allows no padding; list some, or remove paddings to allow the algorithm's own")
	}
}
