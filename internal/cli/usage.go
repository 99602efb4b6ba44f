package cli

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/assertd/assertd/internal/spelling"
)

// ErrUsage marks an error in the command line.
var ErrUsage = errors.New("usage")

// UsageError marks err as an error in the command line and points to the help.
func UsageError(cmd *cobra.Command, err error) error {
	var unknown *pflag.NotExistError
	if errors.As(err, &unknown) {
		if near := spelling.Nearest(unknown.GetSpecifiedName(), flagNames(cmd)); near != "" {
			return fmt.Errorf("%w: %w; did you mean --%s?", ErrUsage, err, near)
		}
	}
	return fmt.Errorf("%w: %w; see %s --help", ErrUsage, err, cmd.CommandPath())
}

// Args wraps an argument check so that its errors, and those of required and
// mutually exclusive flags, match [ErrUsage].
func Args(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		err := check(cmd, args)
		if err == nil {
			err = cmd.ValidateRequiredFlags()
		}
		if err == nil {
			err = cmd.ValidateFlagGroups()
		}
		if err != nil {
			return UsageError(cmd, err)
		}
		return nil
	}
}

func flagNames(cmd *cobra.Command) (names []string) {
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if !f.Hidden {
			names = append(names, f.Name)
		}
	})
	return names
}

// subcommand rejects an argument of a command that only has subcommands, with
// the name of the one that was probably meant.
func subcommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	var names []string
	for _, child := range cmd.Commands() {
		if child.IsAvailableCommand() {
			names = append(names, child.Name())
		}
	}
	err := fmt.Errorf("%w: unknown command %q for %q", ErrUsage, args[0], cmd.CommandPath())
	if near := spelling.Nearest(args[0], names); near != "" {
		return fmt.Errorf("%w; did you mean %s %s?", err, cmd.CommandPath(), near)
	}
	return fmt.Errorf("%w; see %s --help", err, cmd.CommandPath())
}
