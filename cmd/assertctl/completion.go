package main

import (
	"context"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/assertd/assertd/ipc"
)

// completionTime is how long a shell waits for the daemon at most.
const completionTime = time.Second

// complete registers what a flag's value may be. The flag is defined by the caller.
func complete(cmd *cobra.Command, flag string, values cobra.CompletionFunc) {
	if err := cmd.RegisterFlagCompletionFunc(flag, values); err != nil {
		panic(err)
	}
}

// completion asks the daemon what this user may have signed. A daemon that is away
// completes nothing, and says nothing into the middle of a command line.
func (a *app) completion(values func([]ipc.GrantInfo) []string) cobra.CompletionFunc {
	return func(cmd *cobra.Command, _ []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
		ctx, cancel := context.WithTimeout(cmd.Context(), completionTime)
		defer cancel()
		var matching []cobra.Completion
		for _, value := range values(a.grants(ctx)) {
			if strings.HasPrefix(value, typed) {
				matching = append(matching, value)
			}
		}
		return matching, cobra.ShellCompDirectiveNoFileComp
	}
}

func (a *app) grants(ctx context.Context) []ipc.GrantInfo {
	c, err := a.client()
	if err != nil {
		return nil
	}
	defer c.Close()
	answer, err := c.Grants(ctx)
	if err != nil {
		return nil
	}
	return answer.Grants
}

func grantNames(use string) func([]ipc.GrantInfo) []string {
	return func(grants []ipc.GrantInfo) (names []string) {
		for _, g := range grants {
			if g.Use == use {
				names = append(names, g.Name)
			}
		}
		return names
	}
}

func audiences(grants []ipc.GrantInfo) (all []string) {
	for _, g := range grants {
		all = append(all, g.Audiences...)
	}
	return all
}

func rawKeys(grants []ipc.GrantInfo) (names []string) {
	for _, g := range grants {
		if g.Use == ipc.UseRaw {
			names = append(names, g.Key)
		}
	}
	return names
}
