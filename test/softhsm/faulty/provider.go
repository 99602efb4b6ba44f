package faulty

// Provider is whose module this one looks like: its names, and the traits of
// its keys and calls. Its facts are from the providers' sources and documents,
// which package hsm cites next to each quirk.
type Provider struct {
	Manufacturer, Library string // of CK_INFO
	Traits                uint64
	hidesNewObjects       bool
}

// The bits of Provider.Traits are those of module/traits.h.
const (
	deriveTrue uint64 = 1 << iota
	decryptTrue
	localFalse
	privateFalse
	noRecover
	labelIsID
	noCopy
	noGenerate
	noReadOnly
	tiesVerify
	namedCurve
)

// The providers.
var (
	NetHSM = Provider{
		Manufacturer: "Nitrokey", Library: "Nitrokey PKCS#11 library",
		Traits: deriveTrue | decryptTrue | localFalse | labelIsID | noCopy | noGenerate,
	}
	GoogleKMS = Provider{
		Manufacturer: "Google", Library: "Cryptoki Library for Cloud KMS", Traits: privateFalse | noCopy | noGenerate,
	}
	Cavium = Provider{Manufacturer: "Cavium Networks", Library: "Cavium PKCS#11 Interface", Traits: noCopy | noReadOnly}
	// CloudHSM is client SDK 5.
	CloudHSM = Provider{Manufacturer: "CloudHSM", Library: "CloudHSM PKCS#11", Traits: noRecover | noCopy | noReadOnly}
	// NShield's library is assumed.
	NShield = Provider{Manufacturer: "nCipher Corp. Ltd", Library: "nCipher PKCS#11", hidesNewObjects: true}
	YubiHSM = Provider{Manufacturer: "Yubico (www.yubico.com)", Library: "YubiHSM PKCS#11 Library", Traits: noCopy | namedCurve}
	TPM2    = Provider{Manufacturer: "tpm2-software.github.io", Library: "TPM2.0 Cryptoki", Traits: tiesVerify}
	NSS     = Provider{Manufacturer: "Mozilla Foundation", Library: "NSS Internal Crypto Services", Traits: localFalse}
)

// Imitate makes the module look like a provider's. Call it before processes
// load the module, and make keys with the provider's traits before: some
// providers make none for assertd.
func (m *Module) Imitate(p Provider) {
	s := m.table.settings
	s.manufacturer, s.library = padded(p.Manufacturer), padded(p.Library)
	s.traits.Store(p.Traits)
	if p.hidesNewObjects {
		m.HideNewObjects()
	}
}

// padded pads with spaces, as CK_INFO wants.
func padded(text string) (field [32]byte) {
	for i := copy(field[:], text); i < len(field); i++ {
		field[i] = ' '
	}
	return field
}
