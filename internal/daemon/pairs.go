package daemon

import (
	"cmp"
	"crypto/x509"

	"github.com/assertd/assertd/hsm/wire"
	"github.com/assertd/assertd/internal/keyset"
)

// copies names a pair on one token or several: the same key under the same label.
type copies struct {
	ref   wire.KeyRef
	label string
}

// pairs lists what the workers found on the tokens, each pair once however
// many tokens hold it. What is wrong with one copy is wrong with the pair: a key
// that can leave any of the tokens can leave. A copy under another label, or a
// second one on its token, is listed too, since it may put the pair into a
// second key set, or into one twice: the key ring refuses both.
func pairs(inventory []wire.KeyInfo) []keyset.Pair {
	problems, tokens := make(map[wire.KeyRef]string), make(map[copies]string)
	var all []keyset.Pair
	for _, info := range inventory {
		name := copies{info.Ref, info.Label}
		if info.Public != nil {
			problems[info.Ref] = cmp.Or(problems[info.Ref], info.Problem)
			if token, known := tokens[name]; known && token != info.Token {
				continue
			}
			tokens[name] = info.Token
		}
		all = append(all, keyset.Pair{
			Label: info.Label, ID: info.ID, Ref: info.Ref, Public: info.Public,
			Certificates: certificates(info.Certificates), Problem: info.Problem,
		})
	}
	for i, pair := range all {
		all[i].Problem = cmp.Or(problems[pair.Ref], pair.Problem)
	}
	return all
}

// certificates parses what the token stores beside a key. Anything that is
// not a certificate is left out: signing does not need it.
func certificates(ders [][]byte) []*x509.Certificate {
	var parsed []*x509.Certificate
	for _, der := range ders {
		if certificate, err := x509.ParseCertificate(der); err == nil {
			parsed = append(parsed, certificate)
		}
	}
	return parsed
}
