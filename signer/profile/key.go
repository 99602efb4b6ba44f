package profile

// KeyIDRule says which kid the receiver expects.
type KeyIDRule string

const (
	// KeyIDAny is the RFC 7638 thumbprint or the grant's key_id.
	KeyIDAny KeyIDRule = "any"
	// KeyIDFromReceiver is the name that the receiver assigned when the key was
	// registered. The grant must set it as key_id.
	KeyIDFromReceiver KeyIDRule = "receiver's"
)

// Delivery is how a receiver gets the public key. The rotation of the key set
// must fit.
type Delivery string

// The ways in which a receiver gets a public key.
const (
	// DeliverJWKS: the receiver fetches the JWKS, or has a copy of it.
	DeliverJWKS Delivery = "JWKS"
	// DeliverUpload: a person uploads each key or certificate. A new version
	// may sign only after that: publish_before: manual.
	DeliverUpload Delivery = "uploaded by a person"
	// DeliverImport: the receiver generates the key pair, and the private key
	// is imported into the HSM.
	DeliverImport Delivery = "made by the receiver"
	// DeliverHeader: every assertion carries the public key.
	DeliverHeader Delivery = "in the header"
)
