package metrics

// Decision is one decision of the signer. Client and Key come from policy. Grant is
// the caller's text until policy has found a client.
type Decision struct {
	Client, Grant, Key string
	Raw                bool
	Code               string // of the refusal or failure; empty if it was released
	Failed             bool   // the daemon could not sign, as opposed to refused to
}

// Decision counts a decision.
func (m *Metrics) Decision(d Decision) {
	names := m.names.Load()
	if d.Code == "" {
		m.release(names, Grant{d.Client, d.Grant, d.Key, d.Raw})
		return
	}
	key := decisionKey{d.Client, d.Code}
	if !names.clients[d.Client] {
		key.client = ""
	}
	if m.problems[d.Code] == nil {
		key.code = ""
	}
	if d.Failed {
		names.failures.get(key).Inc()
	} else {
		names.refusals.get(key).Inc()
	}
}

func (m *Metrics) release(names *resolved, g Grant) {
	counter := names.grants[g]
	if counter == nil {
		counter = m.vectors.released(Grant{Raw: g.Raw})
	}
	counter.Inc()
}
