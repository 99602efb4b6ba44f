package hsm

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/miekg/pkcs11"

	"github.com/assertd/assertd/internal/jose"
)

// Trial is what a token did when it was asked for a key pair of a type, and for
// a signature with each algorithm of the type.
type Trial struct {
	Type       KeyType          `json:"type"`
	Objects    string           `json:"objects,omitempty"`  // what the token made: session or token objects
	Generate   string           `json:"generate"`           // ok, or why it made none
	Took       time.Duration    `json:"generate_took"`      // nanoseconds
	Custody    string           `json:"custody,omitempty"`  // sound, or what is wrong with it
	Excuses    []Excuse         `json:"excuses,omitempty"`  // attributes that are wrong and excused
	Signatures []TrialSignature `json:"signatures"`         // none without a key pair
	Left       string           `json:"left,omitempty"`     // the label of a pair that could not be destroyed
	LeftID     []byte           `json:"left_id,omitempty"`  // and its ID
	LeftWhy    string           `json:"left_why,omitempty"` // and why
}

// TrialSignature is one signature, verified.
type TrialSignature struct {
	Alg    string        `json:"alg"`
	Result string        `json:"result"` // ok, or why it failed
	Hashes bool          `json:"hashes,omitempty"`
	Took   time.Duration `json:"took"` // nanoseconds, of the second signature
}

// trialOK is the result of what worked. The others are Trial.Objects.
const (
	trialOK       = "ok"
	sessionObject = "session"
	tokenObject   = "token"
)

// TrialTypes are the types that Try is for. A large RSA key would take some
// tokens minutes, and shows nothing that a small one doesn't.
func TrialTypes() []KeyType {
	return slices.DeleteFunc(KeyTypes(), func(t KeyType) bool { return t.bits() > 2048 })
}

// Try makes a key pair of a type, signs with it and destroys it. It asks for
// session objects first, which vanish by themselves; if the token makes none it
// asks for token objects with a label that says what they are. What a token
// refuses is a result, not an error.
func (t *Token) Try(typ KeyType) Trial {
	t.admin.Lock()
	defer t.admin.Unlock()
	trial := Trial{Type: typ, Signatures: []TrialSignature{}}
	id := NewID()
	spec := Spec{Label: fmt.Sprintf("assertd probe %x", id[:4]), ID: id, Type: typ}
	for _, onToken := range []bool{false, true} {
		began := time.Now()
		pair, err := t.trialPair(spec, onToken)
		if trial.Took = time.Since(began); err != nil {
			trial.Generate = err.Error()
			continue
		}
		if trial.Generate, trial.Objects = trialOK, sessionObject; onToken {
			trial.Objects = tokenObject
		}
		t.tryPair(&trial, spec, pair)
		return trial
	}
	return trial
}

// trialPair makes a pair with the first template that the token takes. The
// keeper's session holds it, since the others close when a call fails.
func (t *Token) trialPair(spec Spec, onToken bool) (pair trialKeys, refusal error) {
	all, err := t.provider().templates(spec)
	if err != nil {
		return pair, err
	}
	s := t.copies.keeper
	for _, template := range all {
		template.public, template.private = stored(template.public, onToken), stored(template.private, onToken)
		pair.public, pair.private, err = s.ctx.GenerateKeyPair(s.handle, []*pkcs11.Mechanism{template.mechanism}, template.public, template.private)
		if err = callError("C_GenerateKeyPair", err); !refusesTemplate(err) {
			return pair, err
		}
		refusal = cmp.Or(refusal, err)
	}
	return pair, refusal
}

type trialKeys struct{ public, private pkcs11.ObjectHandle }

// stored sets CKA_TOKEN of a template.
func stored(template []*pkcs11.Attribute, onToken bool) []*pkcs11.Attribute {
	return append(without([]uint{pkcs11.CKA_TOKEN}, template), pkcs11.NewAttribute(pkcs11.CKA_TOKEN, onToken))
}

// tryPair signs with the pair and destroys it.
func (t *Token) tryPair(trial *Trial, spec Spec, pair trialKeys) {
	defer t.endTrial(trial, spec, pair)
	k, err := t.trialKey(spec, pair)
	if err != nil {
		trial.Custody = err.Error()
		return
	}
	trial.Custody, trial.Excuses = "sound", k.excuses
	if err := errors.Join(k.problem, t.provider().checkNew(k.held)); err != nil {
		trial.Custody = err.Error()
	} else if k.Imported() {
		trial.Custody = "sound, but counts as imported"
	}
	k.problem = nil // a key that must not be used signs here all the same
	for _, alg := range jose.NamesFor(jose.KindOf(k.public)) {
		trial.Signatures = append(trial.Signatures, k.try(alg))
	}
}

// trialKey describes the pair as read would.
func (t *Token) trialKey(spec Spec, pair trialKeys) (*Key, error) {
	s := t.copies.keeper
	kind, _ := generatorOf(spec.Type)
	public, err := s.decode(pair.public, kind)
	if err != nil {
		return nil, err
	}
	k := &Key{token: t, identity: identity{handle: pair.private}, label: spec.Label, id: spec.ID, kind: kind, public: public}
	if k.custody, err = s.custody(pair.private); err != nil {
		return nil, err
	}
	if k.allowed, err = s.allowedMechanisms(pair.private); err != nil {
		return nil, err
	}
	k.held, k.excuses = t.judgement.excuse(k.custody, kind, k.allowed)
	k.encode()
	k.problem = k.check()
	return k, nil
}

// try signs twice: the first signature may find out which mechanism to use.
func (k *Key) try(alg string) TrialSignature {
	result := TrialSignature{Alg: alg, Result: trialOK}
	for range 2 {
		began := time.Now()
		if err := k.proveLocked(alg); err != nil {
			return TrialSignature{Alg: alg, Result: err.Error()}
		}
		result.Took = time.Since(began)
	}
	if a, err := jose.Lookup(alg); err == nil {
		raw, _, _, _ := mechanismsFor(a)
		result.Hashes = k.refuses(raw)
	}
	return result
}

// endTrial destroys the pair and names what could not be destroyed. What isn't
// a token object vanishes with the keeper's session.
func (t *Token) endTrial(trial *Trial, spec Spec, pair trialKeys) {
	s := t.copies.keeper
	private, public := s.destroy(pair.private), s.destroy(pair.public)
	if err := cmp.Or(private, public); err != nil && trial.Objects == tokenObject {
		trial.Left, trial.LeftID, trial.LeftWhy = spec.Label, spec.ID, err.Error()
	}
}
