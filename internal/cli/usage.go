package cli

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"
)

// ErrUsage marks an error in the command line.
var ErrUsage = errors.New("usage")

// UsageError marks err as an error in the command line and points to the help.
func UsageError(cmd *cobra.Command, err error) error {
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
