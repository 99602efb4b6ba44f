package config

// HSM says where the keys are and how to reach them.
type HSM struct {
	Module           string            `json:"module,omitzero" format:"path" doc:"Absolute path of the PKCS#11 module. Required unless every entry of tokens has its own."`
	Token            *Token            `json:"token,omitempty" doc:"The only token that holds the keys. Set token or tokens."`
	Tokens           []NamedToken      `json:"tokens,omitzero" doc:"Several tokens, in order of preference. A key pair that is on more than one is used from any healthy token."`
	PIN              PIN               `json:"pin,omitzero" doc:"Where the user PIN comes from. The PIN itself is never in the configuration."`
	Workers          int               `json:"workers" default:"2" min:"1" max:"16" doc:"Worker processes per token."`
	Timeout          Duration          `json:"timeout" default:"2s" min:"50ms" max:"5m" doc:"How long a signature can take before its worker is considered hung and is replaced."`
	Environment      map[string]string `json:"environment,omitzero" doc:"Environment variables of the workers, such as SOFTHSM2_CONF. They inherit none of the daemon's."`
	Sessions         int               `json:"sessions" default:"4" min:"1" max:"64" doc:"PKCS#11 sessions per worker, which is also the number of concurrent signatures."`
	SessionCopies    bool              `json:"session_copies" default:"true" doc:"Sign with session copies of the keys where the token supports it. A copy is as protected as its key, and saves some tokens a file access per signature."`
	ReadInNewProcess bool              `json:"read_in_new_process" default:"false" doc:"Look for new keys from a new process each time. For modules that show a running process no keys that another one generates, such as nShield's, whose module assertd knows."`
	Custody          Custody           `json:"custody,omitzero" doc:"Relaxes the requirements on keys, for modules that don't report every attribute."`
	Queue            int               `json:"queue" default:"1024" min:"1" max:"65536" doc:"Maximum number of signatures waiting for a worker. Beyond that, callers are told to retry."`
	Probe            Duration          `json:"probe" default:"10s" min:"1s" max:"1h" doc:"How often each worker is health-checked with a real signature."`

	AlwaysAuthenticate bool `json:"always_authenticate" default:"false" doc:"Sign with keys that need the PIN for each signature (CKA_ALWAYS_AUTHENTICATE). Workers then keep the PIN in memory, and each signature takes one more call to the HSM."`
}

// Token selects a token by its label and serial number; those that are set must
// match. Slot numbers change, so they can't be used.
type Token struct {
	Label  string `json:"label,omitzero" max:"32" doc:"The token's label."`
	Serial string `json:"serial,omitzero" max:"16" doc:"The token's serial number."`
}

// NamedToken is one of several tokens. Settings that it doesn't have are taken
// from hsm.
type NamedToken struct {
	Name             string            `json:"name" required:"true" format:"name" doc:"Name of the token in logs and metrics."`
	Module           string            `json:"module,omitzero" format:"path" doc:"Absolute path of the PKCS#11 module. Default: hsm.module."`
	Label            string            `json:"label,omitzero" max:"32" doc:"The token's label."`
	Serial           string            `json:"serial,omitzero" max:"16" doc:"The token's serial number."`
	PIN              *PIN              `json:"pin,omitempty" doc:"Where the user PIN comes from. Default: hsm.pin."`
	Environment      map[string]string `json:"environment,omitzero" doc:"Environment variables of the workers, in addition to hsm.environment."`
	ReadInNewProcess bool              `json:"read_in_new_process,omitzero" doc:"Look for new keys from a new process each time. Default: hsm.read_in_new_process."`
	Custody          *Custody          `json:"custody,omitempty" doc:"Relaxes the requirements on keys, for modules that don't report every attribute. Default: hsm.custody."`

	AlwaysAuthenticate bool `json:"always_authenticate,omitzero" doc:"Sign with keys that need the PIN for each signature. Default: hsm.always_authenticate."`
}

// Custody relaxes the requirements on keys. The attributes that say whether a
// key can leave the token can't be listed.
type Custody struct {
	AcceptUnknown []string `json:"accept_unknown,omitzero" enum:"CKA_PRIVATE,CKA_SIGN,CKA_DECRYPT,CKA_DERIVE,CKA_SIGN_RECOVER,CKA_ALWAYS_SENSITIVE,CKA_LOCAL" doc:"Attributes that a key can leave unknown, because the module doesn't report them. A wrong value is still refused. assertd check shows which keys it affects."`
}

// PIN says where the PIN is read from. Exactly one source is set. pin: none is
// short for pin: {none: true}. It is not an hsm.PINSource because this package
// doesn't link PKCS#11.
type PIN struct {
	File       string   `json:"file,omitzero" format:"path" doc:"Absolute path of a file that only the daemon's user can read."`
	Credential string   `json:"credential,omitzero" doc:"Name of a systemd credential (LoadCredential=, LoadCredentialEncrypted=)."`
	Command    []string `json:"command,omitzero" doc:"Program and arguments, run without a shell, that print the PIN to standard output."`
	Prompt     bool     `json:"prompt,omitzero" doc:"Prompt on the terminal when the daemon starts."`
	Pad        bool     `json:"pad,omitzero" doc:"A person enters the PIN on the token's own pad. Each worker asks when it starts, so set workers: 1."`
	None       bool     `json:"none,omitzero" doc:"The token needs no login. Usually written pin: none."`
}

// All returns the tokens, with the settings that they take from hsm filled in.
// A single token has the name "token".
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
	if t.Custody == nil {
		custody := h.Custody
		t.Custody = &custody
	}
	t.ReadInNewProcess = t.ReadInNewProcess || h.ReadInNewProcess
	t.AlwaysAuthenticate = t.AlwaysAuthenticate || h.AlwaysAuthenticate
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

// noPIN is the word for a token that needs no login.
const noPIN = "none"

// SetWord reads the one word that a PIN section can be: none.
func (p *PIN) SetWord(word string) bool {
	p.None = word == noPIN
	return p.None
}

func (PIN) HowToWrite() string {
	return "don't write the PIN here: put it in a file that only the daemon's user can read, and set pin: {file: PATH}"
}
