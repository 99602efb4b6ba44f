package worker

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// A frame is what both sides send: a length, a kind, an ID that ties a reply to its request, and a payload. PROTOCOL.md has the layout.
type frame struct {
	kind    kind
	id      uint32
	payload []byte
}

type kind uint8

// Requests have the high bit clear, replies have it set.
const (
	kindHello     kind = 0x01
	kindSign      kind = 0x02
	kindGenerate  kind = 0x03
	kindInventory kind = 0x04
	kindPing      kind = 0x05

	kindReady     kind = 0x81
	kindSignature kind = 0x82
	kindKey       kind = 0x83
	kindPong      kind = 0x85
	kindError     kind = 0xff
)

const (
	lengthSize  = 4     // the length counts what follows it
	idSize      = 1 + 4 // kind and ID
	headerSize  = lengthSize + idSize
	maxFrame    = 16 << 20  // an inventory of 10,000 keys with certificates is a third of it
	maxRequest  = 128 << 10 // what the pool sends: the largest message to sign, with its surroundings
	readerSize  = 64 << 10  // one read takes in a thousand signatures
	maxMessage  = 64 << 10  // what Ed25519 signs is a whole message; a digest is 64 bytes at most
	growthChunk = 1 << 20   // a frame's buffer grows as its bytes arrive, never because its length says so
)

// errFrame: the other side doesn't speak the protocol. Its connection is of no further use.
var errFrame = errors.New("malformed frame")

// appendFrame adds a frame to dst. The payload may come in parts so that nobody has to join them first.
func appendFrame(dst []byte, k kind, id uint32, payload ...[]byte) []byte {
	at := len(dst)
	dst = append(dst, 0, 0, 0, 0, byte(k))
	dst = binary.BigEndian.AppendUint32(dst, id)
	for _, part := range payload {
		dst = append(dst, part...)
	}
	binary.BigEndian.PutUint32(dst[at:], uint32(len(dst)-at-lengthSize))
	return dst
}

// A frameReader takes frames off a stream.
type frameReader struct {
	r     *bufio.Reader
	limit int // of the length field
	skip  int // bytes of the frame before, still in r's buffer
}

func newFrameReader(r io.Reader, limit int) *frameReader {
	return &frameReader{r: bufio.NewReaderSize(r, readerSize), limit: limit}
}

// next returns the next frame; its payload is valid until the following call. io.EOF means that the stream ended between two frames, any other
// error that the rest of it is of no use.
func (fr *frameReader) next() (frame, error) {
	if _, err := fr.r.Discard(fr.skip); err != nil {
		return frame{}, err
	}
	fr.skip = 0
	prefix, err := fr.r.Peek(lengthSize)
	if err != nil {
		return frame{}, between(err, len(prefix))
	}
	length := int(binary.BigEndian.Uint32(prefix))
	if length < idSize || length > fr.limit {
		return frame{}, fmt.Errorf("%w: length %d isn't between %d and %d", errFrame, length, idSize, fr.limit)
	}
	body, err := fr.body(length)
	if err != nil {
		return frame{}, between(err, headerSize)
	}
	return frame{kind: kind(body[0]), id: binary.BigEndian.Uint32(body[1:]), payload: body[idSize:]}, nil
}

// body gives the bytes after the length: in place where they fit the buffer, else in memory of their own.
func (fr *frameReader) body(length int) ([]byte, error) {
	if lengthSize+length <= readerSize {
		whole, err := fr.r.Peek(lengthSize + length)
		if err != nil {
			return nil, err
		}
		fr.skip = len(whole)
		return whole[lengthSize:], nil
	}
	if _, err := fr.r.Discard(lengthSize); err != nil {
		return nil, err
	}
	var b bytes.Buffer
	b.Grow(min(length, growthChunk))
	if n, err := io.CopyN(&b, fr.r, int64(length)); n < int64(length) {
		return nil, err
	}
	return b.Bytes(), nil
}

// between tells an end between two frames from one within a frame.
func between(err error, seen int) error {
	if errors.Is(err, io.EOF) && seen > 0 {
		return fmt.Errorf("%w: the stream ended within it", errFrame)
	}
	return err
}
