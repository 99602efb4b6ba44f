package keyadmin

import (
	"encoding/hex"
	"time"

	"github.com/assertd/assertd/hsm"
	"github.com/assertd/assertd/internal/keyset"
)

// Document is an inventory as JSON.
type Document struct {
	At    time.Time     `json:"at"`
	Token TokenDocument `json:"token"`
	Sets  []SetDocument `json:"key_sets"`
	Other []KeyDocument `json:"other_keys,omitempty"` // in no key set
}

// TokenDocument names a token.
type TokenDocument struct {
	Label  string         `json:"label"`
	Serial string         `json:"serial"`
	Module hsm.ModuleInfo `json:"module"`
}

// SetDocument is a key set with its versions, oldest first.
type SetDocument struct {
	Name     string        `json:"name"`
	Alg      string        `json:"alg"`
	Use      string        `json:"use"`
	Signing  string        `json:"signing,omitempty"` // the signing version's kid
	Reason   string        `json:"reason,omitempty"`  // why no version signs
	Problem  string        `json:"problem,omitempty"` // why the daemon refuses the set
	DueAt    *time.Time    `json:"due_at,omitempty"`  // when the next version must exist
	Late     bool          `json:"late,omitempty"`
	Versions []KeyDocument `json:"versions"`
}

// KeyDocument is a key pair.
type KeyDocument struct {
	Kid         string       `json:"kid,omitempty"`
	Label       string       `json:"label"`
	ID          string       `json:"id,omitempty"`
	Alg         string       `json:"alg,omitempty"`
	Type        hsm.KeyType  `json:"type,omitempty"`
	State       keyset.State `json:"state,omitempty"`
	Created     *time.Time   `json:"created,omitempty"`
	Since       *time.Time   `json:"since,omitempty"`
	Next        keyset.State `json:"next,omitempty"`
	NextAt      *time.Time   `json:"next_at,omitempty"`
	Adopted     bool         `json:"adopted,omitempty"`
	Custody     string       `json:"custody"`
	Attributes  *hsm.Custody `json:"attributes,omitempty"`
	Excused     []hsm.Excuse `json:"excused,omitempty"`
	Problem     string       `json:"problem,omitempty"`
	Certificate *time.Time   `json:"certificate_ends,omitempty"`
}

// Document returns the inventory as JSON.
func (inv *Inventory) Document() Document {
	d := Document{At: inv.At.UTC(), Token: TokenDocument{inv.Token.Label, inv.Token.Serial, inv.Token.Module}, Sets: []SetDocument{}}
	for _, p := range inv.Plans {
		set := p.document()
		for _, k := range inv.Keys {
			if k.Set == p.Set.Name {
				set.Versions = append(set.Versions, k.Document())
			}
		}
		d.Sets = append(d.Sets, set)
	}
	for _, k := range inv.Keys {
		if k.Set == "" {
			d.Other = append(d.Other, k.Document())
		}
	}
	return d
}

func (p Plan) document() SetDocument {
	set := SetDocument{
		Name: p.Set.Name, Alg: p.Set.Alg, Use: "assertion", Signing: p.Signing, Reason: p.Reason, DueAt: moment(p.DueAt), Late: p.Late,
		Problem: message(p.Problem), Versions: []KeyDocument{},
	}
	switch {
	case p.Set.Raw:
		set.Use = "raw"
	case p.Set.Kubernetes:
		set.Use = "kubernetes"
	}
	return set
}

// Document returns a key as JSON.
func (k Key) Document() KeyDocument {
	custody := k.Pair.Custody()
	d := KeyDocument{
		Kid: k.Kid, Label: k.Label, ID: hex.EncodeToString(k.Pair.ID()), Alg: k.Alg, Type: k.Pair.Type(),
		State: k.State, Created: moment(k.Created), Since: moment(k.Since), Next: k.Next, NextAt: moment(k.NextAt),
		Adopted: k.Adopted, Custody: k.Custody(), Attributes: &custody, Excused: k.Pair.Excuses(), Problem: message(k.Problem),
	}
	if len(k.Certificates) > 0 {
		d.Certificate = moment(k.Certificates[0].NotAfter)
	}
	return d
}

func moment(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

func message(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
