package api

import _ "embed"

// Contract is the OpenAPI document of the API.
//
//go:embed openapi.yaml
var Contract []byte
