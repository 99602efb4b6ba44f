package attack

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"unicode"

	"github.com/rogpeppe/go-internal/testscript"
)

// hostile runs assertctl against a server that answers with a file, in which
// ESC is the character, and ASSERTION the assertion that the server got.
// Nothing of that may reach the output, except what programs read:
//
//	attack hostile FILE COMMAND...
//
// COMMAND is assertctl's, with URL for the server's URL.
func hostile(ts *testscript.TestScript, args []string) error {
	if len(args) < 2 {
		return errors.New("usage: attack hostile FILE COMMAND...")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer l.Close()
	go answerAll(l, crlf(ts.ReadFile(args[0])))
	command := exec.Command(binaries+"/assertctl", args[1:]...)
	for i, arg := range command.Args {
		command.Args[i] = strings.ReplaceAll(arg, "URL", "http://"+l.Addr().String())
	}
	command.Dir = ts.MkAbs(".")
	command.Env = append(os.Environ(), "ASSERTD_SOCKET="+ts.MkAbs(ts.Getenv("ASSERTD_SOCKET")))
	out, err := command.CombinedOutput()
	fmt.Fprintf(ts.Stdout(), "%s", out)
	if err == nil {
		return errors.New("assertctl took the answer for a success")
	}
	return harmless(string(out))
}

func harmless(out string) error {
	for _, r := range out {
		if !unicode.IsGraphic(r) && r != '\n' && r != '\t' {
			return fmt.Errorf("%U reaches the terminal: %q", r, out)
		}
	}
	if strings.Contains(out, "eyJ") {
		return fmt.Errorf("the assertion is printed: %s", out)
	}
	return nil
}

func answerAll(l net.Listener, response string) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer c.Close()
			r, err := http.ReadRequest(bufio.NewReader(c))
			if err != nil {
				return
			}
			body, err := io.ReadAll(r.Body)
			if err != nil {
				return
			}
			form, _ := url.ParseQuery(string(body)) // empty if it is none
			filled := strings.NewReplacer("ESC", "\x1b", "ASSERTION", form.Get("client_assertion")).Replace(response)
			_, _ = io.WriteString(c, filled)
		}()
	}
}
