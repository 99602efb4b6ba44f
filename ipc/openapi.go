package ipc

import _ "embed"

//go:embed openapi.yaml
var openAPI []byte

// OpenAPI returns the description of the API (OpenAPI 3.0.3, YAML).
func OpenAPI() []byte { return append([]byte(nil), openAPI...) }

//go:embed operator.yaml
var operatorOpenAPI []byte

// OperatorOpenAPI returns the description of the operator's API.
func OperatorOpenAPI() []byte { return append([]byte(nil), operatorOpenAPI...) }
