package e2e

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"flag"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/go-jose/go-jose/v4"
	"github.com/goccy/go-yaml"

	"github.com/assertd/assertd/internal/store/storetest"
	"github.com/assertd/assertd/ipc"
	"github.com/assertd/assertd/test/pty"
)

var updateScreens = flag.Bool("update", false, "rewrite testdata/screens")

// screen is a command whose output the test looks at.
type screen struct {
	line     string // program and arguments; CONFIG, DIR and the like are replaced
	volatile bool   // the output depends on the machine, so there is no golden file
	noOutput bool   // it has no flag -o
	before   string // a line that undoes what the command did, if it did
}

// screens are commands that print a result or an error, in an order that works.
var screens = []screen{
	{line: "assertctl grants"},
	{line: "assertctl whoami", volatile: true},
	{line: "assertctl status", volatile: true},
	{line: "assertctl bench --count 1 --workers 1", volatile: true},
	{line: "assertctl verify --jwks DIR/jwks.json DIR/jwt"},
	{line: "assertctl jwks diff DIR/jwks.json"},
	{line: "assertctl fleet", volatile: true},
	{line: "assertctl reload"},
	{line: "assertctl version", volatile: true},
	{line: "assertctl assert --grant exampel", noOutput: true},
	{line: "assertctl asert", noOutput: true},
	{line: "assertctl grants --outptu json", noOutput: true},
	{line: "assertd check CONFIG", volatile: true},
	{line: "assertd key generate --missing CONFIG"},
	{line: "assertd key list CONFIG"},
	{line: "assertd key show dev CONFIG"},
	{line: "assertd key show dve CONFIG", noOutput: true},
	{line: "assertd key prune CONFIG"},
	{line: "assertd key adopt spare --label DEVLABEL CONFIG"},
	{line: "assertd key rotate dev", noOutput: true},
	{line: "assertd key revoke KID", noOutput: true},
	{line: "assertd key generate dve CONFIG"},
	{line: "assertd profiles"},
	{line: "assertd profiles github-app"},
	{line: "assertd profiles github-ap", noOutput: true},
	{line: "assertd policy test EXAMPLES/policy/cases.yaml"},
	{line: "assertd policy test DIR/cases.yaml"},
	{line: "assertd explain --user 4711 --config EXAMPLES/policy/assertd.yaml"},
	{line: "assertd explain --user alice --group audit --config EXAMPLES/policy/assertd.yaml"},
	{line: "assertd audit verify DIR/dev/audit.jsonl", volatile: true},
	{line: "assertd audit key CONFIG", volatile: true, noOutput: true},
	{line: "assertd hsm probe --module MODULE", volatile: true},
	{line: "assertd version", volatile: true},
	{line: "assertctl token --url SERVER/token", noOutput: true},
	{line: "assertctl token", noOutput: true},
	{line: "assertctl token --url SERVER/nowhere", noOutput: true},
	{line: "assertctl call SERVER/api", noOutput: true},
	{line: "assertctl call --url SERVER/token SERVER/api", volatile: true, noOutput: true},
	{line: "assertctl register --url SERVER/register --name payments --token-url SERVER/token --kid DEVKID", volatile: true, noOutput: true},
	{line: "assertctl register --url SERVER/register --name payments", noOutput: true},
	{line: "assertctl sign --key dev-ed25519 DIR/jwks.json", volatile: true, noOutput: true},
	{line: "assertctl sign --key dev-ed2551 DIR/jwks.json", noOutput: true},
	{line: "assertctl keep --once --file DIR/kept", noOutput: true},
	{line: "assertctl keep --once --file DIR/nowhere/kept", noOutput: true},
	{line: "assertctl freeze --grant developer/example --reason incident-4711", before: "assertctl thaw --grant developer/example"},
	{line: "assertctl thaw --grant developer/example", before: "assertctl freeze --grant developer/example --reason incident-4711"},
	{line: "assertctl freeze --grant developer/exampel --reason incident-4711", noOutput: true},
	{line: "assertctl freeze --client developer --key dev --reason incident-4711", noOutput: true},
	{line: "assertctl thaw", noOutput: true},
	{line: "assertd audit prove --jti nobody-has-it --key DIR/audit.pub DIR/audit.jsonl", noOutput: true},
	{line: "assertd audit check --key DIR/audit.pub DIR/jwks.json", noOutput: true},
	{line: "assertd audit checkpoint --key DIR/audit.pub DIR/audit.jsonl", volatile: true, noOutput: true},
	{line: "assertd audit checkpoint DIR/audit.jsonl", noOutput: true},
	{line: "assertd audit accept-damage --reason power-failure CONFIG", volatile: true, noOutput: true},
	{line: "assertd audit accept-rollback --size 1 --reason restored CONFIG", volatile: true, noOutput: true},
	{line: "assertd jwks merge DIR/jwks.json DIR/jwks.json", volatile: true, noOutput: true},
	{line: "assertd jwks merge DIR/nowhere", noOutput: true},
	{line: "assertd key tighten dev CONFIG"},
	{line: "assertd key csr dev-ed25519 --subject CN=dev CONFIG", volatile: true, noOutput: true},
	{line: "assertd key csr dev-ed25519 CONFIG", noOutput: true},
	{line: "assertd key import-cert dev DIR/jwks.json CONFIG", noOutput: true},
	{line: "assertd key import-cert dev-rsa DIR/dev-rsa.pem CONFIG"},
	{line: "assertd key import DIR/key.pem --label spare CONFIG", before: "assertd key destroy spare --yes-destroy SPAREKID CONFIG"},
	{line: "assertd key destroy spare --yes-destroy SPAREKID CONFIG", before: "assertd key import DIR/key.pem --label spare CONFIG"},
	{line: "assertd key destroy dev --yes-destroy DEVKID CONFIG"},
}

