package pvss

import (
	"crypto/sha256"
	"crypto/sha512"
	"errors"
	"fmt"
	"io"
)

// Decryption is the canonical encoding of what one receiver opens of m dealings:
// the m shares in the dealings' order, two announcements, the response. One proof
// is for all, over their sums with coefficients that are hashed from them.
type Decryption []byte

// DecryptionSize is the length of a decryption of m shares.
func DecryptionSize(m int) int { return (m + 3) * size }

// Binding says what a decryption is for. It is in the hash.
type Binding [32]byte

// opening hashes a statement: who opens what, and as which shares.
func (r *Receivers) opening(tag string, binding *Binding, index int, of []*Parsed, shares []byte) writer {
	w := newWriter(sha512.New(), tag)
	w.Write(binding[:])
	w.Write(bytesG[:])
	w.number(len(r.keys))
	w.number(index)
	w.Write(r.keys[index][:])
	w.number(len(of))
	for _, d := range of {
		w.context(&d.ctx)
		_, encrypted, _, _, _ := d.raw.layout(len(r.keys))
		w.Write(encrypted[index*size : (index+1)*size])
	}
	w.Write(shares)
	return w
}

func (r *Receivers) check(index int, of []*Parsed) error {
	if index < 0 || index >= len(r.keys) {
		return fmt.Errorf("pvss: receiver %d of %d", index, len(r.keys))
	}
	if len(of) == 0 {
		return errors.New("pvss: no dealing to open")
	}
	for _, d := range of {
		if d.to != r {
			return errors.New("pvss: a dealing to other receivers")
		}
	}
	return nil
}

// foldings are the coefficients under which the shares of a decryption, and what
// they were decrypted from, are added up.
func (r *Receivers) foldings(binding *Binding, index int, of []*Parsed, shares []byte) []number {
	s := coefficients{seed: sha256.Sum256(r.opening(tagFold, binding, index, of, shares).Sum(nil))}
	list := make([]number, len(of))
	for i := range list {
		list[i] = s.next()
	}
	return list
}

// Decrypt opens the receiver's shares of the dealings, which must have been found
// valid: a share of a wrong one would say something about the key.
func Decrypt(binding Binding, r *Receivers, index int, of []*Parsed, key SecretKey, random io.Reader) (Decryption, error) {
	if err := r.check(index, of); err != nil {
		return nil, err
	}
	x, err := key.number()
	if err != nil {
		return nil, err
	}
	defer x.Zero()
	if public, err := key.Public(); err != nil || public != r.keys[index] {
		return nil, fmt.Errorf("pvss: the secret key is not that of receiver %d", index)
	}
	src, err := newSource(key, random)
	if err != nil {
		return nil, err
	}
	defer src.wipe()
	var inverse number
	inverse.Invert(&x)
	defer inverse.Zero()
	points := make([]point, len(of))
	out := make(Decryption, 0, DecryptionSize(len(of)))
	for i, d := range of {
		out = appendPoint(out, points[i].Mul(&d.shares[index], &inverse))
	}
	var sum combination
	for i, e := range r.foldings(&binding, index, of, out) {
		sum.add(e, &points[i])
	}
	statement := r.opening(tagOpening, &binding, index, of, out)
	v := src.scalar(tagNonce, statement.Sum(nil), 0)
	defer v.Zero()
	folded := sum.total()
	var p point
	first := len(out)
	out = appendPoint(out, p.MulBasepoint(tableG, &v))
	out = appendPoint(out, p.Mul(folded, &v))
	statement.Write(out[first:])
	c := statement.challenge()
	v.Sub(&v, x.Mul(&x, &c))
	return appendNumber(out, &v), nil
}

// Opened is a parsed decryption. Whether it is right is for a [Batch] to say. It
// does not change.
type Opened struct {
	r         *Receivers
	index     int
	of        []*Parsed
	shares    []point
	folding   []number
	announced []point // to the base G, and to the sum of the shares
	response  number
	challenge number
	raw       Decryption
}

// Index is the receiver that opened.
func (o *Opened) Index() int { return o.index }

// Open parses a receiver's decryption of its shares in the dealings, whose bytes
// the result keeps.
func (r *Receivers) Open(binding Binding, index int, of []*Parsed, d Decryption) (o *Opened, err error) {
	if err := r.check(index, of); err != nil {
		return nil, err
	}
	if len(d) != DecryptionSize(len(of)) {
		return nil, fmt.Errorf("pvss: decryption of %d bytes, for %d shares it has %d", len(d), len(of), DecryptionSize(len(of)))
	}
	shares, announced, response := d[:len(of)*size], d[len(of)*size:len(d)-size], d[len(d)-size:]
	o = &Opened{r: r, index: index, of: of, raw: d}
	if o.shares, err = decodePoints(shares); err != nil {
		return nil, fmt.Errorf("pvss: share of receiver %d: %w", index, err)
	}
	if o.announced, err = decodePoints(announced); err != nil {
		return nil, fmt.Errorf("pvss: announcement of receiver %d: %w", index, err)
	}
	if err := decodeNumber(&o.response, response); err != nil {
		return nil, fmt.Errorf("pvss: response of receiver %d: %w", index, err)
	}
	o.folding = r.foldings(&binding, index, of, shares)
	w := r.opening(tagOpening, &binding, index, of, shares)
	w.Write(announced)
	o.challenge = w.challenge()
	return o, nil
}

// digest covers all of the decryption and its statement.
func (o *Opened) digest() [32]byte { return itemDigest(&o.challenge, o.raw[len(o.raw)-size:]) }

// terms adds the two equations of the proof, whose sums are zero if they hold, S
// and Y being the folded shares:
//
//	A - r·G - c·X  and  B - r·S - c·Y
func (o *Opened) terms(sum *combination, coefs *coefficients) {
	keys := sum.keysOf(o.r)
	gamma, delta := coefs.next(), coefs.next()
	var v, onS, onY number
	sum.add(gamma, &o.announced[0])
	sum.add(delta, &o.announced[1])
	sum.g.Sub(&sum.g, v.Mul(&gamma, &o.response))
	keys[o.index].Sub(&keys[o.index], v.Mul(&gamma, &o.challenge))
	onS.Neg(onS.Mul(&delta, &o.response))
	onY.Neg(onY.Mul(&delta, &o.challenge))
	for i := range o.shares {
		v.Mul(&onS, &o.folding[i])
		sum.add(v, &o.shares[i])
		v.Mul(&onY, &o.folding[i])
		sum.add(v, &o.of[i].shares[o.index])
	}
}
