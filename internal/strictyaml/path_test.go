package strictyaml

import "testing"

func TestPaths(t *testing.T) {
	for path, parent := range map[string]string{
		"a": "", "a.b": "a", "a[3]": "a", "a[3].b": "a[3]", `a["x.y"]`: "a", `a["x]"].b`: `a["x]"]`, "": "", `["q"].z`: `["q"]`,
	} {
		if got := parentPath(path); got != parent {
			t.Errorf("parentPath(%q) = %q, want %q", path, got, parent)
		}
	}
	if got := Key(Key("a", "x.y"), "b"); got != `a["x.y"].b` {
		t.Error(got)
	}
}