// TestScreens renders what commands print in a pipe and on terminals of 80 and
// 140 columns. In a pipe it compares golden files; rewrite them with -update.
func TestScreens(t *testing.T) {
	newStage(t).render(t, screens)
}

// TestFleetScreens does the same with three daemons that share a server, and
// without the server.
func TestFleetScreens(t *testing.T) {
	server := storetest.Start(t, "")
	f := startFleet(t, server, "refuse")
	f.awaitBudgets(ipc.BudgetsShared)
	s := &stage{
		d:   &devDaemon{dir: f.path(0, ""), socket: f.path(0, "assertd.sock")},
		dir: f.dir, replace: strings.NewReplacer(),
	}
	f.until("not all daemons are listed as ready", func() bool { return strings.Count(s.piped(t, "assertctl fleet"), " ready ") == fleetHosts })
	s.render(t, []screen{{line: "assertctl fleet"}, {line: "assertctl status", volatile: true}})
	server.Kill()
	f.awaitBudgets(ipc.BudgetsAway)
	s.render(t, []screen{{line: "assertctl fleet", volatile: true}, {line: "assertctl status", volatile: true}})
}

// render looks at what screens show.
func (s *stage) render(t *testing.T, screens []screen) {
	for _, screen := range screens {
		t.Run(strings.NewReplacer(" ", "_", "/", "_").Replace(screen.line), func(t *testing.T) {
			s.again(t, screen)
			piped := s.piped(t, screen.line)
			if strings.Contains(piped, "\x1b") {
				t.Errorf("an escape code in a pipe: %q", piped)
			}
			checkPlurals(t, piped)
			if !screen.volatile {
				s.golden(t, screen.line, piped)
			}
			for _, columns := range []int{80, 140} {
				s.again(t, screen)
				checkFit(t, piped, s.onTerminal(t, columns, screen.line), columns)
			}
			if !screen.noOutput {
				s.checkFormats(t, screen)
			}
		})
	}
}

// TestHelpScreens renders the help of every command on the same terminals.
func TestHelpScreens(t *testing.T) {
	s := newStage(t)
	for _, program := range []string{"assertd", "assertctl"} {
		s.help(t, program)
	}
}

// help checks the help of a command and of those below it.
func (s *stage) help(t *testing.T, line string) {
	text := s.piped(t, line+" --help")
	checkPlurals(t, text)
	for _, columns := range []int{80, 140} {
		checkFit(t, text, s.onTerminal(t, columns, line+" --help"), columns)
	}
	_, below, found := strings.Cut(text, "\nCommands:\n")
	if !found {
		return
	}
	below, _, _ = strings.Cut(below, "\n\n")
	for row := range strings.Lines(below) {
		if name := strings.Fields(row)[0]; name != "help" && name != "completion" {
			s.help(t, line+" "+name)
		}
	}
}

// stage is a daemon, and files that the commands name.
type stage struct {
	d       *devDaemon
	dir     string
	replace *strings.Replacer
}

