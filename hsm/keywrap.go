package hsm

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
)

// wrapPadded wraps a secret by AES Key Wrap with Padding (RFC 5649). The key
// has 16, 24 or 32 bytes, the secret more than 8.
func wrapPadded(key, secret []byte) ([]byte, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	const half = aes.BlockSize / 2
	blocks := (len(secret) + half - 1) / half
	wrapped := make([]byte, half*(blocks+1))
	copy(wrapped, []byte{0xA6, 0x59, 0x59, 0xA6}) // the alternative initial value
	binary.BigEndian.PutUint32(wrapped[4:], uint32(len(secret)))
	copy(wrapped[half:], secret)
	var step [aes.BlockSize]byte
	for round := range 6 { // RFC 3394 section 2.2.1
		for i := 1; i <= blocks; i++ {
			copy(step[:half], wrapped)
			copy(step[half:], wrapped[half*i:])
			block.Encrypt(step[:], step[:])
			counter := binary.BigEndian.Uint64(step[:half]) ^ uint64(blocks*round+i)
			binary.BigEndian.PutUint64(wrapped, counter)
			copy(wrapped[half*i:], step[half:])
		}
	}
	return wrapped, nil
}

// encryptPadded encrypts a secret by AES-CBC with the padding of PKCS #7.
func encryptPadded(key, iv, secret []byte) ([]byte, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	padding := aes.BlockSize - len(secret)%aes.BlockSize
	padded := append(bytes.Clone(secret), bytes.Repeat([]byte{byte(padding)}, padding)...)
	cipher.NewCBCEncrypter(block, iv).CryptBlocks(padded, padded)
	return padded, nil
}
