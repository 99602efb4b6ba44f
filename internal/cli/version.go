package cli

import (
	"fmt"
	"io"
	"runtime"

	"github.com/spf13/cobra"
)

// release is what version prints.
type release struct {
	Program string `json:"program"`
	Version string `json:"version"`
	Go      string `json:"go"`
	OS      string `json:"os"`
	Arch    string `json:"arch"`
}

// addVersion makes a program answer both version and --version.
func addVersion(root *cobra.Command, version string) {
	root.Version = version
	var output Output
	cmd := &cobra.Command{
		Use:   "version",
		Short: "print the version",
		Args:  Args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			r := release{root.Name(), version, runtime.Version(), runtime.GOOS, runtime.GOARCH}
			return output.Print(cmd.OutOrStdout(), r, func(out io.Writer) error {
				_, err := fmt.Fprintf(out, "%s %s (%s, %s/%s)\n", r.Program, r.Version, r.Go, r.OS, r.Arch)
				return err
			})
		},
	}
	output.Register(cmd)
	root.AddCommand(cmd)
}
