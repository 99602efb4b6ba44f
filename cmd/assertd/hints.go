package main

import (
	"regexp"
	"slices"
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
	var kept strings.Builder
	end := 0
	for _, at := range namedCommand.FindAllStringIndex(text, -1) {
		kept.WriteString(text[end:at[0]])
		sentence := text[at[0]:at[1]]
		if !strings.HasPrefix(text[at[1]:], " --help") {
			sentence = placed(cmd, sentence)
		}
		kept.WriteString(sentence)
		end = at[1]
	}
	return kept.String() + text[end:]
}

// placed adds the flags to the command with which a sentence starts.
func placed(cmd *cobra.Command, sentence string) string {
	words := strings.Fields(sentence)
	meant, rest, err := cmd.Root().Find(words[1:])
	if err != nil || meant.HasSubCommands() {
		return sentence
	}
	at := len(words) - len(rest)
	return strings.Join(slices.Concat(words[:at], placeOf(cmd, meant), words[at:]), " ")
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
