package cli

import "os"

// FromEnvironment replaces the default of a flag by an environment variable, if
// that is set. The help keeps showing the built-in default. Call it after the
// flag was registered with the value.
func FromEnvironment(value *string, variable string) {
	if set := os.Getenv(variable); set != "" {
		*value = set
	}
}
