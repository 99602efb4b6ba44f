package config

import "github.com/assertd/assertd/internal/strictyaml"

// FileRules returns the rules for reading the configuration and files next to
// it, such as the cases of a policy test. start tells the author of an empty
// file how to start.
func FileRules(start string) strictyaml.Rules {
	return strictyaml.Rules{
		MaxSize:      MaxSize,
		Start:        start,
		Formats:      formats(),
		Secrets:      []string{"environment"},
		SecretAdvice: "secrets don't belong in the configuration; for the PIN, see hsm.pin",
	}
}
