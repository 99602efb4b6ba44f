package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/spf13/cobra"

	"github.com/assertd/assertd/internal/terminal"
)

// Output is the output format of a command. JSON and YAML are for programs;
// text is for people and may change.
type Output string

// The output formats. Wide is text with whole kids, and lines as long as they
// need to be.
const (
	Text Output = "text"
	Wide Output = "wide"
	JSON Output = "json"
	YAML Output = "yaml"
)

var outputs = []string{string(Text), string(Wide), string(JSON), string(YAML)}

// String, Set and Type implement pflag.Value.
func (f *Output) String() string { return string(*f) }

// Type is shown in the help.
func (f *Output) Type() string { return "format" }

// Set takes the value on the command line.
func (f *Output) Set(text string) error {
	if !slices.Contains(outputs, text) {
		return fmt.Errorf("want text, wide, json or yaml")
	}
	*f = Output(text)
	return nil
}

// Register adds the flag -o to a command.
func (f *Output) Register(cmd *cobra.Command) {
	*f = Text
	cmd.Flags().VarP(f, "output", "o", "output `format`: text, wide, json or yaml")
	if err := cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(outputs, cobra.ShellCompDirectiveNoFileComp)); err != nil {
		panic(err) // the flag is defined above
	}
}

// RegisterWithJSON also adds --json, which commands had before they had -o.
func (f *Output) RegisterWithJSON(cmd *cobra.Command) {
	f.Register(cmd)
	asJSON := cmd.Flags().VarPF((*jsonFlag)(f), "json", "", "print JSON, like -o json")
	asJSON.NoOptDefVal = "true"
	cmd.MarkFlagsMutuallyExclusive("json", "output")
}

// jsonFlag is an Output as a flag without a value.
type jsonFlag Output

func (f *jsonFlag) String() string { return "" }
func (f *jsonFlag) Type() string   { return "bool" }
func (f *jsonFlag) Set(text string) error {
	if text == "true" {
		*f = jsonFlag(JSON)
	}
	return nil
}

// ForPeople reports whether the format is text.
func (f Output) ForPeople() bool { return f == Text || f == Wide }

// Print prints v as JSON or YAML, or calls text.
func (f Output) Print(out io.Writer, v any, text func(io.Writer) error) error {
	if f.ForPeople() {
		return text(out)
	}
	encoded, err := encode(v)
	if err == nil && f == YAML {
		encoded, err = yaml.JSONToYAML(encoded)
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(terminal.Data(out), "%s\n", strings.TrimSuffix(string(encoded), "\n"))
	return err
}

func encode(v any) ([]byte, error) {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(v)
	return text.Bytes(), err
}
