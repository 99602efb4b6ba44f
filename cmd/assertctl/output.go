package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/spf13/cobra"

	"github.com/assertd/assertd/internal/terminal"
)

// outputFlag is the output format of a command. JSON and YAML follow the
// daemon's API and are for programs; text is for people and may change.
type outputFlag string

const (
	outputText outputFlag = "text"
	outputJSON outputFlag = "json"
	outputYAML outputFlag = "yaml"
)

var outputs = []string{string(outputText), string(outputJSON), string(outputYAML)}

// String, Set and Type implement pflag.Value.
func (f *outputFlag) String() string { return string(*f) }
func (f *outputFlag) Type() string   { return "format" }
func (f *outputFlag) Set(text string) error {
	if !slices.Contains(outputs, text) {
		return fmt.Errorf("want %s", strings.Join(outputs, ", "))
	}
	*f = outputFlag(text)
	return nil
}

func (f *outputFlag) register(cmd *cobra.Command) {
	*f = outputText
	cmd.Flags().VarP(f, "output", "o", "output `format`: text, json or yaml")
	complete(cmd, "output", cobra.FixedCompletions(outputs, cobra.ShellCompDirectiveNoFileComp))
}

// print prints v as JSON or YAML, or calls text.
func (f outputFlag) print(out io.Writer, v any, text func(io.Writer) error) error {
	if f == outputText {
		return text(out)
	}
	encoded, err := json.MarshalIndent(v, "", "  ")
	if err == nil && f == outputYAML {
		encoded, err = yaml.JSONToYAML(encoded)
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(terminal.Data(out), "%s\n", strings.TrimSuffix(string(encoded), "\n"))
	return err
}
