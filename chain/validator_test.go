package chain

import (
	"bytes"
	"testing"
)

func sampleValidator() Validator {
	v := Validator{Name: "v0", Address: "host:1", API: "http://host:2", Stake: 1 << 40}
	for i, key := range [][]byte{v.Identity[:], v.Signing[:], v.Cosi[:], v.VRF[:], v.PVSS[:], v.Possession[:], v.VRFProof[:], v.PVSSProof[:]} {
		for j := range key {
			key[j] = byte(i + 1)
		}
	}
	return v
}

func FuzzValidator(f *testing.F) {
	v := sampleValidator()
	f.Add(v.AppendTo(nil))
	f.Add(new(Validator).AppendTo(nil))
	f.Fuzz(func(t *testing.T, raw []byte) {
		r := NewReader(raw)
		v := r.Validator()
		if r.Close() != nil {
			return
		}
		if again := v.AppendTo(nil); !bytes.Equal(raw, again) {
			t.Fatalf("%x is read, %x written", raw, again)
		}
	})
}

func TestValidatorEncoding(t *testing.T) {
	v := sampleValidator()
	raw := v.AppendTo(nil)
	r := NewReader(raw)
	if back := r.Validator(); r.Close() != nil || back != v {
		t.Errorf("%+v came back", back)
	}
	if got := len(new(Validator).AppendTo(nil)); got != ValidatorMinSize {
		t.Errorf("the least has %d bytes, not %d", got, ValidatorMinSize)
	}
	long := v
	long.API = string(make([]byte, maxHost+1))
	if r := NewReader(long.AppendTo(nil)); r.Validator() == long || r.Close() == nil {
		t.Error("an URL without bound is read")
	}
}

// The proofs of possession are bound to all keys.
func TestProofContextHasEveryKey(t *testing.T) {
	v := sampleValidator()
	whole := v.ProofContext()
	for i, key := range [][]byte{v.Identity[:], v.Signing[:], v.Cosi[:], v.VRF[:], v.PVSS[:]} {
		key[len(key)-1] ^= 1
		if bytes.Equal(v.ProofContext(), whole) {
			t.Errorf("key %d is not in it", i)
		}
		key[len(key)-1] ^= 1
	}
}
