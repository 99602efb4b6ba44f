package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/assertd/assertd/internal/cli"
	"github.com/assertd/assertd/internal/keyadmin"
	"github.com/assertd/assertd/internal/plural"
)

func (k *keyTool) destroyCommand() *cobra.Command {
	var d destroying
	cmd := &cobra.Command{
		Use:   "destroy KEY",
		Short: "destroy a key pair permanently",
		Long: "Destroys a key pair and its certificates on this token. This cannot be undone.\n" +
			"Refuses a version that is in the JWKS: revoke it first. Asks you to type the kid.",
		Args: cli.Args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			d.confirmed = bareKids(d.confirmed)
			return k.find(cmd.Context(), args[0], func(a *keyadmin.Admin, _ *keyadmin.Inventory, key keyadmin.Key) error {
				err := d.destroy(cmd.Context(), cmd.OutOrStdout(), a, key, keyadmin.MayDestroy)
				return errors.Join(err, d.report(cmd.OutOrStdout()))
			})
		},
	}
	d.register(cmd)
	return cmd
}

// destroying is what destroy and prune do.
type destroying struct {
	confirmed []string
	output    cli.Output
	destroyed []keyadmin.KeyDocument
}

func (d *destroying) register(cmd *cobra.Command) {
	cmd.Flags().StringArrayVar(&d.confirmed, "yes-destroy", nil, "destroy the key with this `kid` without asking, for scripts; may be repeated")
	d.output.Register(cmd)
}

// report lists what was destroyed, for programs. People have seen it.
func (d *destroying) report(out io.Writer) error {
	if d.output.ForPeople() {
		return nil
	}
	return d.output.Print(out, pruned{Destroyed: d.destroyed}, nil)
}

// pruned is the result of destroy and prune.
type pruned struct {
	Retired   []keyadmin.KeyDocument `json:"retired,omitempty"` // what prune would destroy
	Destroyed []keyadmin.KeyDocument `json:"destroyed,omitempty"`
}

func (k *keyTool) pruneCommand() *cobra.Command {
	var d destroying
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
			d.confirmed = bareKids(d.confirmed)
			return k.work(cmd.Context(), func(a *keyadmin.Admin) error {
				inv, err := k.inventory(cmd.Context(), a)
				if err != nil {
					return err
				}
				keys, err := inv.Prunable(args...)
				if err != nil {
					return err
				}
				return d.prune(cmd, k, a, inv, keys, doDestroy)
			})
		},
	}
	cmd.Flags().BoolVar(&doDestroy, "destroy", false, "destroy each one after you type its kid")
	d.register(cmd)
	return cmd
}

func (d *destroying) prune(cmd *cobra.Command, k *keyTool, a *keyadmin.Admin, inv *keyadmin.Inventory, keys []keyadmin.Key, doDestroy bool) error {
	out := cmd.OutOrStdout()
	for _, kid := range d.confirmed {
		if !slices.ContainsFunc(keys, func(k keyadmin.Key) bool { return k.Kid == kid }) {
			return fmt.Errorf("nothing was destroyed: %s is not a retired version; assertd key prune lists those", kid)
		}
	}
	if len(keys) == 0 || !doDestroy && len(d.confirmed) == 0 {
		return d.showPrunable(out, k, inv, keys)
	}
	for _, key := range keys {
		if !doDestroy && !slices.Contains(d.confirmed, key.Kid) {
			continue
		}
		if err := d.destroy(cmd.Context(), out, a, key, keyadmin.MayPrune); err != nil {
			return errors.Join(err, d.report(out))
		}
	}
	return d.report(out)
}

func (d *destroying) showPrunable(out io.Writer, k *keyTool, inv *keyadmin.Inventory, keys []keyadmin.Key) error {
	result := pruned{Retired: []keyadmin.KeyDocument{}}
	for _, key := range keys {
		result.Retired = append(result.Retired, key.Document())
	}
	return d.output.Print(out, result, func(out io.Writer) error {
		if len(keys) == 0 {
			_, err := fmt.Fprintln(out, "nothing to prune: no version has retired")
			return err
		}
		fmt.Fprintf(out, "%s retired. Nothing was destroyed. To destroy %s permanently: %s\n\n",
			plural.Of(len(keys), "version"), plural.Verb(len(keys), "it", "them"), k.command("prune --destroy"))
		shown := *inv
		shown.Keys, shown.Plans = keys, nil
		return shown.WriteTable(out, d.output == cli.Wide, k.hint)
	})
}

// destroy destroys a key once its kid was typed or given on the command line.
func (d *destroying) destroy(ctx context.Context, out io.Writer, a *keyadmin.Admin, key keyadmin.Key, may func(keyadmin.Key) error) error {
	if err := may(key); err != nil {
		return err
	}
	if !slices.Contains(d.confirmed, key.Confirmation()) {
		if len(d.confirmed) > 0 {
			return fmt.Errorf("nothing was destroyed: this key is %s, and --yes-destroy names another; give it this kid", key.Confirmation())
		}
		if err := askToDestroy(ctx, key); err != nil {
			return fmt.Errorf("nothing was destroyed: %w", err)
		}
	}
	if err := a.Destroy(key, may); err != nil {
		return err
	}
	d.destroyed = append(d.destroyed, key.Document())
	if !d.output.ForPeople() {
		return nil
	}
	_, err := fmt.Fprintf(out, "destroyed %s (%s)\n", keyadmin.Printable(key.Label), key.Kid)
	return err
}

func askToDestroy(ctx context.Context, key keyadmin.Key) error {
	var details strings.Builder
	if err := key.WriteDetails(&details, now()); err != nil {
		return err
	}
	question := fmt.Sprintf("%s\nThis destroys the key pair permanently. Type %s to continue: ", &details, subject(key))
	return typed(ctx, question, key.Confirmation())
}

func subject(key keyadmin.Key) string {
	if key.Kid == "" {
		return "its label"
	}
	return "its kid"
}
