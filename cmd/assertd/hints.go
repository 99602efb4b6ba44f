package main

import (
	"regexp"
	"strings"

	"github.com/spf13/cobra"
)

// placeFlags say which configuration and token a command works on.
var placeFlags = []string{"config", "on", "module", "token", "serial", "pin-file"}

// namedCommand is a command of this program in a sentence, with the words that
// follow.
var namedCommand = regexp.MustCompile(`\bassertd(?: [a-z][a-z-]*)+`)

// keepPlace adds the place flags of a command to the commands that a text
// tells people to run: without them, they would work on other keys.
func keepPlace(cmd *cobra.Command, text string) string {
	if strings.Contains(text, " --config ") { // it has its own
		return text
	}
	return namedCommand.ReplaceAllStringFunc(text, func(sentence string) string {
		words := strings.Fields(sentence)
		meant, rest, err := cmd.Root().Find(words[1:])
		if err != nil || meant.HasSubCommands() {
			return sentence
		}
		at := len(words) - len(rest)
		return strings.Join(append(append(words[:at:at], placeOf(cmd, meant)...), words[at:]...), " ")
	})
}

// placeOf returns the place flags that a command was run with and that another
// one knows.
func placeOf(cmd, other *cobra.Command) (flags []string) {
	for _, name := range placeFlags {
		if flag := cmd.Flags().Lookup(name); flag != nil && flag.Changed && other.Flag(name) != nil {
			flags = append(flags, "--"+name, quoted(flag.Value.String()))
		}
	}
	return flags
}
