package jwks_test

import (
	"fmt"

	"github.com/assertd/assertd/jwks"
)

// A receiver's copy lacks the members that it wants.
func ExampleDiff() {
	theirs, err := jwks.ParseSet([]byte(`{"keys":[
		{"kty":"OKP","crv":"Ed25519","kid":"k1","alg":"EdDSA","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	ours, err := jwks.NewSet(theirs.Keys())
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Print(jwks.Diff(theirs, ours))
	// Output:
	// 0 the same, 0 missing, 1 different, 0 extra
	// differs  k1                                          EdDSA   use is missing, want "sig"
}
