package bitcoin

import (
	"crypto/sha256"

	"golang.org/x/crypto/ripemd160" //lint:ignore SA1019 Bitcoin's addresses are made with it
)

// SpentScript is the script of the output that an input spends, as far as the
// input tells: of the standard forms, the spender shows the key or script that
// the output's script has the hash of. It is nil for the others.
func SpentScript(in *Input) []byte {
	pushes, ok := pushes(in.Script)
	if !ok {
		return nil
	}
	w := in.Witness
	switch {
	case len(pushes) == 0 && len(w) == 2 && isKey(w[1]): // P2WPKH
		return append([]byte{0x00, 20}, hash160(w[1])...)
	case len(pushes) == 0 && len(w) > 1: // P2WSH
		sum := sha256.Sum256(w[len(w)-1])
		return append([]byte{0x00, 32}, sum[:]...)
	case len(pushes) == 2 && isKey(pushes[1]) && len(w) == 0: // P2PKH
		return append(append([]byte{0x76, 0xa9, 20}, hash160(pushes[1])...), 0x88, 0xac)
	case len(pushes) == 1 && len(w) > 0, len(pushes) > 2: // P2SH
		return append(append([]byte{0xa9, 20}, hash160(pushes[len(pushes)-1])...), 0x87)
	}
	return nil
}

func isKey(b []byte) bool {
	return len(b) == 33 && (b[0] == 2 || b[0] == 3) || len(b) == 65 && b[0] == 4
}

func hash160(b []byte) []byte {
	sum := sha256.Sum256(b)
	d := ripemd160.New()
	d.Write(sum[:])
	return d.Sum(nil)
}

// pushes are the values that a script of nothing but pushes leaves.
func pushes(script []byte) (values [][]byte, ok bool) {
	r := &reader{buf: script}
	for r.off < len(script) && r.err == nil {
		op := r.u8()
		switch {
		case op <= 75:
			values = append(values, r.bytes(int(op)))
		case op == 76:
			values = append(values, r.bytes(int(r.u8())))
		case op == 77:
			if b := r.bytes(2); b != nil {
				values = append(values, r.bytes(int(b[0])|int(b[1])<<8))
			}
		case op == 79 || op >= 81 && op <= 96: // small numbers
			values = append(values, []byte{op})
		default:
			return nil, false
		}
	}
	return values, r.err == nil
}
