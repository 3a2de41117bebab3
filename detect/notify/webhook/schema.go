package webhook

import _ "embed"

// schema is the JSON schema of bodies.
//
//go:embed schema.json
var schema []byte

// Schema returns the JSON schema that every body keeps to.
func Schema() []byte { return schema }
