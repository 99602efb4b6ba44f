package config

import (
	"regexp"

	"github.com/assertd/assertd/internal/strictyaml"
)

var environmentName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

func (c *checker) hsm() {
	h := c.HSM
	switch {
	case h.Token == nil && len(h.Tokens) == 0:
		c.fault("hsm.token", "hsm has no token; add token: {label: NAME} with the label that the HSM's own tool shows")
	case h.Token != nil && h.Tokens != nil:
		c.fault("hsm.tokens", "token and tokens are both set; keep one")
	case h.Token != nil:
		c.selector("hsm.token", h.Token.Label, h.Token.Serial)
	}
	if h.Token != nil && h.Module == "" {
		c.fault("hsm.module", "hsm.module is missing; set it to the path of the HSM's PKCS#11 module")
	}
	switch given := c.file.Has("hsm.pin"); {
	case given:
		c.pin("hsm.pin", h.PIN)
	case h.Token != nil:
		c.fault("hsm.pin", "hsm.pin is missing; add pin: {file: PATH}, or another source for the token's PIN")
	}
	c.environment("hsm.environment", h.Environment)
	c.tokens()
}

func (c *checker) selector(path, label, serial string) {
	if label == "" && serial == "" {
		c.fault(path, "%s doesn't say which token; set its label, serial or both", path)
	}
}

func (c *checker) tokens() {
	names := make(map[string]int)
	for i, t := range c.HSM.Tokens {
		path := strictyaml.Item("hsm.tokens", i)
		if first, ok := names[t.Name]; ok && t.Name != "" {
			c.fault(path+".name", "%s already has the name %q; give each token its own", strictyaml.Item("hsm.tokens", first), t.Name)
		} else {
			names[t.Name] = i
		}
		c.selector(path, t.Label, t.Serial)
		if t.Module == "" && c.HSM.Module == "" {
			c.fault(path+".module", "%s has no module, and hsm.module is not set; set one of them to the path of the PKCS#11 module", path)
		}
		switch {
		case t.PIN != nil:
			c.pin(path+".pin", *t.PIN)
		case !c.file.Has("hsm.pin"):
			c.fault(path+".pin", "%s has no pin, and hsm.pin is not set; add pin: {file: PATH}", path)
		}
		c.environment(path+".environment", t.Environment)
	}
}

// pin checks that a PIN has exactly one source. No message contains its value.
func (c *checker) pin(path string, p PIN) {
	sources := 0
	for _, given := range []bool{p.File != "", p.Credential != "", p.Command != nil, p.Prompt, p.Pad, p.None} {
		if given {
			sources++
		}
	}
	switch {
	case sources == 0:
		c.fault(path, "%s has no source; set one of file: PATH, credential: NAME, command: [PROGRAM, ARGUMENT], prompt: true, pad: true or none: true; pin: none is short for the last", path)
	case sources > 1:
		c.fault(path, "%s has %d sources; keep one of file, credential, command, prompt, pad or none", path, sources)
	default:
		c.source(path, p.Credential, p.Command)
	}
}

func (c *checker) environment(path string, environment map[string]string) {
	for name := range environment {
		if !environmentName.MatchString(name) {
			c.fault(path, "%s has a key that is not a valid environment variable name; use letters, digits and underscores", path)
		}
	}
}
