package config

import (
	"bytes"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/assertd/assertd/internal/strictyaml"
)

// TestReferenceIsCommitted writes docs/configuration.md from the same tags that
// the decoder obeys.
func TestReferenceIsCommitted(t *testing.T) {
	same(t, "../../docs/configuration.md", reference(t))
}

const referenceHead = `# Configuration

<!-- Written from the code: go test ./internal/config -update -->

One YAML file, read when the daemon starts and again at SIGHUP. ` + "`assertd check`" + ` tries it out.

The file is read strictly. A key that is unknown, given twice or empty is a mistake, and so are anchors, aliases, merge keys, tags and
a second document, which let a file mean something else than it seems to. All mistakes are reported at once, each with file, line and
column. An empty list never means "everything". A bad file at a reload changes nothing.

- The file and every directory on the way to it must belong to root or the daemon's user, and nobody else may write them.
- **Duration**: a number with its unit, such as ` + "`250ms`, `60s`, `5m`, `24h`, `90d`, `1d12h`" + `. A day is 24 hours.
- **Size**: a whole number with ` + "`B`, `KiB`, `MiB`, `GiB` or `TiB`" + `.
- **Mode**: permission bits in octal and in quotes, such as ` + "`\"0660\"`" + `.
- **Path**: absolute and in its shortest form.
- Text that looks like a number needs quotes: ` + "`serial: \"0123\"`" + `.
- At most 4 MiB, 32 levels and 10,000 keys in one mapping; lists (clients, grants) have no other bound.

Editors check the file as you type with the JSON Schema in [assertd.schema.json](assertd.schema.json):

` + "```yaml\n# yaml-language-server: $schema=https://raw.githubusercontent.com/assertd/assertd/main/docs/assertd.schema.json\n```" + `

Whole files to begin with: [minimal](../examples/config/minimal.yaml), [production](../examples/config/production.yaml) and
[containers](../examples/config/containers.yaml), with a socket for each client.

## The smallest configuration

`

func reference(t *testing.T) []byte {
	t.Helper()
	minimal, err := os.ReadFile("../../examples/config/minimal.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s```yaml\n%s```\n\n## Settings\n", referenceHead, minimal)
	section(&b, "", reflect.TypeFor[Config]())
	return b.Bytes()
}

// section writes the table of one mapping, and then those of the mappings in it.
func section(b *bytes.Buffer, path string, typ reflect.Type) {
	if path != "" {
		fmt.Fprintf(b, "\n### %s\n", path)
	}
	b.WriteString("\n| setting | value | default | what it is |\n|---|---|---|---|\n")
	for _, f := range strictyaml.Fields(typ) {
		initial := ""
		switch {
		case f.Required:
			initial = "required"
		case f.Default != "":
			initial = "`" + f.Default + "`"
		}
		fmt.Fprintf(b, "| `%s` | %s | %s | %s |\n", f.Name, kindOf(typ.Field(f.Index).Type, f), initial, strings.ReplaceAll(f.Doc, "|", `\|`))
	}
	for _, f := range strictyaml.Fields(typ) {
		at, inner := inside(strictyaml.Key(path, f.Name), typ.Field(f.Index).Type)
		if inner.Kind() == reflect.Struct && inner.PkgPath() == typ.PkgPath() && inner != reflect.TypeFor[ClaimRule]() && inner != reflect.TypeFor[PublishBefore]() {
			section(b, at, inner)
		}
	}
}

// inside steps through lists and maps to what they hold.
func inside(path string, typ reflect.Type) (string, reflect.Type) {
	switch typ.Kind() {
	case reflect.Pointer:
		return inside(path, typ.Elem())
	case reflect.Slice:
		return inside(path+"[]", typ.Elem())
	case reflect.Map:
		return inside(path+".NAME", typ.Elem())
	}
	return path, typ
}

func kindOf(typ reflect.Type, f strictyaml.Field) string {
	switch typ {
	case reflect.TypeFor[Duration]():
		return "duration" + limits(f)
	case reflect.TypeFor[PublishBefore]():
		return "duration or `manual`"
	case reflect.TypeFor[Size]():
		return "size" + limits(f)
	case reflect.TypeFor[Mode]():
		return "mode"
	case reflect.TypeFor[ClaimRule]():
		return "list of values, `{values: […]}`, `{words: […]}` or `any`"
	}
	switch typ.Kind() {
	case reflect.Pointer:
		return kindOf(typ.Elem(), f)
	case reflect.Struct:
		return "mapping"
	case reflect.Slice:
		return "list of " + plural(kindOf(typ.Elem(), f))
	case reflect.Map:
		return "name: " + kindOf(typ.Elem(), f)
	case reflect.Interface:
		return "any value"
	case reflect.Bool:
		return "`true` or `false`"
	case reflect.Int, reflect.Uint32:
		return "number" + limits(f)
	}
	switch {
	case len(f.Words) > 0:
		return "`" + strings.Join(f.Words, "`, `") + "`"
	case f.Format != "":
		return map[string]string{"name": "name", "path": "path", "hex": "hexadecimal", "sha256": "64 hexadecimal digits",
			"address": "`host:port`", "issuer": "URL", "profile": "[profile](profiles.md)", "moment": "RFC 3339 time"}[f.Format]
	}
	return "text"
}

func plural(kind string) string {
	if kind == "mapping" {
		return "mappings"
	}
	return kind
}

func limits(f strictyaml.Field) string {
	switch {
	case f.Min != "" && f.Max != "":
		return fmt.Sprintf(", `%s` to `%s`", f.Min, f.Max)
	case f.Max != "":
		return fmt.Sprintf(", at most `%s`", f.Max)
	}
	return ""
}
