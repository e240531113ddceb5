package cosi

import (
	"fmt"
	"sync"

	bls "github.com/consensys/gnark-crypto/ecc/bls12-381"
)

// blsKeys are a committee's keys as points. The points of G1 that its methods
// exchange with a Collector are *bls.G1Affine.
type blsKeys struct {
	points []bls.G2Affine
	byKey  map[PublicKey]int
	// sum is that of all points: most certificates lack few seats.
	sum bls.G2Jac

	mu    sync.Mutex
	lines map[string]*lines // by the bits of a mask, see linesOf
	masks []string          // the keys of lines, the oldest first
}

// maxLines bounds the masks whose lines a committee keeps, 24 kB each. Members
// that are well sign again and again together; more than a few sets of them are
// seen when some come and go, and then the lines of any one help little.
const maxLines = 8

// Derive parses keys, but for those that k has.
func (k *blsKeys) Derive(keys []PublicKey) (Keys, error) {
	d := &blsKeys{
		points: make([]bls.G2Affine, len(keys)),
		byKey:  make(map[PublicKey]int, len(keys)),
	}
	for i, key := range keys {
		if known, ok := k.byKey[key]; ok {
			d.points[i] = k.points[known]
		} else {
			p, err := parseKey(key)
			if err != nil {
				return nil, fmt.Errorf("cosi: seat %d: %w", i, err)
			}
			d.points[i] = p
		}
		d.byKey[key] = i
		d.sum.AddMixed(&d.points[i])
	}
	return d, nil
}

func (*blsKeys) Point(sig Signature) (Point, error) {
	p, err := parseSignature(sig)
	if err != nil {
		return nil, err
	}
	return &p, nil
}

func (*blsKeys) Encode(p Point) Signature { return p.(*bls.G1Affine).Bytes() }

func (*blsKeys) Sum(points []Point) (Point, error) {
	if len(points) == 1 {
		return points[0], nil
	}
	var sum bls.G1Jac
	for _, p := range points {
		sum.AddMixed(p.(*bls.G1Affine))
	}
	var affine bls.G1Affine
	affine.FromJacobian(&sum)
	if affine.IsInfinity() {
		return nil, fmt.Errorf("cosi: signatures cancel out: %w", ErrPoint)
	}
	return &affine, nil
}

func (*blsKeys) Message(msg []byte) (Message, error) {
	h, err := hashToG1(msg, signatureTag)
	if err != nil {
		return nil, err
	}
	return &h, nil
}

func (k *blsKeys) Check(mask Mask, m Message, p Point) bool {
	// Should keys cancel out, only the neutral signature pairs with their sum,
	// and that is not a Point.
	return pairs(p.(*bls.G1Affine), m.(*bls.G1Affine), k.linesOf(mask))
}

// CheckAll pairs the weighted sum of the signatures once, and that of the messages
// once for each set of seats.
func (k *blsKeys) CheckAll(claims []Claim) bool {
	if len(claims) == 0 {
		return true
	}
	sigs := make([]*bls.G1Affine, len(claims))
	weights := make([]*[16]byte, len(claims))
	groups, masks := make(map[string][]int), []Mask(nil)
	for i := range claims {
		l := &claims[i]
		sigs[i], weights[i] = l.Point.(*bls.G1Affine), &l.Weight
		name := string(l.Mask.bits)
		if groups[name] == nil {
			masks = append(masks, l.Mask)
		}
		groups[name] = append(groups[name], i)
	}
	points, with := []bls.G1Affine{weigh(sigs, weights)}, []lines{negG2}
	for _, mask := range masks {
		var hashes []*bls.G1Affine
		var by []*[16]byte
		for _, i := range groups[string(mask.bits)] {
			hashes, by = append(hashes, claims[i].Message.(*bls.G1Affine)), append(by, weights[i])
		}
		points, with = append(points, weigh(hashes, by)), append(with, *k.linesOf(mask))
	}
	ok, err := bls.PairingCheckFixedQ(points, with)
	return err == nil && ok
}

// weigh is the sum of points times their weights.
func weigh(points []*bls.G1Affine, weights []*[16]byte) (affine bls.G1Affine) {
	var sum bls.G1Jac
	for bit := range 8 * len(weights[0]) {
		sum.DoubleAssign()
		for i, w := range weights {
			if w[bit/8]>>(7-bit%8)&1 == 1 {
				sum.AddMixed(points[i])
			}
		}
	}
	affine.FromJacobian(&sum)
	return affine
}

// linesOf are the lines of the sum of the keys of the seats in mask. Those of a
// quorum are kept, as certificates have them; the others are of wrong shares.
func (k *blsKeys) linesOf(mask Mask) *lines {
	name := string(mask.bits)
	k.mu.Lock()
	l := k.lines[name]
	k.mu.Unlock()
	if l != nil {
		return l
	}
	made := bls.PrecomputeLines(k.keyOf(mask))
	if mask.Count() < Quorum(len(k.points)) {
		return &made
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.lines == nil {
		k.lines = make(map[string]*lines)
	}
	if k.lines[name] == nil {
		if len(k.masks) == maxLines {
			delete(k.lines, k.masks[0])
			k.masks = append(k.masks[:0], k.masks[1:]...)
		}
		k.masks = append(k.masks, name)
	}
	k.lines[name] = &made
	return &made
}

// keyOf is the sum of the keys of the seats in mask, by whichever way has fewer
// additions.
func (k *blsKeys) keyOf(mask Mask) (key bls.G2Affine) {
	var sum bls.G2Jac
	present := mask.Count()
	if absent := len(k.points) - present; absent < present {
		sum.Set(&k.sum)
		for _, i := range mask.Absent() {
			var neg bls.G2Affine
			neg.Neg(&k.points[i])
			sum.AddMixed(&neg)
		}
	} else {
		for _, i := range mask.Members() {
			sum.AddMixed(&k.points[i])
		}
	}
	key.FromJacobian(&sum)
	return key
}
