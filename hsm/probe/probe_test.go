package probe_test

import (
	"bytes"
	"context"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/pkcs11"

	"github.com/assertd/assertd/hsm"
	"github.com/assertd/assertd/hsm/probe"
	"github.com/assertd/assertd/test/softhsm"
	"github.com/assertd/assertd/test/softhsm/faulty"
)

// childVariable makes the test binary the child.
const childVariable = "PROBE_TEST_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(childVariable) == "" {
		os.Exit(m.Run())
	}
	if err := probe.Serve(os.Stdin, os.NewFile(probe.FD, "report")); err != nil {
		println(err.Error())
		os.Exit(1)
	}
	os.Exit(0)
}

// settings have the environment of a faulty module. Steps may take long on a
// busy machine.
func settings(module *faulty.Module) probe.Settings {
	s := probe.Settings{Command: []string{"/proc/self/exe"}, Environment: append(os.Environ(), childVariable+"=1"), Step: time.Minute}
	for name, value := range module.Environment() {
		s.Environment = append(s.Environment, name+"="+value)
	}
	return s
}

func run(t *testing.T, s probe.Settings, module *faulty.Module, soft *softhsm.Token, try bool) (probe.Report, string) {
	t.Helper()
	report, err := s.Run(t.Context(), probe.Request{Module: module.Path(), Try: try, Label: soft.Label}, hsm.NewPIN([]byte(soft.PIN)))
	if err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	if err := report.WriteText(&text); err != nil {
		t.Fatal(err)
	}
	return report, text.String()
}

// A probe lists what the module has and its quirks, without a PIN.
func TestProbe(t *testing.T) {
	soft, module := softhsm.New(t), faulty.Build(t)
	module.Imitate(faulty.NShield)
	report, text := run(t, settings(module), module, soft, false)
	if report.Problem != "" || report.Description.Module.Provider != "Entrust nShield" || report.Trial != nil {
		t.Errorf("%+v", report)
	}
	i := slices.IndexFunc(report.Slots, func(s hsm.SlotDescription) bool { return s.Token != nil && s.Token.Label == soft.Label })
	if i < 0 || len(report.Slots[i].Token.Mechanisms) < 20 {
		t.Fatalf("the token isn't in %+v", report.Slots)
	}
	for _, offer := range report.Slots[i].Token.Offers {
		if has := !softhsm.Lacks(offer.Alg); offer.Generate != has || offer.Sign != has || offer.Hashes {
			t.Errorf("SoftHSM has %+v", offer)
		}
	}
	for _, part := range []string{"quirk     Entrust nShield, hides-new-keys: ", soft.Serial, "CKM_ECDSA ", "ES256      yes       yes\n"} {
		if !strings.Contains(text, part) {
			t.Errorf("no %q in\n%s", part, text)
		}
	}
	if module.Calls(t, "C_Login") > 0 {
		t.Error("it logged in")
	}
}

// With Try, a key pair of each type signs and is destroyed.
func TestTry(t *testing.T) {
	soft, module := softhsm.New(t), faulty.Build(t)
	report, text := run(t, settings(module), module, soft, true)
	if report.Trial == nil || report.Trial.Problem != "" || report.Trial.Token != soft.Label || len(report.Trial.Results) != len(hsm.TrialTypes()) {
		t.Fatalf("%+v\n%s", report.Trial, text)
	}
	for _, r := range report.Trial.Results {
		if softhsm.Lacks(r.Type) {
			if r.Generate == "ok" || r.Left != "" {
				t.Errorf("%+v", r)
			}
			continue
		}
		if r.Generate != "ok" || r.Objects != "session" || r.Custody != "sound" || r.Left != "" || len(r.Signatures) == 0 {
			t.Errorf("%+v", r)
		}
		for _, s := range r.Signatures {
			if s.Result != "ok" || s.Hashes || s.Took <= 0 {
				t.Errorf("%s: %+v", r.Type, s)
			}
		}
	}
	if left := soft.Objects(); left != 0 {
		t.Errorf("%d objects are left", left)
	}
}

