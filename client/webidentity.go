package client

import (
	"bytes"
	"encoding/json"
	"time"
)

// parseCredentials reads the response of AWS STS, or of another server with its
// API: credentials, and no access token. Some servers, such as MinIO's, send
// XML; it becomes the JSON that AWS sends. A gateway may give an access token
// instead.
func parseCredentials(text []byte, now time.Time) (Token, bool) {
	if token, ok := parseToken(text, now); ok {
		return token, true
	}
	if bytes.HasPrefix(bytes.TrimSpace(text), []byte("<")) {
		text = credentialsFromXML(text)
	}
	var fields struct {
		Error any `json:"error"`
	}
	if err := json.Unmarshal(text, &fields); err != nil || fields.Error != nil {
		return Token{}, false
	}
	return Token{Raw: text}, true
}

// credentialsFromXML returns nil if the document has no credentials.
func credentialsFromXML(text []byte) []byte {
	response, _ := parseXML(text).(map[string]any)
	result, _ := response["AssumeRoleWithWebIdentityResult"].(map[string]any)
	credentials, _ := result["Credentials"].(map[string]any)
	if id, _ := credentials["AccessKeyId"].(string); id == "" {
		return nil
	}
	document, err := json.Marshal(map[string]any{"AssumeRoleWithWebIdentityResponse": response})
	if err != nil {
		return nil
	}
	return document
}
