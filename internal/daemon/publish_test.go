package daemon

import (
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/assertd/assertd/internal/logging/logtest"
	"github.com/assertd/assertd/jwks"
)

var publishing = regexp.MustCompile(`INFO publishing address(\S+)path`)

// The daemon keeps an earlier run's file while a token refuses the PIN, and
// logs which token that is.
func TestStartKeepsTheFormerJWKS(t *testing.T) {
	d, fixPIN := refuseNear(t)
	var log string
	waitFor(t, "the log names the missing token", func() bool {
		log += strings.Join(d.Logger.(*logtest.Journal).Take(), "\n")
		return strings.Contains(log, "ERROR jwks not published") && strings.Contains(log, "token near") && publishing.MatchString(log)
	})
	address := publishing.FindStringSubmatch(log)[1]
	published := func() (overHTTP, inFile bool) {
		text, err := os.ReadFile(d.Config.JWKS.File)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := http.Get("http://" + address + jwks.SetPath)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		return answer.StatusCode == http.StatusOK, string(text) != "former"
	}
	if overHTTP, inFile := published(); overHTTP || inFile {
		t.Errorf("published: over HTTP %v, in the file %v", overHTTP, inFile)
	}
	fixPIN()
	waitFor(t, "the keys are published", func() bool {
		overHTTP, inFile := published()
		return overHTTP && inFile
	})
}
