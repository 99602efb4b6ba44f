package ipc

import (
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
)

// document is an OpenAPI document, as far as the tests need it.
type document struct {
	Components struct {
		Responses map[string]struct{ Description string }
		Schemas   map[string]schema
	}
}

type schema struct {
	Ref                  string `yaml:"$ref"`
	Type                 string
	Properties           map[string]schema
	Required             []string
	Enum                 []string
	Items                *schema
	AdditionalProperties any `yaml:"additionalProperties"`
	MaxLength            int `yaml:"maxLength"`
	MaxItems             int `yaml:"maxItems"`
}

func readDocument(t *testing.T) document { return parseDocument(t, OpenAPI()) }

func parseDocument(t *testing.T, text []byte) (doc document) {
	t.Helper()
	if err := yaml.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	return doc
}

// wireTypes are all types of the API, except JWKSet, which is not in this
// package.
var wireTypes = []any{
	AssertionRequest{}, AssertionResponse{}, BatchRequest{}, BatchResponse{}, BatchResult{}, SignRequest{}, SignResponse{},
	GrantsResponse{}, CallerInfo{}, GrantInfo{}, Lifetime{}, ClaimsInfo{}, ClaimInfo{}, BudgetInfo{},
	KeysResponse{}, KeyInfo{}, HealthResponse{}, ReadyResponse{}, DegradedKey{}, WorkerState{}, Problem{},
}

func TestDocumentHasEveryWireMember(t *testing.T) {
	doc := readDocument(t)
	described := map[string]bool{"JWKSet": true}
	for _, v := range wireTypes {
		typ := reflect.TypeOf(v)
		described[typ.Name()] = true
		s, ok := doc.Components.Schemas[typ.Name()]
		if !ok {
			t.Errorf("%s is not in the document", typ.Name())
			continue
		}
		if strings.HasSuffix(typ.Name(), "Request") && s.AdditionalProperties != false {
			t.Errorf("%s takes unknown members in the document", typ.Name())
		}
		checkMembers(t, typ, s)
	}
	for name := range doc.Components.Schemas {
		if !described[name] {
			t.Errorf("schema %s has no type", name)
		}
	}
}

func checkMembers(t *testing.T, typ reflect.Type, s schema) {
	t.Helper()
	members := map[string]bool{}
	for field := range fields(typ) {
		name, options, _ := strings.Cut(field.Tag.Get("json"), ",")
		members[name] = true
		property, ok := s.Properties[name]
		if !ok {
			t.Errorf("%s.%s is not in the document", typ.Name(), name)
			continue
		}
		if want := schemaType(field.Type); want != property.Type && property.Ref == "" {
			t.Errorf("%s.%s is %s in the document, %s in the code", typ.Name(), name, property.Type, want)
		}
		// Every member that is always sent is promised; no other is.
		isRequest := s.AdditionalProperties == false
		if required := slices.Contains(s.Required, name); !isRequest && required != (options == "") {
			t.Errorf("%s.%s: required is %v", typ.Name(), name, required)
		}
	}
	for name := range s.Properties {
		if !members[name] {
			t.Errorf("%s.%s is only in the document", typ.Name(), name)
		}
	}
}

func fields(typ reflect.Type) func(func(reflect.StructField) bool) {
	return func(yield func(reflect.StructField) bool) {
		for _, field := range reflect.VisibleFields(typ) {
			if !field.Anonymous && field.Tag.Get("json") != "-" && !yield(field) {
				return
			}
		}
	}
}

func schemaType(typ reflect.Type) string {
	if typ == reflect.TypeFor[time.Time]() {
		return "string"
	}
	switch typ.Kind() {
	case reflect.String:
		return "string"
	case reflect.Bool:
		return "boolean"
	case reflect.Int, reflect.Int32, reflect.Int64, reflect.Uint32, reflect.Uint64:
		return "integer"
	case reflect.Float64:
		return "number"
	case reflect.Slice:
		if typ.Elem().Kind() == reflect.Uint8 {
			return "string"
		}
		return "array"
	}
	return "object"
}

