//go:build hsmtest

package modules

import (
	"fmt"
	"testing"
)

// TestNewer is TestConformance for modules of a newer Debian suite. make
// hsm-test runs it there.
func TestNewer(t *testing.T) {
	conformAll(t, []candidate{{"opencryptoki 3.27", newerOpencryptoki}, {"pkcs11-proxy", Pkcs11Proxy}})
}

func newerOpencryptoki(t testing.TB) *Module {
	return Opencryptoki(t, "-test.run=^TestNewer$/^opencryptoki", fmt.Sprintf("-update=%v", *update))
}
