package main

import (
	"context"
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"github.com/assertd/assertd/internal/cli"
	"github.com/assertd/assertd/internal/keyadmin"
)

func (k *keyTool) destroyCommand() *cobra.Command {
	var confirmed []string
	cmd := &cobra.Command{
		Use:   "destroy KEY",
		Short: "destroy a key pair permanently",
		Long: "Destroys a key pair and its certificates on this token. This cannot be undone.\n" +
			"Refuses a version that is in the JWKS: revoke it first. Asks you to type the kid.",
		Args: cli.Args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			confirmed = bareKids(confirmed)
			return k.find(cmd.Context(), args[0], func(a *keyadmin.Admin, _ *keyadmin.Inventory, key keyadmin.Key) error {
				return destroy(cmd.Context(), cmd.OutOrStdout(), a, key, keyadmin.MayDestroy, confirmed)
			})
		},
	}
	confirmedFlag(cmd, &confirmed)
	return cmd
}

func confirmedFlag(cmd *cobra.Command, confirmed *[]string) {
	cmd.Flags().StringArrayVar(confirmed, "yes-destroy", nil, "destroy the key with this `kid` without asking, for scripts; may be repeated")
}

func (k *keyTool) pruneCommand() *cobra.Command {
	var confirmed []string
	var doDestroy bool
	cmd := &cobra.Command{
		Use:   "prune [KEYSET ...]",
		Short: "show retired versions, or destroy them (--destroy)",
		Long: "Shows the versions that have retired: they are out of the JWKS, and all their\n" +
			"assertions have expired. With --destroy, destroys each one after you type its kid.",
		Args: cli.Args(cobra.ArbitraryArgs),
		RunE: func(cmd *cobra.Command, args []string) error {
			if k.module != "" {
				return fmt.Errorf("%w: prune needs a configuration, since its rotation settings define what has retired", cli.ErrUsage)
			}
			confirmed = bareKids(confirmed)
			return k.work(cmd.Context(), func(a *keyadmin.Admin) error {
				inv, err := a.Inventory()
				if err != nil {
					return err
				}
				keys, err := inv.Prunable(args...)
				if err != nil {
					return err
				}
				return prune(cmd, a, inv, keys, confirmed, doDestroy)
			})
		},
	}
	cmd.Flags().BoolVar(&doDestroy, "destroy", false, "destroy each one after you type its kid")
	confirmedFlag(cmd, &confirmed)
	return cmd
}

func prune(cmd *cobra.Command, a *keyadmin.Admin, inv *keyadmin.Inventory, keys []keyadmin.Key, confirmed []string, doDestroy bool) error {
	out := cmd.OutOrStdout()
	for _, kid := range confirmed {
		if !slices.ContainsFunc(keys, func(k keyadmin.Key) bool { return k.Kid == kid }) {
			return fmt.Errorf("nothing was destroyed: %s is not a retired version", kid)
		}
	}
	if len(keys) == 0 {
		_, err := fmt.Fprintln(out, "nothing to prune: no version has retired")
		return err
	}
	if !doDestroy && len(confirmed) == 0 {
		return showPrunable(out, inv, keys)
	}
	for _, key := range keys {
		if !doDestroy && !slices.Contains(confirmed, key.Kid) {
			continue
		}
		if err := destroy(cmd.Context(), out, a, key, keyadmin.MayPrune, confirmed); err != nil {
			return err
		}
	}
	return nil
}

func showPrunable(out io.Writer, inv *keyadmin.Inventory, keys []keyadmin.Key) error {
	shown := *inv
	shown.Keys, shown.Plans = keys, nil
	if err := shown.WriteTable(out); err != nil {
		return err
	}
	_, err := fmt.Fprintln(out, "\nNothing was destroyed. To destroy them permanently: assertd key prune --destroy")
	return err
}

// destroy destroys a key once its kid was typed or given on the command line.
func destroy(ctx context.Context, out io.Writer, a *keyadmin.Admin, key keyadmin.Key, may func(keyadmin.Key) error, confirmed []string) error {
	if err := may(key); err != nil {
		return err
	}
	if !slices.Contains(confirmed, key.Confirmation()) {
		if len(confirmed) > 0 {
			return fmt.Errorf("nothing was destroyed: this key is %s, and --yes-destroy names another", key.Confirmation())
		}
		question := fmt.Sprintf("%s\nThis destroys the key pair permanently. Type %s to continue: ", key.Details(now()), subject(key))
		if err := typed(ctx, question, key.Confirmation()); err != nil {
			return fmt.Errorf("nothing was destroyed: %w", err)
		}
	}
	if err := a.Destroy(key, may); err != nil {
		return err
	}
	_, err := fmt.Fprintf(out, "destroyed %s (%s)\n", keyadmin.Printable(key.Label), key.Kid)
	return err
}

func subject(key keyadmin.Key) string {
	if key.Kid == "" {
		return "its label"
	}
	return "its kid"
}
