package profile

// Example is a grant of the documentation.
type Example struct {
	ClientID, Issuer, Subject, KeyID string
	Audiences                        []string
	// Allow are claims that the caller chooses, with example values; Set are forced.
	Allow, Set map[string]any
}
