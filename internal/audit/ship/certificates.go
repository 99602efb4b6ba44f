package ship

import (
	"crypto/tls"

	"github.com/assertd/assertd/internal/trustpath"
)

// Certificates are PEM files, read for each connection.
type Certificates struct {
	CA        string // "" for the system's
	Cert, Key string // of the client; "" for none
	Trust     trustpath.Rules
}

func (c Certificates) config() (*tls.Config, error) { return c.Trust.ClientTLS(c.CA, c.Cert, c.Key) }
