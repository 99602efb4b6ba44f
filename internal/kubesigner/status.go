package kubesigner

import (
	"time"

	"github.com/assertd/assertd/ipc"
)

// Status is the issuer's state, for operators. It is nil for a nil Server.
func (s *Server) Status() *ipc.KubernetesStatus {
	if s == nil {
		return nil
	}
	status := &ipc.KubernetesStatus{
		Issuer: s.opts.Issuer.URL, Key: s.opts.Issuer.Set, Keys: []ipc.IssuerKey{},
		MaxExpirationSeconds: int64(s.opts.MaxExpiration / time.Second), RefreshSeconds: int64(s.opts.Refresh / time.Second),
	}
	set, _, err := s.opts.Keys.Ring().IssuerKeys(s.opts.Issuer)
	switch {
	case err != nil:
		status.Error = err.Error()
	case set.Len() == 0:
		status.Error = "there are no keys"
	}
	ends := make(map[string]time.Time)
	for _, static := range s.opts.Issuer.Static {
		ends[static.Kid] = static.Until
	}
	for _, key := range set.Keys() {
		status.Keys = append(status.Keys, ipc.IssuerKey{Kid: key.Kid, Alg: key.Alg, Until: ends[key.Kid]})
	}
	return status
}
