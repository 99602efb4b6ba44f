package jose

import "crypto"

// WithMessage are options that carry the message along with its digest, for
// tokens that hash messages themselves. Take SignerOpts out before you look at
// their type.
type WithMessage struct {
	crypto.SignerOpts
	Message []byte
}
