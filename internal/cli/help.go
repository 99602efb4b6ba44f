package cli

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// columns is the width that help is wrapped for.
const columns = 80

// printHelp prints the description and the usage of a command.
func printHelp(cmd *cobra.Command, _ []string) {
	text := cmd.Long
	if text == "" {
		text = cmd.Short
	}
	fmt.Fprintf(cmd.OutOrStdout(), "%s\n\n%s", wrap(text), cmd.UsageString())
}

// wrap fills the paragraphs of a text. It keeps indented lines as they are.
func wrap(text string) string {
	var b strings.Builder
	length := 0 // of the current line
	for line := range strings.Lines(text) {
		if strings.TrimSpace(line) == "" || line[0] == ' ' || line[0] == '\t' {
			if length > 0 {
				b.WriteByte('\n')
			}
			b.WriteString(line)
			length = 0
			continue
		}
		for word := range strings.FieldsSeq(line) {
			switch size := utf8.RuneCountInString(word); {
			case length == 0:
				length = size
			case length+1+size > columns:
				b.WriteByte('\n')
				length = size
			default:
				b.WriteByte(' ')
				length += 1 + size
			}
			b.WriteString(word)
		}
	}
	return b.String()
}

// printUsage prints the usage of a command. cobra's own does not wrap flags,
// and to change its template would link text/template, which adds megabytes:
// the linker then keeps every exported method.
func printUsage(cmd *cobra.Command) error {
	var b strings.Builder
	b.WriteString("Usage:\n")
	if cmd.HasAvailableSubCommands() {
		fmt.Fprintf(&b, "  %s [COMMAND]\n", cmd.CommandPath())
	} else {
		fmt.Fprintf(&b, "  %s\n", cmd.UseLine())
	}
	if cmd.HasExample() {
		fmt.Fprintf(&b, "\nExamples:\n%s\n", cmd.Example)
	}
	if cmd.HasAvailableSubCommands() {
		b.WriteString("\nCommands:\n")
		for _, child := range cmd.Commands() {
			if child.IsAvailableCommand() || child.Name() == "help" {
				fmt.Fprintf(&b, "  %-*s  %s\n", child.NamePadding(), child.Name(), child.Short)
			}
		}
	}
	writeFlags(&b, "Flags", cmd.LocalFlags())
	writeFlags(&b, "Global flags", cmd.InheritedFlags())
	if cmd.HasAvailableSubCommands() {
		fmt.Fprintf(&b, "\nRun %s COMMAND --help for more about a command.\n", cmd.CommandPath())
	}
	_, err := io.WriteString(cmd.OutOrStderr(), b.String())
	return err
}

func writeFlags(b *strings.Builder, title string, flags *pflag.FlagSet) {
	if flags.HasAvailableFlags() {
		fmt.Fprintf(b, "\n%s:\n%s", title, flags.FlagUsagesWrapped(columns))
	}
}

// describeBuiltins describes cobra's own commands in the style of ours.
func describeBuiltins(root *cobra.Command) {
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	for _, cmd := range root.Commands() {
		switch cmd.Name() {
		case "help":
			cmd.Short = "show help for a command"
		case "completion":
			cmd.Short = "print a shell completion script"
			cmd.Long = "Prints a shell completion script. The help of each shell's command says where to install it."
		}
	}
}
