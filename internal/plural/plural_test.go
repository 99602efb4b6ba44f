package plural

import "testing"

func TestOf(t *testing.T) {
	for n, want := range map[int]string{0: "0 key sets", 1: "1 key set", 2: "2 key sets"} {
		if got := Of(n, "key set"); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	if Verb(1, "is", "are") != "is" || Verb(uint64(0), "is", "are") != "are" {
		t.Error("wrong verb")
	}
}
