package keyadmin

import (
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"unicode"
)

// attributes are the parts of a distinguished name that CAs for services use
// (RFC 4519 section 2).
var attributes = map[string]asn1.ObjectIdentifier{
	"CN": {2, 5, 4, 3}, "SERIALNUMBER": {2, 5, 4, 5}, "C": {2, 5, 4, 6}, "L": {2, 5, 4, 7},
	"ST": {2, 5, 4, 8}, "STREET": {2, 5, 4, 9}, "O": {2, 5, 4, 10}, "OU": {2, 5, 4, 11},
	"UID": {0, 9, 2342, 19200300, 100, 1, 1},
	"DC":  {0, 9, 2342, 19200300, 100, 1, 25}, "EMAILADDRESS": emailAddress,
}

// emailAddress is of PKCS #9 (RFC 2985). Its values, and those of DC, are
// IA5String (RFC 5280 section 4.1.2.6).
var emailAddress = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 1}

// ParseSubject converts a distinguished name such as CN=payments,O=Example
// Ltd,C=GB to DER. The most specific part comes first, as in RFC 4514. In a
// value, each of ,+";<>\ needs a backslash. Parts with several attributes,
// joined by a plus, are not supported. It also takes OpenSSL's form,
// /C=GB/O=Example Ltd/CN=payments, where a slash in a value needs a backslash.
func ParseSubject(text string) ([]byte, error) {
	var name pkix.RDNSequence
	separator, parts := ',', text
	if strings.HasPrefix(text, "/") {
		separator, parts = '/', text[1:]
	}
	list, err := splitUnescaped(parts, separator)
	if err != nil {
		return nil, err
	}
	if separator == '/' {
		slices.Reverse(list)
	}
	for _, part := range list {
		key, value, found := strings.Cut(part, "=")
		oid, known := attributes[strings.ToUpper(strings.TrimSpace(key))]
		value = strings.TrimSpace(value)
		switch {
		case !found || value == "":
			return nil, fmt.Errorf("%w: %q in the subject; write it as CN=payments,O=Example Ltd", ErrNames, part)
		case !known:
			return nil, fmt.Errorf("%w: unknown %q in the subject; use CN, O, OU, C, ST, L, STREET, SERIALNUMBER, UID, DC or emailAddress", ErrNames, key)
		case (oid.Equal(emailAddress) || oid.Equal(attributes["DC"])) && strings.ContainsFunc(value, func(r rune) bool { return r > unicode.MaxASCII }):
			return nil, fmt.Errorf("%w: %q must be ASCII; write the domain in its xn-- form", ErrNames, value)
		case oid.Equal(attributes["C"]) && len(value) != 2:
			return nil, fmt.Errorf("%w: country %q; use the two-letter code of ISO 3166", ErrNames, value)
		}
		// RFC 4514 reverses the sequence.
		name = append(pkix.RDNSequence{{{Type: oid, Value: attributeValue(oid, value)}}}, name...)
	}
	der, err := asn1.Marshal(name)
	if err != nil {
		return nil, fmt.Errorf("%w: subject %q: %w", ErrNames, text, err)
	}
	return der, nil
}

// attributeValue is a value in the string type of its attribute.
func attributeValue(oid asn1.ObjectIdentifier, value string) any {
	if oid.Equal(emailAddress) || oid.Equal(attributes["DC"]) {
		return asn1.RawValue{Tag: asn1.TagIA5String, Bytes: []byte(value)}
	}
	return value
}

// splitUnescaped splits at separators without a backslash, and removes the
// backslashes.
func splitUnescaped(text string, separator rune) ([]string, error) {
	var parts []string
	var part strings.Builder
	escaped := false
	for _, c := range text {
		switch {
		case !unicode.IsPrint(c):
			return nil, fmt.Errorf("%w: subject %q has a character that can't be printed", ErrNames, text)
		case escaped:
			part.WriteRune(c)
			escaped = false
		case c == '\\':
			escaped = true
		case c == separator:
			parts = append(parts, part.String())
			part.Reset()
		case separator == ',' && strings.ContainsRune(`+";<>`, c):
			return nil, fmt.Errorf("%w: %q in subject %q; put a backslash before it", ErrNames, c, text)
		default:
			part.WriteRune(c)
		}
	}
	if escaped {
		return nil, fmt.Errorf("%w: subject %q ends with a backslash", ErrNames, text)
	}
	return append(parts, part.String()), nil
}

// positive makes 16 random bytes into a positive serial number (RFC 5280
// section 4.1.2.2).
func positive(random []byte) *big.Int {
	random[0] &= 0x7f
	random[0] |= 0x40 // and keeps it at full length
	return new(big.Int).SetBytes(random)
}