func newStage(t *testing.T) *stage {
	t.Helper()
	d := startDev(t)
	dir := filepath.Dir(d.dir)
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("jwks.json", d.must(t, "assertctl", "jwks"))
	write("jwt", d.must(t, "assertctl", "assert", "--lifetime", "300s"))
	examples, err := filepath.Abs("../../examples")
	if err != nil {
		t.Fatal(err)
	}
	cases, err := os.ReadFile(filepath.Join(examples, "policy", "cases.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	changed := strings.Replace(string(cases), "subject: 9f3c0c", "subject: somebody-else", 1)
	write("cases.yaml", strings.Replace(changed, "config: ", "config: "+filepath.Join(examples, "policy")+"/", 1))
	config, err := os.ReadFile(d.config)
	if err != nil {
		t.Fatal(err)
	}
	audit, err := os.ReadFile(filepath.Join(d.dir, "audit.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	write("audit.jsonl", string(audit))
	write("audit.pub", d.must(t, "assertd", "audit", "key", "--config", d.config))
	write("dev-rsa.pem", d.must(t, "assertd", "key", "csr", "dev-rsa", "--subject", "CN=dev", "--self-signed", "365d", "--config", d.config))
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	write("key.pem", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})))
	spare := jose.JSONWebKey{Key: private.Public()}
	thumbprint, err := spare.Thumbprint(crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	module := regexp.MustCompile(`module: "?([^"\s]+)`).FindSubmatch(config)
	keys := d.must(t, "assertd", "key", "list", "--json", "--config", d.config)
	label := regexp.MustCompile(`"label": "(dev/[^"]+)"`).FindStringSubmatch(keys)
	kid := regexp.MustCompile(`"kid": "([^"]+)"`).FindStringSubmatch(d.must(t, "assertd", "key", "show", "dev", "--json", "--config", d.config))
	if module == nil || label == nil || kid == nil {
		t.Fatalf("no module in %s, or no label or kid in %s", d.config, keys)
	}
	return &stage{d: d, dir: dir, replace: strings.NewReplacer(
		"CONFIG", "--config "+d.config, "DIR", dir, "EXAMPLES", examples, "MODULE", string(module[1]), "DEVLABEL", label[1], "DEVKID", kid[1],
		"SPAREKID", base64.RawURLEncoding.EncodeToString(thumbprint), "SERVER", startAuthServer(t, d).URL)}
}

// command is the command of a line. Where the last argument is a JWT's file, it
// reads that.
func (s *stage) command(t *testing.T, line string) *exec.Cmd {
	args := strings.Fields(s.replace.Replace(line))
	var stdin io.Reader
	if at := slices.Index(args, s.dir+"/jwt"); at >= 0 {
		text, err := os.ReadFile(args[at])
		if err != nil {
			t.Fatal(err)
		}
		args, stdin = slices.Delete(args, at, at+1), bytes.NewReader(text)
	}
	command := exec.CommandContext(t.Context(), filepath.Join(binaries, args[0]), args[1:]...)
	command.Stdin = stdin
	command.Env = append(os.Environ(), "ASSERTD_SOCKET="+s.d.socket, "ASSERTD_OPERATOR_SOCKET="+filepath.Join(s.d.dir, "operator.sock"),
		"TERM=xterm", "NO_COLOR=")
	return command
}

// again undoes what a command did, so that it can do it again.
func (s *stage) again(t *testing.T, screen screen) {
	t.Helper()
	if screen.before != "" {
		s.piped(t, screen.before)
	}
}

// piped runs a command and returns what it printed, and how it exited.
func (s *stage) piped(t *testing.T, line string) string {
	t.Helper()
	command := s.command(t, line)
	var out bytes.Buffer
	command.Stdout, command.Stderr = &out, &out
	err := command.Run()
	if command.ProcessState == nil {
		t.Fatal(err)
	}
	return out.String()
}

// onTerminal runs a command on a terminal and returns what it shows.
func (s *stage) onTerminal(t *testing.T, columns int, line string) string {
	t.Helper()
	person, terminal := pty.Open(t, columns, 50)
	command := s.command(t, line)
	command.Stdout, command.Stderr = terminal, terminal
	err := command.Start()
	terminal.Close()
	if err != nil {
		t.Fatal(err)
	}
	var shown bytes.Buffer
	_, _ = io.Copy(&shown, person) // ends with EIO
	_ = command.Wait()             // errors are screens too
	return strings.ReplaceAll(shown.String(), "\r\n", "\n")
}

// checkFormats reads the output for programs.
func (s *stage) checkFormats(t *testing.T, screen screen) {
	for format, read := range map[string]func([]byte) error{
		"json": func(text []byte) error { var v any; return json.Unmarshal(text, &v) },
		"yaml": func(text []byte) error { var v any; return yaml.Unmarshal(text, &v) },
	} {
		s.again(t, screen)
		command := s.command(t, screen.line+" -o "+format)
		var stderr bytes.Buffer
		command.Stderr = &stderr
		out, _ := command.Output() // a bad verdict has a document too
		if len(out) == 0 && command.ProcessState.ExitCode() != 0 && stderr.Len() > 0 {
			continue // an error
		}
		if err := read(out); err != nil || len(out) == 0 {
			t.Errorf("-o %s: %v\n%s%s", format, err, out, &stderr)
		}
	}
}

// golden compares what a command printed with its file.
func (s *stage) golden(t *testing.T, line, text string) {
	name := strings.Trim(regexp.MustCompile(`[^a-z0-9]+`).ReplaceAllString(strings.ToLower(line), "-"), "-")
	path := filepath.Join("testdata", "screens", name+".txt")
	text = "$ " + line + "\n" + s.steady(text)
	if *updateScreens {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil || string(want) != text {
		t.Errorf("%s: %v\ngot:\n%swant:\n%s", path, err, text, want)
	}
}

// volatile is what differs from run to run, with what stands for it.
var volatile = []struct {
	pattern *regexp.Regexp
	with    string
}{
	{regexp.MustCompile(`\b\d+/10000 per`), "N/10000 per"},
	{regexp.MustCompile(`127\.0\.0\.1:\d+`), "HOST:PORT"},
	{regexp.MustCompile(`\b\d{4}-\d\d-\d\d[T ][0-9:.]+Z`), "TIME"},
	{regexp.MustCompile(`\d{8}T\d{6}Z`), "STAMP"},
	{regexp.MustCompile(`(?m)(^|[ :(])[A-Za-z0-9_-]{43}([ ,.;)]|$)`), "${1}KID$2"},
	{regexp.MustCompile(`\b[0-9a-f]{32,64}\b`), "HEX"},
	{regexp.MustCompile(`\b(\d+h)?(\d+m)?\d+s\b|\b\d+[dhm](\d+[hm])?\b`), "SPAN"},
	{regexp.MustCompile(`\bSPAN (ahead|behind)\b`), "the same"},
	{regexp.MustCompile(`(?m)^\S+(( \(this\))?  +ready  )`), "HOST$1"},
	{regexp.MustCompile(`(?m)^((uid|gid|groups|pid) +).*`), "${1}N"},
	{regexp.MustCompile(`\((uid|gid) \d+\)`), "($1 N)"},
	{regexp.MustCompile(`  +`), "  "},
}

// steady replaces what differs from run to run.
func (s *stage) steady(text string) string {
	examples, _ := filepath.Abs("../../examples")
	text = strings.NewReplacer(s.dir, "DIR", examples, "EXAMPLES", binaries, "BIN").Replace(text)
	for _, v := range volatile {
		text = v.pattern.ReplaceAllString(text, v.with)
	}
	return text
}

// one is a wrong plural, unless the noun is a verb.
var one = regexp.MustCompile(`\b1 ([a-z]+s)\b`)

func checkPlurals(t *testing.T, text string) {
	t.Helper()
	for _, match := range one.FindAllStringSubmatch(text, -1) {
		if !slices.Contains([]string{"is", "has", "was", "does", "passes", "this"}, match[1]) {
			t.Errorf("%q in:\n%s", match[0], text)
		}
	}
}

// sequence is what we send to a terminal: colors, and to clear a line, of which
// nothing is left.
var sequence = regexp.MustCompile("\x1b\\[(0|1|3[123])m|(?m)^.*\r(\x1b\\[K)?")

// checkFit checks that a terminal breaks no line, and that it shows only whole
// words of what is in a pipe. Digits change, and short kids are short.
func checkFit(t *testing.T, piped, shown string, columns int) {
	t.Helper()
	shown = sequence.ReplaceAllString(shown, "")
	if strings.Contains(shown, "\x1b") {
		t.Errorf("%d columns: another escape code: %q", columns, shown)
	}
	for line := range strings.Lines(shown) {
		line = strings.TrimSuffix(line, "\n")
		if n := utf8.RuneCountInString(line); n > columns && longestWord(line) <= columns-20 {
			t.Errorf("%d columns: a line of %d: %s", columns, n, line)
		}
	}
	words := make(map[string]bool)
	for word := range strings.FieldsSeq(piped) {
		words[word] = true
	}
	for word := range strings.FieldsSeq(shown) {
		if !strings.ContainsAny(word, "0123456789…") && !words[word] {
			t.Errorf("%d columns: %q is not a whole word in:\n%s", columns, word, shown)
			return
		}
	}
}

func longestWord(line string) (most int) {
	for word := range strings.FieldsSeq(line) {
		most = max(most, utf8.RuneCountInString(word))
	}
	return most
}
