package atomix

import "ios/chain"

// maxRecent bounds the outcomes for other shards of the last blocks that a relay
// keeps: 33 bytes each. Older ones are recalled from the log.
const maxRecent = 1 << 18

// recent holds the bundles of the last blocks, without transactions.
type recent struct {
	blocks map[uint64][]placed
	from   uint64 // lowest height kept
	next   uint64 // the height after the last
	held   int    // entries
}

// placed is a bundle and its segment's place.
type placed struct {
	segment int
	bundle  *chain.Bundle
}

func (c *recent) init() { c.blocks = make(map[uint64][]placed) }

func (c *recent) add(b *chain.Block, rep *Report, own chain.ShardID) {
	height := b.Header.Height
	if len(c.blocks) == 0 {
		c.from = height
	}
	var list []placed
	for i := range rep.Tree {
		if rep.Tree[i].Dest != own {
			list = append(list, placed{i, bundleAt(b, rep.Tree, rep.Hashes, i)})
			c.held += len(rep.Tree[i].Entries)
		}
	}
	if list != nil {
		c.blocks[height] = list
	}
	c.next = height + 1
	for ; c.held > maxRecent && c.from < height; c.from++ {
		for _, p := range c.blocks[c.from] {
			c.held -= len(p.bundle.Segment.Entries)
		}
		delete(c.blocks, c.from)
	}
}

// has reports whether all bundles of the block at the height are here.
func (c *recent) has(height uint64) bool { return height >= c.from && height < c.next }

func (c *recent) segment(height uint64, segment int) *chain.Bundle {
	for _, p := range c.blocks[height] {
		if p.segment == segment {
			return p.bundle
		}
	}
	return nil
}

// showing lists the bundles for dest at the height that tell of any of ids.
func (c *recent) showing(height uint64, dest chain.ShardID, ids map[chain.TxID]bool) (list []*chain.Bundle) {
next:
	for _, p := range c.blocks[height] {
		if p.bundle.Segment.Dest != dest {
			continue
		}
		for i := range p.bundle.Segment.Entries {
			if ids[p.bundle.Segment.Entries[i].ID] {
				list = append(list, p.bundle)
				continue next
			}
		}
	}
	return list
}
