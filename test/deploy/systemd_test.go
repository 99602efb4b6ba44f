package deploy

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

const units = "../../deploy/systemd"

// TestExposure limits the exposure that systemd-analyze computes for the
// service, alone and with each drop-in.
func TestExposure(t *testing.T) {
	for dropIn, most := range map[string]float64{
		"":                          1.5,
		"encrypted-pin.conf":        1.5,
		"executable-selectors.conf": 2.0,
		"no-network.conf":           1.0,
		"tpm2.conf":                 1.7,
		"usb.conf":                  1.7,
	} {
		if score := exposure(t, install(t, dropIn)); score > most {
			t.Errorf("assertd.service with %q: exposure %.1f, want at most %.1f", dropIn, score, most)
		}
	}
}

func TestEveryDropInIsTested(t *testing.T) {
	found, err := filepath.Glob(units + "/drop-ins/*.conf")
	if err != nil || len(found) != 5 {
		t.Errorf("%d drop-ins (%v): add new ones to TestExposure and here", len(found), err)
	}
}

// TestUnitsAreUnderstood checks that systemd knows all settings: it ignores
// those it does not know.
func TestUnitsAreUnderstood(t *testing.T) {
	out, _ := exec.Command("systemd-analyze", "verify", "--man=no", "--recursive-errors=no",
		install(t, ""), filepath.Join(units, "assertd.socket")).CombinedOutput()
	for line := range strings.Lines(string(out)) {
		// assertd is not installed on the machine that runs this test.
		if strings.Contains(line, "assertd.") && !strings.Contains(line, "/usr/bin/assertd is not executable") {
			t.Errorf("systemd-analyze verify: %s", line)
		}
	}
}

// install puts the unit and one drop-in in the layout of /etc/systemd/system.
func install(t *testing.T, dropIn string) (unit string) {
	dir := t.TempDir()
	unit = filepath.Join(dir, "assertd.service")
	copyFile(t, filepath.Join(units, "assertd.service"), unit)
	if dropIn != "" {
		copyFile(t, filepath.Join(units, "drop-ins", dropIn), filepath.Join(unit+".d", dropIn))
	}
	return unit
}

func copyFile(t *testing.T, from, to string) {
	content, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, content, 0o644); err != nil {
		t.Fatal(err)
	}
}

var overall = regexp.MustCompile(`Overall exposure level for assertd\.service: ([0-9.]+)`)

func exposure(t *testing.T, unit string) float64 {
	out, err := exec.Command("systemd-analyze", "security", "--no-pager", "--offline=true", unit).CombinedOutput()
	if err != nil {
		t.Fatalf("systemd-analyze: %v\n%s", err, out)
	}
	match := overall.FindSubmatch(out)
	if match == nil {
		t.Fatalf("systemd-analyze gave no score:\n%s", out)
	}
	score, err := strconv.ParseFloat(string(match[1]), 64)
	if err != nil {
		t.Fatal(err)
	}
	return score
}

// TestUnitInPlace checks that no drop-in applies to the unit in its own
// directory.
func TestUnitInPlace(t *testing.T) {
	if score := exposure(t, filepath.Join(units, "assertd.service")); score != exposure(t, install(t, "")) {
		t.Errorf("exposure %.1f in deploy/systemd: a file next to the unit changes it", score)
	}
}
