package drp

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"ios/chain"
	"ios/drp/pvss"
)

// A wrong dealing that was signed off all the same counts as zero, for everybody;
// and a transcript can neither count it nor leave out another.
func TestAWrongDealingCountsAsZero(t *testing.T) {
	w := newWorld(t, 24, 8, 7, calm)
	w.begin(0)
	l := must(newRun(w.cfg)).layout(0)
	good, _ := twoChoices(w)
	list := slices.Clone(good.Dealings)
	group1 := list[3:6]
	for k, change := range map[int]func([]byte){
		0: func(s []byte) { copy(s, s[32:64]) },                                // points that do not fit
		1: func(s []byte) { copy(s, bytes.Repeat([]byte{255}, 32)) },           // no point
		2: func(s []byte) { copy(s[len(s)-32:], make([]byte, 32)) },            // another response
		3: func(s []byte) { copy(s[len(s)-32:], bytes.Repeat([]byte{9}, 32)) }, // in group 2
	} {
		d := list[3+k]
		shares := slices.Clone(d.Shares)
		change(shares)
		list[3+k] = signDealing(l.run, 0, d.Group, d.Dealer, shares, 8, w.keys[w.cfg.find(d.Dealer)].Signing)
	}
	c := newChoice(0, list)
	votes := signOff(w.cfg, w.keys, 0, c.Hash(), indices(24))
	w.decided = &Decided{c.Raw, votes, nil}
	w.tell()
	collector := l.groups[1][0]
	w.collect(collector)
	res := w.untilResult(collector)
	zero := []chain.ValidatorID{group1[0].Dealer, group1[1].Dealer, group1[2].Dealer, list[6].Dealer}
	if !slices.Equal(res.Zero, zero) {
		t.Errorf("%v count as zero, not %v", res.Zero, zero)
	}
	other := l.groups[0][5]
	w.collect(other)
	w.untilResult(other)
	w.noRefusals()

	r := must(newRun(w.cfg))
	tr, _, err := r.decodeTranscript(res.Transcript)
	if err != nil {
		t.Fatal(err)
	}
	if len(tr.Openings[1]) != 0 || len(tr.Openings[2]) != 3 {
		t.Errorf("groups 1 and 2 have %d and %d openings", len(tr.Openings[1]), len(tr.Openings[2]))
	}
	// Leave out a dealing that counts: the group opens two of its three.
	left := *tr
	left.Counts = slices.Clone(tr.Counts)
	left.Counts[0] = false
	left.Openings = slices.Clone(tr.Openings)
	left.Openings[0] = nil
	o := must(l.judge(l.group(c, 0)))
	for index := range 3 {
		k := w.keys[l.groups[0][index]]
		left.Openings[0] = append(left.Openings[0], Opening{uint16(index),
			must(pvss.Decrypt(pvss.Binding(c.Hash()), must(l.of(0)), index, o.parsed[1:], k.Secret, k.Random))})
	}
	if _, err := Verify(w.cfg, left.AppendTo(nil)); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("server %d is right but does not count", c.Dealings[0].Dealer)) {
		t.Errorf("a transcript that leaves out a dealing: %v", err)
	}
	// Count one that is wrong.
	for _, at := range []int{3, 4, 5, 6} {
		more := *tr
		more.Counts = slices.Clone(tr.Counts)
		more.Counts[at] = true
		more.Openings = slices.Clone(tr.Openings)
		g := int(list[at].Group)
		more.Openings[g] = nil
		for index := range 3 {
			m := 1
			if g == 2 {
				m = 3
			}
			more.Openings[g] = append(more.Openings[g], Opening{uint16(index), make(pvss.Decryption, pvss.DecryptionSize(m))})
		}
		if _, err := Verify(w.cfg, more.AppendTo(nil)); err == nil {
			t.Errorf("a transcript that counts wrong dealing %d is accepted", at)
		}
	}
}

// All dealings wrong: no transcript.
func TestNothingCounts(t *testing.T) {
	cfg, keys := newConfig(4, 4, 1)
	l := must(newRun(cfg)).layout(0)
	var list []*Dealing
	for i := range 2 {
		d := must(newDealing(l, i, &keys[i]))
		shares := slices.Clone(d.Shares)
		copy(shares, shares[32:64])
		list = append(list, signDealing(l.run, 0, 0, d.Dealer, shares, 4, keys[i].Signing))
	}
	c := newChoice(0, list)
	tr := &Transcript{Choice: c, Counts: make([]bool, 2), Openings: make([][]Opening, 1)}
	tr.SignOff = signOff(cfg, keys, 0, c.Hash(), indices(4))
	if _, err := Verify(cfg, tr.AppendTo(nil)); err == nil {
		t.Error("an output of nothing")
	}
}
