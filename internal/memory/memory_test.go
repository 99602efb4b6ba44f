package memory

import (
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"testing"
)

func TestLimitOf(t *testing.T) {
	root := t.TempDir()
	for path, text := range map[string]string{
		"memory.max":                   "max\n",
		"kubepods/memory.max":          "2000000\n",
		"kubepods/pod/memory.max":      "1000000\n",
		"kubepods/pod/a/memory.max":    "max\n",
		"kubepods/pod/huge/memory.max": "9000000\n",
		"system/damaged/memory.max":    "lots\n",
	} {
		path = filepath.Join(root, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for groups, want := range map[string]int64{
		"0::/\n":                               0,
		"":                                     0,
		"0::/kubepods\n":                       1500000,
		"4:memory:/x\n0::/kubepods/pod/a\n":    750000,
		"0::/kubepods/pod/huge\n":              750000,
		"0::/kubepods/pod/missing\n":           750000,
		"0::/system/damaged\n":                 0,
		"0::/../../kubepods/pod (deleted)\n":   1500000,
		"4:memory:/kubepods/pod\n1:cpu:/x/y\n": 0,
	} {
		if got := limitOf(root, groups); got != want {
			t.Errorf("%q: limit %d, want %d", groups, got, want)
		}
	}
}

func TestHeapGrowsByAFixedAmount(t *testing.T) {
	for live, want := range map[uint64]int{0: 400, 4 << 20: 400, 16 << 20: 400, 64 << 20: 100, 640 << 20: 10} {
		if got := percent(live); got != want {
			t.Errorf("%d MB live: %d percent, want %d", live>>20, got, want)
		}
	}
}

func TestSettleFollowsTheLiveData(t *testing.T) {
	t.Setenv("GOGC", "")
	before := debug.SetGCPercent(50)
	defer debug.SetGCPercent(before)
	current := func() int {
		p := debug.SetGCPercent(50)
		debug.SetGCPercent(p)
		return p
	}
	data := make([]byte, 128<<20)
	Settle()
	if p := current(); p < 40 || p > 50 {
		t.Errorf("%d percent with 128 MB of live data", p)
	}
	runtime.KeepAlive(data)
	Tighten()
	if p := current(); p != tightPercent {
		t.Errorf("%d percent while reading", p)
	}
	t.Setenv("GOGC", "77")
	Settle()
	if p := current(); p != tightPercent {
		t.Errorf("GOGC in the environment was ignored: %d percent", p)
	}
}