// operatorTypes are all types of the operator's API.
var operatorTypes = []any{
	StatusResponse{}, ReadyResponse{}, DegradedKey{}, WorkerState{}, TokenStatus{}, WorkerStatus{}, KeySetStatus{}, VersionStatus{}, ListenerStatus{}, JWKSStatus{},
	AuditStatus{}, WitnessStatus{}, ShipStatus{}, ReloadStatus{}, ClientStatus{}, GrantStatus{}, BudgetInfo{}, CodeCount{}, ReloadResponse{}, ReopenResponse{}, DrainResponse{},
	PINStatus{}, SandboxStatus{}, KubernetesStatus{}, IssuerKey{},
	FreezeTarget{}, FreezeRequest{}, FreezeResponse{}, ThawResponse{}, FreezeStatus{}, Freeze{}, FreezeBy{}, StoreStatus{}, FleetFreezes{}, FleetResponse{}, FleetDaemon{}, SharedBudgets{},
}

func TestOperatorDocumentHasEveryWireMember(t *testing.T) {
	doc := parseDocument(t, OperatorOpenAPI())
	for _, v := range operatorTypes {
		typ := reflect.TypeOf(v)
		checkMembers(t, typ, doc.Components.Schemas[typ.Name()])
		delete(doc.Components.Schemas, typ.Name())
	}
	for name := range doc.Components.Schemas {
		t.Errorf("schema %s has no type", name)
	}
}

func TestDocumentHasEveryCode(t *testing.T) {
	doc := readDocument(t)
	var want []string
	for _, c := range Codes() {
		want = append(want, string(c))
		if !strings.HasPrefix(c.Type(), ProblemTypePrefix) || c.Title() == "" || c.Error() != c.Title() {
			t.Errorf("%s: %q", c, c.Title())
		}
	}
	if got := doc.Components.Schemas["Problem"].Properties["code"].Enum; !slices.Equal(got, want) {
		t.Errorf("codes of the document\n%v\nand of the code\n%v", got, want)
	}
	named := map[string]string{
		"BadRequest": "400", "Forbidden": "403", "NotFound": "404", "MethodNotAllowed": "405", "Conflict": "409",
		"TooLarge": "413", "UnsupportedMediaType": "415", "TooMany": "429", "Internal": "500", "Unavailable": "503",
	}
	for name, status := range named {
		description := doc.Components.Responses[name].Description
		for _, c := range Codes() {
			listed := slices.Contains(strings.FieldsFunc(description, func(r rune) bool { return strings.ContainsRune(" ,;", r) }), string(c))
			if listed != (strconv.Itoa(c.Status()) == status) {
				t.Errorf("response %s lists %s: %v", name, c, listed)
			}
		}
	}
}

func TestDocumentHasTheLimits(t *testing.T) {
	schemas := readDocument(t).Components.Schemas
	request, sign := schemas["AssertionRequest"].Properties, schemas["SignRequest"].Properties
	for what, pair := range map[string][2]int{
		"grant":    {request["grant"].MaxLength, MaxNameBytes},
		"audience": {request["audience"].MaxLength, MaxAudienceBytes},
		"batch":    {schemas["BatchRequest"].Properties["requests"].MaxItems, MaxBatch},
		"key":      {sign["key"].MaxLength, MaxNameBytes},
		"digest":   {sign["digest"].MaxLength, (MaxMessageBytes + 2) / 3 * 4},
	} {
		if pair[0] != pair[1] {
			t.Errorf("%s: %d in the document, %d in the code", what, pair[0], pair[1])
		}
	}
	if got, want := sign["hash"].Enum, []string{HashSHA256, HashSHA384, HashSHA512, HashNone}; !slices.Equal(got, want) {
		t.Errorf("hashes %v", got)
	}
	if got, want := sign["padding"].Enum, []string{PaddingPKCS1v15, PaddingPSS}; !slices.Equal(got, want) {
		t.Errorf("paddings %v", got)
	}
	reasons := []string{ReasonStarting, ReasonHSMUnavailable, ReasonKeyNotAvailable, ReasonAuditUnavailable, ReasonAuditDamaged, ReasonAuditRolledBack, ReasonDraining}
	if got := schemas["ReadyResponse"].Properties["reason"].Enum; !slices.Equal(got, reasons) {
		t.Errorf("reasons %v", got)
	}
	if got, want := schemas["ReadyResponse"].Properties["warnings"].Items.Enum, Warnings(); !slices.Equal(got, want) {
		t.Errorf("warnings %v", got)
	}
}
