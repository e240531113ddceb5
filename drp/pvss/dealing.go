package pvss

import (
	"crypto/sha512"
	"fmt"
	"io"
)

// Context says what a dealing is for. It is in every hash.
type Context struct {
	Session [32]byte // names the protocol run, the round and the receivers' group
	Dealer  uint16
}

func (w writer) context(ctx *Context) {
	w.Write(ctx.Session[:])
	w.number(int(ctx.Dealer))
}

// Dealing is the canonical encoding of a dealing to c receivers, all parts in
// their order: t commitments, c encrypted shares, c announcements to the base H,
// c announcements to the bases X_j, c responses. Nothing is known to be right
// about it until it has been parsed and checked in a [Batch].
type Dealing []byte

// DealingSize is the length of a dealing to c receivers.
func DealingSize(c int) int { return (Threshold(c) + 4*c) * size }

// layout cuts a dealing of the right length into its parts.
func (d Dealing) layout(c int) (commitments, shares, toH, toX, responses []byte) {
	cut := func(n int) []byte {
		part := d[: n*size : n*size]
		d = d[n*size:]
		return part
	}
	return cut(Threshold(c)), cut(c), cut(c), cut(c), cut(c)
}

// dealingChallenge hashes all of a dealing but its responses.
func (r *Receivers) dealingChallenge(ctx *Context, stated []byte) number {
	w := newWriter(sha512.New(), tagDealing)
	w.context(ctx)
	w.Write(bytesH[:])
	w.number(r.Threshold())
	w.number(len(r.keys))
	for i := range r.keys {
		w.Write(r.keys[i][:])
	}
	w.Write(stated)
	return w.challenge()
}

// Deal shares a random secret among the receivers. The dealer's key and the
// random stream are what the secret is made from: the same of both, in the same
// context, give the same dealing.
func Deal(ctx Context, to *Receivers, key SecretKey, random io.Reader) (Dealing, error) {
	src, err := newSource(key, random)
	if err != nil {
		return nil, err
	}
	defer src.wipe()
	c, t := to.Count(), to.Threshold()
	secrets := make([]number, t+2*c)
	defer wipe(secrets)
	poly, values, nonces := secrets[:t], secrets[t:t+c], secrets[t+c:]
	about := append(ctx.Session[:], byte(ctx.Dealer>>8), byte(ctx.Dealer))
	for i := range to.keys {
		about = append(about, to.keys[i][:]...)
	}
	for k := range poly {
		poly[k] = src.scalar(tagPoly, about, k)
	}
	d := make(Dealing, 0, DealingSize(c))
	var p point
	for k := range poly {
		d = appendPoint(d, p.MulBasepoint(tableH, &poly[k]))
	}
	for j := range values {
		values[j] = evaluate(poly, j)
		d = appendPoint(d, p.Mul(&to.points[j], &values[j]))
	}
	about = append(about, d...)
	about = sum512(about)
	for j := range nonces {
		nonces[j] = src.scalar(tagNonce, about, j)
		d = appendPoint(d, p.MulBasepoint(tableH, &nonces[j]))
	}
	for j := range nonces {
		d = appendPoint(d, p.Mul(&to.points[j], &nonces[j]))
	}
	challenge := to.dealingChallenge(&ctx, d)
	for j := range nonces {
		values[j].Mul(&values[j], &challenge)
		nonces[j].Sub(&nonces[j], &values[j])
		d = appendNumber(d, &nonces[j])
	}
	return d, nil
}

func sum512(b []byte) []byte {
	h := sha512.Sum512(b)
	return h[:]
}

// position is the place of the receiver with an index: 0 is the secret's.
func position(index int) (x number) {
	x.SetUint64(uint64(index) + 1)
	return x
}

// evaluate is the value of a polynomial for a receiver, by Horner's rule.
func evaluate(poly []number, index int) (v number) {
	x := position(index)
	for k := len(poly) - 1; k >= 0; k-- {
		v.Mul(&v, &x)
		v.Add(&v, &poly[k])
	}
	return v
}

// Parsed is a dealing whose parts are points and scalars. Whether they belong
// together is for a [Batch] to say. It does not change.
type Parsed struct {
	ctx         Context
	to          *Receivers
	challenge   number
	commitments []point
	shares      []point // Y_j
	toH, toX    []point // announcements
	responses   []number
	raw         Dealing
}

// Parse reads a dealing to the receivers, whose bytes the result keeps. The
// error says that the dealing is not valid in this context.
func (r *Receivers) Parse(ctx Context, d Dealing) (p *Parsed, err error) {
	c := len(r.keys)
	if len(d) != DealingSize(c) {
		return nil, fmt.Errorf("pvss: dealing of %d bytes, to %d receivers it has %d", len(d), c, DealingSize(c))
	}
	commitments, shares, toH, toX, responses := d.layout(c)
	p = &Parsed{ctx: ctx, to: r, raw: d}
	for _, part := range []struct {
		name string
		raw  []byte
		to   *[]point
	}{
		{"commitments", commitments, &p.commitments},
		{"shares", shares, &p.shares},
		{"announcements", toH, &p.toH},
		{"announcements", toX, &p.toX},
	} {
		if *part.to, err = decodePoints(part.raw); err != nil {
			return nil, fmt.Errorf("pvss: %s of a dealing: %w", part.name, err)
		}
	}
	if p.responses, err = decodeNumbers(responses); err != nil {
		return nil, fmt.Errorf("pvss: responses of a dealing: %w", err)
	}
	p.challenge = r.dealingChallenge(&ctx, d[:len(d)-len(responses)])
	return p, nil
}

// digest covers all of the dealing and its context.
func (p *Parsed) digest() [32]byte {
	return itemDigest(&p.challenge, p.raw[len(p.raw)-len(p.responses)*size:])
}

// terms adds the two equations of each receiver j, whose sums are zero if they
// hold:
//
//	A_j - r_j·H - c·Σ_k j^k·C_k  and  B_j - r_j·X_j - c·Y_j
func (p *Parsed) terms(sum *combination, coefs *coefficients) {
	keys := sum.keysOf(p.to)
	onC := make([]number, len(p.commitments))
	var v number
	for j := range p.shares {
		alpha, beta := coefs.next(), coefs.next()
		sum.add(alpha, &p.toH[j])
		sum.add(beta, &p.toX[j])
		sum.h.Sub(&sum.h, v.Mul(&alpha, &p.responses[j]))
		keys[j].Sub(&keys[j], v.Mul(&beta, &p.responses[j]))
		beta.Mul(&beta, &p.challenge)
		beta.Neg(&beta)
		sum.add(beta, &p.shares[j])
		x := position(j)
		alpha.Mul(&alpha, &p.challenge)
		for k := range onC {
			onC[k].Sub(&onC[k], &alpha)
			alpha.Mul(&alpha, &x)
		}
	}
	for k := range onC {
		sum.add(onC[k], &p.commitments[k])
	}
}
