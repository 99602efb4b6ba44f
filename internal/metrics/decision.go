package metrics

// Decision is one decision of the signer. Client and Key are as policy named them;
// Grant is the caller's word until policy has found a client.
type Decision struct {
	Client, Grant, Key string
	Raw                bool
	Code               string // of the refusal or failure; empty where it was released
	Failed             bool   // the daemon could not, rather than would not
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
