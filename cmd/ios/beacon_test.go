package main

import (
	"bytes"
	"os"

	"github.com/rogpeppe/go-internal/testscript"

	"ios/chain/cosi"
	"ios/transepoch/beacon/beacontest"
)

// makeEpochs writes a genesis, files of its first three epochs, the last of which is
// void, two bad files, and the genesis of another chain.
func makeEpochs(ts *testscript.TestScript, _ bool, _ []string) {
	write := func(name string, text []byte) { ts.Check(os.WriteFile(ts.MkAbs(name), text, 0o644)) }
	n := beacontest.New(cosi.BLS{}, 4, 0)
	text, err := n.Genesis.TOML()
	ts.Check(err)
	write("genesis.toml", text)
	write("epoch-1", n.File())
	n.Epoch()
	good := n.File()
	write("epoch-2", good)
	bad := bytes.Clone(good)
	bad[len(bad)-100] ^= 1
	write("altered", bad)
	write("short", good[:len(good)/2])
	n.Void()
	write("epoch-3", n.File())
	text, err = beacontest.New(cosi.BLS{}, 5, 0).Genesis.TOML()
	ts.Check(err)
	write("other.toml", text)
}
