package pool

import (
	"cmp"
	"crypto/x509"

	"github.com/assertd/assertd/hsm/wire"
	"github.com/assertd/assertd/internal/keyset"
)

// pairName identifies a pair across tokens: its copies have the same key and
// the same label.
type pairName struct {
	ref   wire.KeyRef
	label string
}

// Pairs lists the key pairs on the tokens, as last read, each once even if
// several tokens hold it. A problem with one copy is a problem with the pair: a
// key that can leave one of the tokens can leave, and one that was imported
// into one of them was outside. A copy with another label, or a second one on
// the same token, is listed too: it may put the pair into two key sets, or into
// one twice, and the key ring refuses both.
func (p *Pool) Pairs() []keyset.Pair { return pairs(p.Inventory()) }

func pairs(inventory []wire.KeyInfo) []keyset.Pair {
	problems, tokens := make(map[wire.KeyRef]string), make(map[pairName]string)
	imported := make(map[wire.KeyRef]bool)
	var all []keyset.Pair
	for _, info := range inventory {
		name := pairName{info.Ref, info.Label}
		if info.Public != nil {
			problems[info.Ref] = cmp.Or(problems[info.Ref], info.Problem)
			imported[info.Ref] = imported[info.Ref] || info.Imported
			if token, known := tokens[name]; known && token != info.Token {
				continue
			}
			tokens[name] = info.Token
		}
		all = append(all, keyset.Pair{
			Label: info.Label, ID: info.ID, Ref: info.Ref, Public: info.Public,
			Certificates: certificates(info.Certificates), Problem: info.Problem, Imported: info.Imported,
		})
	}
	for i, pair := range all {
		all[i].Problem = cmp.Or(problems[pair.Ref], pair.Problem)
		all[i].Imported = pair.Imported || pair.Public != nil && imported[pair.Ref]
	}
	return all
}

// certificates parses the certificates that the token stores with a key. It
// skips those that don't parse: signing doesn't need them.
func certificates(ders [][]byte) []*x509.Certificate {
	var parsed []*x509.Certificate
	for _, der := range ders {
		if certificate, err := x509.ParseCertificate(der); err == nil {
			parsed = append(parsed, certificate)
		}
	}
	return parsed
}
