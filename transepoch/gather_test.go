package transepoch

import (
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"testing"

	"ios/chain"
	"ios/eds"
	"ios/eds/safety"
)

// gatherer is an adversary with 10 of 64 validators that lets those outside of
// its best shard leave, five in an epoch, and come back in the next, in the hope
// that they are drawn to that shard. It learns the assignment at once.
type gatherer struct {
	t       *testing.T
	r       *rand.Rand
	epoch   uint64
	at      Assignment
	members []chain.ValidatorID
	away    []chain.ValidatorID
}

func (g *gatherer) bad(v chain.ValidatorID) bool { return v < 10 }

func (g *gatherer) random() (h chain.Hash) {
	binary.BigEndian.PutUint64(h[:], g.r.Uint64())
	return h
}

// churn is the adversary's move.
func (g *gatherer) churn() {
	g.members, g.away = append(g.members, g.away...), nil
	best, most := 0, 0
	for j := range g.at {
		n := 0
		for _, v := range g.at[j] {
			if g.bad(v) {
				n++
			}
		}
		if n > most {
			best, most = j, n
		}
	}
	for j := range g.at {
		for _, v := range g.at[j] {
			if i := slices.Index(g.members, v); j != best && i >= 0 && g.bad(v) && len(g.away) < 5 {
				g.away = append(g.away, v)
				g.members = slices.Delete(g.members, i, i+1)
			}
		}
	}
	slices.Sort(g.members)
}

// turn makes the next epoch and counts its committees, and those overrun.
func (g *gatherer) turn(permille int) (committees, overruns int) {
	g.epoch++
	p, err := MakePlan(&Input{Epoch: g.epoch, Random: g.random(), Old: g.at, Members: g.members, SwapPermille: permille, BatchSize: 2})
	if err != nil {
		g.t.Fatal(err)
	}
	byzantine := make([]bool, 64)
	for v := range byzantine {
		byzantine[v] = g.bad(chain.ValidatorID(v))
	}
	for j := range p.Shards {
		for b := range p.Last(chain.ShardID(j)) + 1 {
			seats, _ := p.Committee(chain.ShardID(j), b)
			committees++
			if overrun(seats, byzantine) {
				overruns++
			}
		}
	}
	g.at = p.New
	return committees, overruns
}

// An adversary that leaves and joins again gathers its validators in one shard
// where nobody else moves. With a third of all seats drawn in each epoch it
// gains nothing.
func TestJoiningAgainGathersNobody(t *testing.T) {
	want := safety.Shard(64, 10, 16)
	for _, c := range []struct {
		permille    int
		least, most float64 // times what the calculator says
	}{{0, 5, 20}, {334, 0.5, 1.3}} {
		r := rand.New(rand.NewPCG(1, 2))
		committees, overruns := 0, 0
		for range 30 {
			g := &gatherer{t: t, r: r}
			g.at = eds.Assign(g.random(), 64, 4)
			for v := range chain.ValidatorID(64) {
				g.members = append(g.members, v)
			}
			for range 60 {
				g.churn()
				n, over := g.turn(c.permille)
				committees, overruns = committees+n, overruns+over
			}
		}
		times := float64(overruns) / float64(committees) / want
		t.Logf("%d thousandths drawn: %d of %d committees are overrun, %.2f times what the calculator says", c.permille, overruns, committees, times)
		if times < c.least || times > c.most {
			t.Errorf("with %d thousandths drawn %.2f times as many committees are overrun as the calculator says, from %v to %v are expected", c.permille, times, c.least, c.most)
		}
	}
}
