package daemon

import (
	"context"
	"fmt"

	"github.com/assertd/assertd/hsm"
	"github.com/assertd/assertd/hsm/pool"
	"github.com/assertd/assertd/internal/config"
	"github.com/assertd/assertd/internal/trustpath"
)

// poolConfig returns the settings of the workers.
func poolConfig(o Options) (pool.Config, error) {
	c := o.Config.HSM
	settings := pool.Config{
		Command: o.WorkerCommand, Workers: c.Workers, Timeout: c.Timeout.Std(),
		Queue: c.Queue, Probe: c.Probe.Std(), Logger: o.Logger,
	}
	for _, token := range c.All() {
		pin, err := pinSource(*token.PIN, o.Config.Trust())
		if err != nil {
			return pool.Config{}, fmt.Errorf("token %s: %w", token.Name, err)
		}
		settings.Tokens = append(settings.Tokens, pool.TokenConfig{
			Name: token.Name,
			HSM: hsm.Config{
				Module: token.Module, Label: token.Label, Serial: token.Serial,
				Sessions: c.Sessions, SessionCopies: c.SessionCopies, AcceptUnknown: token.Custody.AcceptUnknown,
				AlwaysAuthenticate: token.AlwaysAuthenticate, Trust: o.Config.TokenTrust(),
			},
			PIN: pin, Environment: token.Environment, ReadInNewProcess: token.ReadInNewProcess,
		})
	}
	return settings, nil
}

// pinSource returns where the workers read the PIN. Only a PIN typed at a
// prompt is kept by the front: it asks once, and passes the PIN to workers that
// start later.
func pinSource(p config.PIN, trust trustpath.Rules) (hsm.PINSource, error) {
	source := PINSource(p)
	source.Trust = trust
	if !p.Prompt {
		return source, nil
	}
	pin, err := source.Read(context.Background())
	return source.Passed(pin), err
}

// PINSource is the source that a configuration names.
func PINSource(p config.PIN) hsm.PINSource {
	return hsm.PINSource{File: p.File, Credential: p.Credential, Command: p.Command, Prompt: p.Prompt, Pad: p.Pad, None: p.None}
}