// What the token refuses, and what could not be destroyed, is in the report.
func TestTryOnABadToken(t *testing.T) {
	soft, module := softhsm.New(t), faulty.Build(t)
	module.Set(t, "C_GenerateKeyPair", faulty.Fault{Action: faulty.Return, Code: pkcs11.CKR_SESSION_READ_ONLY, Limit: 1})
	module.Set(t, "C_Sign", faulty.Fault{Action: faulty.Corrupt})
	module.Set(t, "C_DestroyObject", faulty.Fault{Action: faulty.Return, Code: 0x1B})
	report, text := run(t, settings(module), module, soft, true)
	first := report.Trial.Results[0]
	if first.Objects != "token" || !strings.Contains(first.Left, "assertd probe") || !strings.Contains(first.LeftWhy, "CKR_ACTION_PROHIBITED") ||
		!strings.Contains(first.Signatures[0].Result, "doesn't verify") {
		t.Errorf("%+v", first)
	}
	if !strings.Contains(text, "could not destroy the key pair with label \"assertd probe") {
		t.Errorf("what is left isn't named:\n%s", text)
	}
	if left := soft.Objects(); left != 2 {
		t.Errorf("%d objects are left, want the pair", left)
	}
}

// What one process can't destroy, another does.
func TestTryCleansUpFromAnotherProcess(t *testing.T) {
	soft, module := softhsm.New(t), faulty.Build(t)
	module.Set(t, "C_GenerateKeyPair", faulty.Fault{Action: faulty.Return, Code: pkcs11.CKR_SESSION_READ_ONLY, Limit: 1})
	module.Set(t, "C_DestroyObject", faulty.Fault{Action: faulty.Return, Code: 0x1B, Limit: 2})
	report, text := run(t, settings(module), module, soft, true)
	if first := report.Trial.Results[0]; first.Objects != "token" || first.Left != "" || strings.Contains(text, "could not destroy") {
		t.Errorf("%+v", first)
	}
	if left := soft.Objects(); left != 0 {
		t.Errorf("%d objects are left", left)
	}
}

// A module that hangs or crashes is stopped, and the call is named.
func TestProbeOfAModuleThatHangs(t *testing.T) {
	for name, test := range map[string]struct {
		function string
		fault    faulty.Fault
		want     string
	}{
		"hangs":   {"C_GetSlotList", faulty.Fault{Action: faulty.Hang}, "hung for 2s while in C_GetSlotList"},
		"crashes": {"C_GetTokenInfo", faulty.Fault{Action: faulty.Crash}, "ended its process while describing slot"},
		"refuses": {"C_Initialize", faulty.Fault{Action: faulty.Return, Code: 0x1B7}, "CKR_LIBRARY_LOAD_FAILED"},
	} {
		t.Run(name, func(t *testing.T) {
			soft, module := softhsm.New(t), faulty.Build(t)
			module.Set(t, test.function, test.fault)
			s := settings(module)
			if name == "hangs" {
				s.Step = 2 * time.Second
			}
			report, text := run(t, s, module, soft, true)
			if !strings.Contains(report.Problem, test.want) || !strings.Contains(text, test.want) {
				t.Errorf("%q, want %q", report.Problem, test.want)
			}
		})
	}
}

// A wrong PIN is tried once, and shows nowhere.
func TestTryWithAWrongPIN(t *testing.T) {
	soft, module := softhsm.New(t), faulty.Build(t)
	soft.PIN = "wrong-pin"
	report, text := run(t, settings(module), module, soft, true)
	if !strings.Contains(report.Trial.Problem, "refused the PIN") || strings.Contains(text, soft.PIN) || strings.Contains(text, "Tried on") || module.Calls(t, "C_Login") != 1 {
		t.Errorf("%d logins: %s", module.Calls(t, "C_Login"), text)
	}
}

func TestProbeEndsWithItsContext(t *testing.T) {
	soft, module := softhsm.New(t), faulty.Build(t)
	module.Set(t, "C_Initialize", faulty.Fault{Action: faulty.Hang})
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		for module.Fired(t, "C_Initialize") == 0 && ctx.Err() == nil {
			time.Sleep(10 * time.Millisecond)
		}
		cancel()
	}()
	if _, err := settings(module).Run(ctx, probe.Request{Module: module.Path(), Label: soft.Label}, nil); err == nil {
		t.Error("no error")
	}
}
