package config

// HSM says where the keys are and how they are reached.
type HSM struct {
	Module        string            `json:"module,omitzero" format:"path" doc:"Absolute path of the PKCS#11 module. Needed unless each entry of tokens has its own."`
	Token         *Token            `json:"token,omitempty" doc:"The one token that holds the keys. Give token or tokens."`
	Tokens        []NamedToken      `json:"tokens,omitzero" doc:"Several tokens, the preferred one first. A key pair that lies on more than one is used from whichever is healthy."`
	PIN           PIN               `json:"pin,omitzero" doc:"Where the user PIN comes from. It is never written in the configuration."`
	Workers       int               `json:"workers" default:"2" min:"1" max:"16" doc:"Worker processes for each token."`
	Timeout       Duration          `json:"timeout" default:"2s" min:"50ms" max:"5m" doc:"How long one signature may take before its worker is taken for hung and replaced."`
	Environment   map[string]string `json:"environment,omitzero" doc:"Environment of the workers, such as SOFTHSM2_CONF. They inherit nothing from the daemon's own."`
	Sessions      int               `json:"sessions" default:"4" min:"1" max:"64" doc:"PKCS#11 sessions, and so signatures at the same time, in each worker."`
	SessionCopies bool              `json:"session_copies" default:"true" doc:"Sign with session copies of the keys where the token allows it. A copy keeps every protection of its key and spares some tokens a file access for each signature."`
	Queue         int               `json:"queue" default:"1024" min:"1" max:"65536" doc:"Signatures that may wait for a worker. Past it callers are told to come back."`
	Probe         Duration          `json:"probe" default:"10s" min:"1s" max:"1h" doc:"How often each worker proves itself with a real signature."`
}

// Token selects a token by what is printed on it; slot numbers change and are
// not offered. All that are given must hold.
type Token struct {
	Label  string `json:"label,omitzero" max:"32" doc:"The token's label."`
	Serial string `json:"serial,omitzero" max:"16" doc:"The token's serial number."`
}

// NamedToken is one of several tokens. What it leaves out is taken from hsm.
type NamedToken struct {
	Name        string            `json:"name" required:"true" format:"name" doc:"Name of the token in logs and metrics."`
	Module      string            `json:"module,omitzero" format:"path" doc:"Absolute path of the PKCS#11 module, where it differs from hsm.module."`
	Label       string            `json:"label,omitzero" max:"32" doc:"The token's label."`
	Serial      string            `json:"serial,omitzero" max:"16" doc:"The token's serial number."`
	PIN         *PIN              `json:"pin,omitempty" doc:"Where the user PIN comes from, where it differs from hsm.pin."`
	Environment map[string]string `json:"environment,omitzero" doc:"Environment of the workers, added to that of hsm.environment."`
}

// PIN says where the PIN is read from. Exactly one source is given.
type PIN struct {
	File       string   `json:"file,omitzero" format:"path" doc:"Absolute path of a file that only the daemon's user may read."`
	Credential string   `json:"credential,omitzero" doc:"Name of a systemd credential (LoadCredential=, LoadCredentialEncrypted=)."`
	Command    []string `json:"command,omitzero" doc:"Program and arguments, without a shell, that print the PIN on standard output."`
	Prompt     bool     `json:"prompt,omitzero" doc:"Ask on the terminal when the daemon starts."`
}

// All returns the tokens with everything that they take from hsm filled in: a
// single token appears under the name "token".
func (h HSM) All() []NamedToken {
	if h.Token != nil {
		return []NamedToken{h.complete(NamedToken{Name: "token", Label: h.Token.Label, Serial: h.Token.Serial})}
	}
	all := make([]NamedToken, 0, len(h.Tokens))
	for _, t := range h.Tokens {
		all = append(all, h.complete(t))
	}
	return all
}

func (h HSM) complete(t NamedToken) NamedToken {
	if t.Module == "" {
		t.Module = h.Module
	}
	if t.PIN == nil {
		pin := h.PIN
		t.PIN = &pin
	}
	environment := make(map[string]string, len(h.Environment)+len(t.Environment))
	for name, value := range h.Environment {
		environment[name] = value
	}
	for name, value := range t.Environment {
		environment[name] = value
	}
	t.Environment = environment
	return t
}

func (PIN) HowToWrite() string {
	return "don't write the PIN here: put it in a file that only the daemon's user can read, and set pin: {file: PATH}"
}
