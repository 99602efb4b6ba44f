// Package otlp has the parts of the OpenTelemetry protocol's JSON messages that
// traces and logs share. 64-bit numbers are strings there.
package otlp

// Resource describes who sends a message.
type Resource struct {
	Attributes []KeyValue `json:"attributes"`
}

// KeyValue is an attribute.
type KeyValue struct {
	Key   string `json:"key"`
	Value Value  `json:"value"`
}

// Value is the protocol's AnyValue; one field is set.
type Value struct {
	Text string `json:"stringValue,omitempty"`
	Int  string `json:"intValue,omitempty"`
}

// Assertd is the resource of this program in the given version.
func Assertd(version string) Resource {
	return Resource{Attributes: []KeyValue{
		{"service.name", Value{Text: "assertd"}}, {"service.version", Value{Text: version}},
	}}
}
