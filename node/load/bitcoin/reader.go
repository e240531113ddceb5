package bitcoin

import (
	"encoding/binary"
	"fmt"
)

// reader decodes Bitcoin's encoding. The first fault sticks.
type reader struct {
	buf []byte
	off int
	err error
}

func (r *reader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf("%w: at offset %d: %s", ErrFormat, r.off, fmt.Sprintf(format, args...))
	}
}

func (r *reader) bytes(n int) []byte {
	if r.err == nil && n > len(r.buf)-r.off {
		r.fail("%d bytes are wanted, %d are there", n, len(r.buf)-r.off)
	}
	if r.err != nil {
		return nil
	}
	b := r.buf[r.off : r.off+n : r.off+n]
	r.off += n
	return b
}

func (r *reader) u8() byte {
	if b := r.bytes(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *reader) u32() uint32 {
	if b := r.bytes(4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

func (r *reader) u64() uint64 {
	if b := r.bytes(8); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

// varint reads a CompactSize, in its shortest form only.
func (r *reader) varint() uint64 {
	first := r.u8()
	var v, least uint64
	switch first {
	case 0xfd:
		if b := r.bytes(2); b != nil {
			v, least = uint64(binary.LittleEndian.Uint16(b)), 0xfd
		}
	case 0xfe:
		v, least = uint64(r.u32()), 1<<16
	case 0xff:
		v, least = r.u64(), 1<<32
	default:
		return uint64(first)
	}
	if v < least {
		r.fail("the number %d is not in its shortest form", v)
	}
	return v
}

// count reads a list's length and refuses one whose elements of at least size
// bytes each cannot fit into what is left.
func (r *reader) count(size int) int {
	n := r.varint()
	if r.err == nil && n > uint64((len(r.buf)-r.off)/size) {
		r.fail("a list of %d elements in %d bytes", n, len(r.buf)-r.off)
	}
	if r.err != nil {
		return 0
	}
	return int(n)
}

func (r *reader) blob() []byte { return r.bytes(r.count(1)) }

func (r *reader) tx() (t Tx) {
	start := r.off
	version := r.bytes(4)
	segwit := r.err == nil && len(r.buf)-r.off > 2 && r.buf[r.off] == 0
	if segwit {
		if flag := r.bytes(2); flag[1] != 1 {
			r.fail("unknown flag %d of an extended transaction", flag[1])
		}
	}
	core := r.off
	t.Inputs = make([]Input, r.count(minInput))
	for i := range t.Inputs {
		in := &t.Inputs[i]
		copy(in.Previous.Tx[:], r.bytes(32))
		in.Previous.Index = r.u32()
		in.Script = r.blob()
		r.u32() // sequence
	}
	t.Outputs = make([]Output, r.count(minOutput))
	for i := range t.Outputs {
		t.Outputs[i] = Output{r.u64(), r.blob()}
		if t.Outputs[i].Amount > maxMoney {
			r.fail("an output of %d satoshi, more than there are", t.Outputs[i].Amount)
		}
	}
	coreEnd := r.off
	if segwit {
		for i := range t.Inputs {
			n := r.count(1)
			for range n {
				t.Inputs[i].Witness = append(t.Inputs[i].Witness, r.blob())
			}
		}
	}
	lock := r.bytes(4)
	if r.err != nil {
		return t
	}
	if len(t.Inputs) == 0 || len(t.Outputs) == 0 {
		r.fail("a transaction with %d inputs and %d outputs", len(t.Inputs), len(t.Outputs))
		return t
	}
	if !segwit {
		t.ID = double(r.buf[start:r.off])
		return t
	}
	// The id leaves the witnesses out.
	id := append(append(append(make([]byte, 0, coreEnd-core+8), version...), r.buf[core:coreEnd]...), lock...)
	t.ID = double(id)
	return t
}
