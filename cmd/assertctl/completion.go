package main

import (
	"context"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/assertd/assertd/ipc"
)

// completionTimeout limits how long completion in a shell waits for the daemon.
const completionTimeout = time.Second

// complete registers the completion of a flag's value. The flag must exist.
func complete(cmd *cobra.Command, flag string, values cobra.CompletionFunc) {
	if err := cmd.RegisterFlagCompletionFunc(flag, values); err != nil {
		panic(err)
	}
}

// completion completes from this user's grants. If the daemon is down it
// completes nothing: an error message would garble the command line.
func (a *app) completion(values func([]ipc.GrantInfo) []string) cobra.CompletionFunc {
	return func(cmd *cobra.Command, _ []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
		ctx, cancel := context.WithTimeout(cmd.Context(), completionTimeout)
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
