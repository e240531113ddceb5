package pvss

import "fmt"

// MaxReceivers bounds the receivers of a dealing.
const MaxReceivers = 4096

// Threshold is t, the shares that open a dealing to c receivers: more than any
// third of them has.
func Threshold(c int) int { return c/3 + 1 }

// Receivers are the parsed keys that dealings are for, in order. They do not
// change.
type Receivers struct {
	keys   []PublicKey
	points []point
}

// ParseReceivers parses keys: at least one, at most MaxReceivers, none twice.
func ParseReceivers(keys []PublicKey) (*Receivers, error) {
	if len(keys) < 1 || len(keys) > MaxReceivers {
		return nil, fmt.Errorf("pvss: %d receivers, from 1 to %d are possible", len(keys), MaxReceivers)
	}
	r := &Receivers{keys: append([]PublicKey(nil), keys...), points: make([]point, len(keys))}
	seen := make(map[PublicKey]int, len(keys))
	for i, k := range keys {
		// Whoever holds one key of two receivers has two shares.
		if first, ok := seen[k]; ok {
			return nil, fmt.Errorf("pvss: receivers %d and %d have the same key", first, i)
		}
		seen[k] = i
		if err := k.parse(&r.points[i]); err != nil {
			return nil, fmt.Errorf("receiver %d: %w", i, err)
		}
	}
	return r, nil
}

// Count is c, the number of receivers.
func (r *Receivers) Count() int { return len(r.keys) }

// Threshold is t, the shares that open a dealing.
func (r *Receivers) Threshold() int { return Threshold(len(r.keys)) }
