package deploy

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

// TestUnitForbidsWhatModulesMustNotDo checks settings that the module's own
// sandbox relies on, or repeats for kernels that lack part of it.
func TestUnitForbidsWhatModulesMustNotDo(t *testing.T) {
	unit := read(t, units+"/assertd.service")
	for _, setting := range []string{
		"User=assertd", "NoNewPrivileges=yes", "CapabilityBoundingSet=", "AmbientCapabilities=", "RestrictNamespaces=yes",
		"RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6", "SystemCallArchitectures=native", "SystemCallFilter=~@privileged @resources",
		"LimitCORE=0", "TasksMax=512", "MemoryMax=75%", "OOMPolicy=continue", "MemoryDenyWriteExecute=yes", "ProtectSystem=strict",
	} {
		if !slices.Contains(strings.Split(unit, "\n"), setting) {
			t.Errorf("assertd.service has no %s", setting)
		}
	}
}

// TestImageIsConfined checks that the image runs as a user of its own, and that
// the example of its use confines it like the unit and the Kubernetes files.
func TestImageIsConfined(t *testing.T) {
	image := read(t, "../../Dockerfile")
	stages := strings.Split(image, "\nFROM ")
	for _, stage := range stages[2:] { // after the one that builds
		if i := strings.LastIndex(stage, "\nUSER "); i < 0 || !strings.HasPrefix(stage[i:], "\nUSER 10001:10001\n") {
			t.Errorf("an image does not run as a user of its own:\n%s", stage)
		}
	}
	var compose struct {
		Services map[string]struct {
			ReadOnly    bool     `yaml:"read_only"`
			CapDrop     []string `yaml:"cap_drop"`
			SecurityOpt []string `yaml:"security_opt"`
			Privileged  bool     `yaml:"privileged"`
			PID         string   `yaml:"pid"`
			PidsLimit   int      `yaml:"pids_limit"`
		} `yaml:"services"`
	}
	if err := yaml.Unmarshal([]byte(read(t, "../docker/compose.yaml")), &compose); err != nil {
		t.Fatal(err)
	}
	s := compose.Services["assertd"]
	if !s.ReadOnly || !slices.Equal(s.CapDrop, []string{"ALL"}) || !slices.Equal(s.SecurityOpt, []string{"no-new-privileges:true"}) || s.Privileged || s.PID != "" || s.PidsLimit != 512 {
		t.Errorf("the service is not confined: %+v", s)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}
