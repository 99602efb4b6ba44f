package client

import (
	"bytes"
	"cmp"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"html"
	"io"
	"mime"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/assertd/assertd/internal/terminal"
)

// refusal is why a server refused a request: a code for programs, a text for
// people. Either may be empty.
type refusal struct{ code, text string }

// String joins code and text.
func (r refusal) String() string { return strings.Trim(r.code+": "+r.text, ": ") }

// Members of error responses, in lower case, in order of preference. RFC 6749
// section 5.2 has error and error_description. The others are those of AWS
// (JSON and XML), Okta, Google, Kubernetes, Vault, Salesforce, API gateways,
// JSON:API, FHIR, SOAP and RFC 9457.
var (
	refusalCodes = []string{"error", "errorcode", "error_code", "__type", "code", "faultcode", "reason", "status", "type"}
	refusalTexts = []string{"error_description", "errorsummary", "message", "errormessage", "error_message", "detail",
		"description", "faultstring", "diagnostics", "title", "msg", "text"}
	refusalParents = []string{"error", "errors", "fault", "errorcauses", "detail", "details", "issue", "body", "reason"}
)

// maxRefusalDepth limits the nesting that is searched for a reason.
const maxRefusalDepth = 8

// bom is the byte order mark of UTF-8, which some servers put before their
// JSON.
var bom = []byte("\ufeff")

// endpoint names what a request went to, and the member that each success has.
type endpoint struct{ name, member string }

var (
	tokenEndpoint        = endpoint{"token endpoint", "access_token"}
	loginEndpoint        = endpoint{"login endpoint", "client_token"}
	registrationEndpoint = endpoint{"registration endpoint", "client_id"}
)

// refusal says why a response is not a success, in any form of body. If the
// server gives no reason, it describes the response. It leaves out the secrets,
// which were in the request.
func (e endpoint) refusal(response *http.Response, text []byte, secrets []string) refusal {
	found := parseRefusal(response, text)
	if found == (refusal{}) {
		found = challengeRefusal(response.Header)
	}
	if found.code == "" && response.StatusCode/100 == 2 && json.Valid(text) {
		found.text = strings.TrimSuffix("no "+e.member+" in the response: "+found.text, ": ")
	}
	if found == (refusal{}) {
		found.text = e.noReason(response, text)
	}
	return refusal{sanitize(found.code, secrets), sanitize(found.text, secrets)}
}

func parseRefusal(response *http.Response, text []byte) refusal {
	if response.StatusCode/100 == 3 {
		return refusal{} // the target says more than the body
	}
	var value any
	if json.Unmarshal(text, &value) == nil {
		return findRefusal(value, maxRefusalDepth)
	}
	switch kind := mediaType(response); {
	case isHTML(text, kind):
		return refusal{}
	case strings.HasSuffix(kind, "xml") || bytes.HasPrefix(text, []byte("<")):
		return findRefusal(parseXML(text), maxRefusalDepth)
	case kind == "application/x-www-form-urlencoded":
		return formRefusal(text)
	case kind == "text/plain", kind == noContentType:
		return refusal{text: plainReason(response, text)}
	}
	return refusal{}
}

// plainReason is a reason that is only a text. It is empty if the text can be
// the rest of a JSON document, or has a token in a form of its own.
func plainReason(response *http.Response, text []byte) string {
	text = bytes.TrimSpace(text)
	if response.StatusCode/100 == 2 || bytes.HasPrefix(text, []byte("{")) || bytes.HasPrefix(text, []byte("[")) {
		return ""
	}
	return string(text)
}

// hint asks for the most likely mistake.
func (e endpoint) hint() string { return "; is this the " + e.name + "'s URL?" }

// noReason describes a response without a reason that we can read.
func (e endpoint) noReason(response *http.Response, text []byte) string {
	hint := ""
	if response.StatusCode < 500 {
		hint = e.hint()
	}
	if target := redirectTarget(response); target != "" {
		return "redirected to " + target + hint
	}
	switch kind := mediaType(response); {
	case isHTML(text, kind):
		return "got " + describePage(text, kind) + " instead of JSON" + hint
	case json.Valid(text):
		return "the response gives no reason"
	case len(text) == 0:
		return "the response is empty" + hint
	case strings.HasSuffix(kind, "json"):
		return "the response says that it is " + kind + ", but it is cut off, too long or malformed" + hint
	default:
		return "got " + kind + " instead of JSON" + hint
	}
}

// redirectTarget is where a response redirects to, or where its client followed
// a redirect to. User information and query may hold secrets, and are left out.
func redirectTarget(response *http.Response) string {
	var target *url.URL
	switch {
	case response.StatusCode/100 == 3:
		target, _ = response.Location()
	case response.Request != nil && response.Request.Response != nil:
		target = response.Request.URL
	}
	if target == nil {
		return ""
	}
	bare := *target
	bare.User, bare.RawQuery, bare.ForceQuery, bare.Fragment, bare.RawFragment = nil, "", false, "", ""
	return bare.String()
}

// findRefusal searches a decoded body for the reason. Names match in any case:
// AWS writes Code where others write code.
func findRefusal(value any, depth int) refusal {
	if depth == 0 {
		return refusal{}
	}
	switch value := value.(type) {
	case string:
		return refusal{text: value}
	case []any:
		return joinRefusals(value, depth)
	case map[string]any:
		return memberRefusal(value, depth)
	}
	return refusal{}
}

