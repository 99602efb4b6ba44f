package hsm

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"unsafe"
)

// TestPINMemory checks the kernel's flags of the memory that holds a PIN.
func TestPINMemory(t *testing.T) {
	pin := NewPIN([]byte("correct horse"))
	defer pin.Zero()
	flags := memoryFlags(t, uintptr(unsafe.Pointer(unsafe.SliceData(*pin.secret()))))
	for flag, meaning := range map[string]string{"lo": "locked", "dd": "not dumped", "wf": "wiped on fork"} {
		if !strings.Contains(flags+" ", " "+flag+" ") {
			t.Errorf("the PIN's memory is not %s: VmFlags:%s", meaning, flags)
		}
	}
	if got := string(pin.Reveal()); got != "correct horse" {
		t.Errorf("got %q back", got)
	}
	pin.Zero()
	pin.Zero()
	if !pin.empty() {
		t.Error("the PIN is there after Zero")
	}
}

// memoryFlags finds the mapping of an address in smaps and returns its flags.
func memoryFlags(t *testing.T, address uintptr) string {
	smaps, err := os.ReadFile("/proc/self/smaps")
	if err != nil {
		t.Fatal(err)
	}
	inside := false
	for line := range strings.Lines(string(smaps)) {
		var from, to uintptr
		if n, _ := fmt.Sscanf(line, "%x-%x ", &from, &to); n == 2 {
			inside = from <= address && address < to
		}
		if flags, ok := strings.CutPrefix(line, "VmFlags:"); ok && inside {
			return strings.TrimRight(flags, "\n")
		}
	}
	t.Fatal("the kernel knows no mapping of the PIN")
	return ""
}
