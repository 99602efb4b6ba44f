package cli

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

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
			return UsageError(cmd, plainly(err))
		}
		return nil
	}
}

// flagRules are what cobra says of flags that are missing or don't go together,
// with how to say it plainly.
var flagRules = []struct {
	said *regexp.Regexp
	join string // between the names
	with string
}{
	{regexp.MustCompile(`^required flag\(s\) "(.*)" not set$`), " and ", "set %s"},
	{regexp.MustCompile(`^if any flags in the group \[.*\] are set none of the others can be; \[(.*)\] were all set$`), " and ", "%s can't be combined"},
	{regexp.MustCompile(`^at least one of the flags in the group \[(.*)\] is required$`), " or ", "set %s"},
	{regexp.MustCompile(`^if any flags in the group \[(.*)\] are set they must all be set; missing \[.*\]$`), " and ", "%s go together"},
}

// plainly rewords an error of cobra about flags.
func plainly(err error) error {
	for _, rule := range flagRules {
		if match := rule.said.FindStringSubmatch(err.Error()); match != nil {
			names := strings.Fields(strings.ReplaceAll(match[1], `", "`, " "))
			for i, name := range names {
				names[i] = "--" + name
			}
			last := len(names) - 1
			list := names[last]
			if last > 0 {
				list = strings.Join(names[:last], ", ") + rule.join + list
			}
			return fmt.Errorf(rule.with, list)
		}
	}
	return err
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
