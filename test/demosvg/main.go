// Command demosvg draws what a program prints as a recording of a terminal: an
// SVG that plays once, and shows all of it where animations are off.
//
//	demosvg PROGRAM [ARGUMENT…] > recording.svg
//
// It keeps its own time, so a slow machine makes the same recording.
package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: demosvg PROGRAM [ARGUMENT…]")
		os.Exit(2)
	}
	var printed bytes.Buffer
	cmd := exec.Command(os.Args[1], os.Args[2:]...)
	cmd.Stdout, cmd.Stderr = &printed, os.Stderr
	if err := cmd.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "demosvg:", err)
		os.Exit(1)
	}
	dir, err := os.Getwd()
	if err == nil {
		_, err = os.Stdout.WriteString(draw(layout(homely(strings.TrimSpace(printed.String()), dir))))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "demosvg:", err)
		os.Exit(1)
	}
}
