package main

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// TestReleasedBinariesHaveTheWallClock: a daemon whose clock the environment
// could set would sign assertions that live for years.
func TestReleasedBinariesHaveTheWallClock(t *testing.T) {
	files, err := exec.Command("go", "list", "-f", "{{.GoFiles}}", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	if list := string(files); !strings.Contains(list, "clock.go") || strings.Contains(list, "clock_shift.go") {
		t.Errorf("without tags the program is built from %s", list)
	}
	makefile, err := os.ReadFile("../../Makefile")
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(makefile), "clockshift") {
		t.Error("the Makefile builds with the tag clockshift")
	}
}
