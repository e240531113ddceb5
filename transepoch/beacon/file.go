package beacon

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"ios/chain"
	"ios/drp"
	"ios/transepoch/identity"
)

// ErrFile is the kind of errors about a file that is none of this package, or was
// cut short.
const ErrFile chain.ErrorKind = "bad_beacon_file"

// MaxProof bounds the proof of a record: a certificate of all validators and two
// paths.
const MaxProof = 8 << 10

// magic begins a file; its last byte is the version.
const magic = "iosbeacon\x01"

var be = binary.BigEndian

// Head is what a file begins with.
type Head struct {
	Chain chain.Hash
	Epoch uint64 // the one whose value is proven
}

// Link is one step of the walk: an epoch's record and the proof of it.
type Link struct {
	Record []byte // of package transepoch/identity
	Proof  []byte // a chain.OutcomeProof
}

// Writer writes a file: the links in order, then the transcript.
type Writer struct {
	w    *bufio.Writer
	left uint64
	err  error
}

// NewWriter begins a file.
func NewWriter(w io.Writer, h Head) (*Writer, error) {
	if h.Epoch == 0 {
		return nil, chain.Rule(ErrFile, "there is no epoch 0")
	}
	x := &Writer{w: bufio.NewWriter(w), left: h.Epoch - 1}
	x.put([]byte(magic))
	x.put(h.Chain[:])
	x.put(be.AppendUint64(nil, h.Epoch))
	return x, x.err
}

func (x *Writer) put(b []byte) {
	if x.err == nil {
		_, x.err = x.w.Write(b)
	}
}

func (x *Writer) blob(what string, b []byte, most int) {
	if x.err == nil && len(b) > most {
		x.err = chain.Rule(ErrFile, "%s of %d bytes, at most %d are possible", what, len(b), most)
	}
	x.put(be.AppendUint32(nil, uint32(len(b))))
	x.put(b)
}

// Link adds the next epoch.
func (x *Writer) Link(l Link) error {
	if x.err == nil && x.left == 0 {
		x.err = chain.Rule(ErrFile, "more records than the file's epoch has before it")
	}
	x.left--
	x.blob("a record", l.Record, identity.MaxEpochBytes)
	x.blob("a proof", l.Proof, MaxProof)
	return x.err
}

// Close ends the file with the transcript, or without one if it is empty. It does
// not close what is written to.
func (x *Writer) Close(transcript []byte) error {
	if x.err == nil && x.left != 0 {
		x.err = chain.Rule(ErrFile, "%d records are missing", x.left)
	}
	x.blob("a transcript", transcript, drp.MaxTranscript)
	if x.err == nil {
		x.err = x.w.Flush()
	}
	return x.err
}

// Reader reads a file.
type Reader struct {
	Head
	r    *bufio.Reader
	left uint64
}

// NewReader reads the head of a file.
func NewReader(r io.Reader) (*Reader, error) {
	x := &Reader{r: bufio.NewReader(r)}
	var head [len(magic) + 32 + 8]byte
	if _, err := io.ReadFull(x.r, head[:]); err != nil {
		return nil, short("the head", err)
	}
	if !bytes.HasPrefix(head[:], []byte(magic)) {
		return nil, chain.Rule(ErrFile, "this is no file of a beacon's value, or one of another version")
	}
	copy(x.Chain[:], head[len(magic):])
	if x.Epoch = be.Uint64(head[len(magic)+32:]); x.Epoch == 0 {
		return nil, chain.Rule(ErrFile, "there is no epoch 0")
	}
	x.left = x.Epoch - 1
	return x, nil
}

// short says that a file ends where it should not. What the disk has to say is no
// fault of the file's.
func short(what string, err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return chain.Rule(ErrFile, "the file ends within %s; it was cut short", what)
	}
	return fmt.Errorf("reading %s: %w", what, err)
}

// blob reads one, growing with what is there and not with what is claimed.
func (x *Reader) blob(what string, most int) ([]byte, error) {
	var size [4]byte
	if _, err := io.ReadFull(x.r, size[:]); err != nil {
		return nil, short(what, err)
	}
	n := be.Uint32(size[:])
	if uint64(n) > uint64(most) {
		return nil, chain.Rule(ErrFile, "%s of %d bytes, at most %d are possible", what, n, most)
	}
	var b bytes.Buffer
	if _, err := io.CopyN(&b, x.r, int64(n)); err != nil {
		return nil, short(what, err)
	}
	return b.Bytes(), nil
}

// Next reads the record of the next epoch; io.EOF says that there are no more.
func (x *Reader) Next() (l Link, err error) {
	if x.left == 0 {
		return l, io.EOF
	}
	what := fmt.Sprint("the record of epoch ", x.Epoch-x.left+1)
	if l.Record, err = x.blob(what, identity.MaxEpochBytes); err != nil {
		return l, err
	}
	l.Proof, err = x.blob("the proof of "+what, MaxProof)
	x.left--
	return l, err
}

// Transcript reads the end of the file, after all records.
func (x *Reader) Transcript() ([]byte, error) {
	if x.left != 0 {
		return nil, fmt.Errorf("beacon: %d records come before the transcript", x.left)
	}
	raw, err := x.blob("the transcript", drp.MaxTranscript)
	if err != nil {
		return nil, err
	}
	if _, err := x.r.ReadByte(); err == nil {
		return nil, chain.Rule(ErrFile, "bytes are left over after the transcript")
	} else if !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("reading the end: %w", err)
	}
	return raw, nil
}
