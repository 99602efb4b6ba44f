package probe

import (
	"fmt"

	"github.com/assertd/assertd/hsm"
)

// Report is what a probe found.
type Report struct {
	Module string `json:"module"` // its path
	hsm.Description
	Problem string  `json:"problem,omitempty"` // why the probe ended early
	Trial   *Trials `json:"trial,omitempty"`   // with --try
}

// Trials are what a token did when it was asked for keys.
type Trials struct {
	Token   string      `json:"token"` // its label
	Serial  string      `json:"serial"`
	Results []hsm.Trial `json:"results"`
	Problem string      `json:"problem,omitempty"` // why there are no more
}

// left names what the trials could not destroy.
func (t *Trials) left() (names []string) {
	for _, r := range t.Results {
		if r.Left != "" {
			names = append(names, fmt.Sprintf("the key pair with label %q and ID %x (%s)", r.Left, r.LeftID, r.LeftWhy))
		}
	}
	return names
}