func joinRefusals(values []any, depth int) refusal {
	var all refusal
	var texts []string
	for _, value := range values {
		one := findRefusal(value, depth-1)
		all.code = cmp.Or(all.code, one.code)
		if one.text != "" && !slices.Contains(texts, one.text) {
			texts = append(texts, one.text)
		}
	}
	all.text = strings.Join(texts, "; ")
	return all
}

func memberRefusal(object map[string]any, depth int) refusal {
	members := make(map[string]any, len(object))
	for name, value := range object {
		members[strings.ToLower(name)] = value
	}
	found := refusal{code: firstText(members, refusalCodes), text: firstText(members, refusalTexts)}
	var inner []any
	for _, name := range refusalParents {
		switch value := members[name].(type) {
		case map[string]any, []any:
			inner = append(inner, value)
		}
	}
	below := joinRefusals(inner, depth)
	found.code = cmp.Or(found.code, below.code)
	switch {
	case found.text == "":
		found.text = below.text
	case below.text != "" && below.text != found.text:
		found.text += ": " + below.text
	}
	return found
}

// firstText returns the first of the members that is a text. about:blank is the
// type of a problem document without a type (RFC 9457 section 4.2.1).
func firstText(members map[string]any, names []string) string {
	for _, name := range names {
		if text, _ := members[name].(string); text != "" && text != "about:blank" {
			return text
		}
	}
	return ""
}

// parseXML returns the elements of a document as JSON objects would have them,
// without attributes. The root's own name is left out.
func parseXML(text []byte) any {
	decoder := xml.NewDecoder(bytes.NewReader(text))
	decoder.CharsetReader = func(string, io.Reader) (io.Reader, error) { return nil, errors.ErrUnsupported }
	for {
		token, err := decoder.Token()
		if err != nil {
			return nil
		}
		if _, ok := token.(xml.StartElement); ok {
			return xmlElement(decoder, maxRefusalDepth)
		}
	}
}

// xmlElement reads to the end of the element whose start was read.
func xmlElement(decoder *xml.Decoder, depth int) any {
	children := map[string]any{}
	var text strings.Builder
	for {
		token, err := decoder.Token()
		if err != nil {
			return children
		}
		switch token := token.(type) {
		case xml.StartElement:
			if depth == 0 {
				return children
			}
			children[token.Name.Local] = xmlElement(decoder, depth-1)
		case xml.CharData:
			text.Write(token)
		case xml.EndElement:
			if len(children) == 0 {
				return strings.TrimSpace(text.String())
			}
			return children
		}
	}
}

func formRefusal(text []byte) refusal {
	values, err := url.ParseQuery(string(text))
	if err != nil {
		return refusal{}
	}
	members := make(map[string]any, len(values))
	for name := range values {
		members[name] = values.Get(name)
	}
	return findRefusal(members, 1)
}

var challengeParam = regexp.MustCompile(`(?i)(?:^|[\s,])(error|error_description)="([^"]*)"`)

// challengeRefusal reads WWW-Authenticate (RFC 6750 section 3), where some
// servers give their only reason.
func challengeRefusal(header http.Header) refusal {
	var found refusal
	for _, match := range challengeParam.FindAllStringSubmatch(strings.Join(header.Values("WWW-Authenticate"), ", "), -1) {
		if strings.EqualFold(match[1], "error") {
			found.code = match[2]
		} else {
			found.text = match[2]
		}
	}
	return found
}

func isHTML(text []byte, kind string) bool {
	start := strings.ToLower(string(text[:min(len(text), 64)]))
	return kind == "text/html" || kind == "application/xhtml+xml" ||
		strings.HasPrefix(start, "<!doctype html") || strings.HasPrefix(start, "<html")
}

var pageTitle = regexp.MustCompile(`(?is)<(?:title|h1)\b[^>]*>(.*?)</`)

// describePage names an HTML page by its title.
func describePage(text []byte, kind string) string {
	if kind == noContentType || kind == "text/plain" {
		kind = "text/html"
	}
	if match := pageTitle.FindSubmatch(text); match != nil {
		if title := strings.Join(strings.Fields(html.UnescapeString(string(match[1]))), " "); title != "" {
			return fmt.Sprintf("a web page (%s, titled %q)", kind, title)
		}
	}
	return "a web page (" + kind + ")"
}

// noContentType stands for a media type that is missing or malformed.
const noContentType = "no content type"

// mediaType is the media type of a response, for error messages.
func mediaType(response *http.Response) string {
	kind, _, err := mime.ParseMediaType(response.Header.Get("Content-Type"))
	if err != nil || kind == "" {
		return noContentType
	}
	return kind
}

// maxErrorText limits how much of a server's text goes into an error, in bytes.
const maxErrorText = 500

// sanitize makes text from a server safe for an error: without the secrets that
// were in the request, without what a terminal would obey, and not too long.
func sanitize(text string, secrets []string) string {
	text = terminal.Line(terminal.Without(text, secrets...))
	return strings.ToValidUTF8(text[:min(len(text), maxErrorText)], "")
}
