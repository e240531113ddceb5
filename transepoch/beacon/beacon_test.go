package beacon_test

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"ios/chain"
	"ios/chain/cosi"
	"ios/chain/cosi/cositest"
	"ios/transepoch/beacon"
	"ios/transepoch/beacon/beacontest"
	"ios/transepoch/identity"
)

var scheme = cositest.New("beacon")

func verify(n *beacontest.Network, file []byte) (*beacon.Value, error) {
	return beacon.Verify(bytes.NewReader(file), n.Genesis, scheme)
}

// Whoever has the genesis walks to the epoch and checks its value, with BLS as in
// a network.
func TestTheValueOfEachEpochIsVerified(t *testing.T) {
	n := beacontest.New(cosi.BLS{}, 4, 0)
	for epoch := uint64(1); epoch <= 3; epoch++ {
		v, err := beacon.Verify(bytes.NewReader(n.File()), n.Genesis, cosi.BLS{})
		if err != nil {
			t.Fatalf("epoch %d: %v", epoch, err)
		}
		if v.Epoch != epoch || v.Random != n.Book().Current().Random {
			t.Errorf("%+v", v)
		}
		if epoch > 1 && (len(v.Dealt) != 2 || v.Dealt[0].Name == "" || v.Servers != 4 || len(v.Invalid) > 0 || v.Height == 0) {
			t.Errorf("%+v", v)
		}
		n.Epoch()
	}
}

// Several groups: those who dealt are named with theirs.
func TestDealersAreNamedByGroup(t *testing.T) {
	n := beacontest.New(scheme, 18, 6)
	n.Epoch()
	v, err := verify(n, n.File())
	if err != nil {
		t.Fatal(err)
	}
	groups := make(map[int]int)
	for _, p := range v.Dealt {
		groups[p.Group]++
	}
	if len(groups) != 3 || groups[0] != 3 || groups[1] != 3 || groups[2] != 3 {
		t.Errorf("dealers by group: %v", groups)
	}
}

// Members whose keys the seed had not fixed could have chosen them to suit the value:
// no record with such is believed, whoever has certified it.
func TestKeysAreFixedBeforeTheValue(t *testing.T) {
	n := beacontest.New(scheme, 4, 0)
	before := n.Book()
	n.Epoch()
	rec := *n.Book().Current()
	if _, err := beacon.Judge(before, &rec, n.Transcripts[0]); err != nil || rec.Course != identity.Drawn {
		t.Fatalf("a record that is %v: %v", rec.Course, err)
	}
	rec.Members = slices.Clone(rec.Members)
	rec.Members[2].VRF[0] ^= 1
	if _, err := beacon.Judge(before, &rec, n.Transcripts[0]); err == nil || !strings.Contains(err.Error(), "the seed had fixed") {
		t.Errorf("another key: %v", err)
	}
}

func TestAVoidEpochNamesTheSilent(t *testing.T) {
	n := beacontest.New(scheme, 4, 0)
	n.Epoch()
	n.Void()
	v, err := verify(n, n.File())
	if err != nil {
		t.Fatal(err)
	}
	if v.Course != identity.Void.String() || len(v.Silent) != 3 || len(v.Dealt) != 0 || v.Random != n.Book().Current().Random {
		t.Errorf("%+v", v)
	}
	n.Epoch()
	if v, err := verify(n, n.File()); err != nil || v.Epoch != 4 || v.Course != identity.Drawn.String() {
		t.Errorf("the epoch after it: %+v, %v", v, err)
	}
}

// Every byte counts.
func TestAnyAlteredByteIsRefused(t *testing.T) {
	n := beacontest.New(scheme, 4, 0)
	n.Epoch()
	n.Epoch()
	good := n.File()
	if _, err := verify(n, good); err != nil {
		t.Fatal(err)
	}
	step := 1
	if testing.Short() {
		step = 17
	}
	for i := 0; i < len(good); i += step {
		bad := bytes.Clone(good)
		bad[i] ^= 1 << (i % 8)
		if v, err := verify(n, bad); err == nil {
			t.Fatalf("byte %d of %d altered, and verified: %+v", i, len(good), v)
		}
	}
}

func TestAFileThatIsCutShortIsRefused(t *testing.T) {
	n := beacontest.New(scheme, 4, 0)
	n.Epoch()
	good := n.File()
	for i := 0; i < len(good); i += 13 {
		if _, err := verify(n, good[:i]); !errors.Is(err, beacon.ErrFile) {
			t.Fatalf("the first %d of %d bytes: %v", i, len(good), err)
		}
	}
	if _, err := verify(n, append(bytes.Clone(good), 0)); !errors.Is(err, beacon.ErrFile) {
		t.Errorf("a byte more: %v", err)
	}
	broken := errors.New("the disk is broken")
	if _, err := beacon.Verify(io.MultiReader(bytes.NewReader(good[:100]), iotest.ErrReader(broken)), n.Genesis, scheme); !errors.Is(err, broken) || errors.Is(err, beacon.ErrFile) {
		t.Errorf("a disk that fails: %v", err)
	}
}

// join makes a file of links and a transcript.
func join(t *testing.T, h beacon.Head, transcript []byte, links ...beacon.Link) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := beacon.NewWriter(&b, h)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range links {
		if err := w.Link(l); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(transcript); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// What is put together of good parts is no better than its worst.
func TestPartsOfOthersAreRefused(t *testing.T) {
	n, other := beacontest.New(scheme, 4, 0), beacontest.New(scheme, 5, 0)
	for range 2 {
		n.Epoch()
		other.Epoch()
	}
	head := beacon.Head{Chain: n.Genesis.ID(), Epoch: 3}
	one, two, later, earlier := n.Links[0], n.Links[1], n.Transcripts[1], n.Transcripts[0]
	if _, err := verify(n, join(t, head, later, one, two)); err != nil {
		t.Fatal(err)
	}
	for name, file := range map[string][]byte{
		"the transcript of another epoch": join(t, head, earlier, one, two),
		"the transcript of another chain": join(t, head, other.Transcripts[1], one, two),
		"no transcript":                   join(t, head, nil, one, two),
		"records in another order":        join(t, head, later, two, one),
		"a record twice":                  join(t, head, later, one, one),
		"a record of another chain":       join(t, head, later, one, other.Links[1]),
		"the proof of another record":     join(t, head, later, one, beacon.Link{Record: two.Record, Proof: one.Proof}),
		"a transcript for the genesis":    join(t, beacon.Head{Chain: head.Chain, Epoch: 1}, earlier),
		"another chain":                   other.File(),
	} {
		if v, err := verify(n, file); err == nil {
			t.Errorf("%s: verified: %+v", name, v)
		}
	}
}

func TestAWriterRefusesWhatNoReaderTakes(t *testing.T) {
	if _, err := beacon.NewWriter(io.Discard, beacon.Head{}); err == nil {
		t.Error("epoch 0")
	}
	w, err := beacon.NewWriter(io.Discard, beacon.Head{Epoch: 2})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Close(nil); err == nil {
		t.Error("a record is missing")
	}
	if w, err = beacon.NewWriter(io.Discard, beacon.Head{Epoch: 1}); err != nil {
		t.Fatal(err)
	}
	if err := w.Link(beacon.Link{}); err == nil {
		t.Error("a record too many")
	}
}

// Memory follows what is there, not what a length claims.
func TestClaimedLengthsAreBounded(t *testing.T) {
	file := join(t, beacon.Head{Chain: chain.Hash{1}, Epoch: 2}, nil, beacon.Link{})
	head := len(file) - 12
	for _, at := range []int{head, head + 4, head + 8} {
		bad := bytes.Clone(file)
		copy(bad[at:], []byte{0xff, 0xff, 0xff, 0xff})
		f, err := beacon.NewReader(bytes.NewReader(bad))
		if err != nil {
			t.Fatal(err)
		}
		if _, err = f.Next(); err == nil {
			_, err = f.Transcript()
		}
		if !errors.Is(err, beacon.ErrFile) {
			t.Errorf("a length of 2^32-1 at %d: %v", at, err)
		}
	}
}

// FuzzFile: what is read is written with the same bytes.
func FuzzFile(f *testing.F) {
	n := beacontest.New(scheme, 4, 0)
	f.Add(n.File())
	n.Epoch()
	f.Add(n.File())
	n.Void()
	f.Add(n.File())
	f.Fuzz(func(t *testing.T, raw []byte) {
		beacon.Verify(bytes.NewReader(raw), n.Genesis, scheme)
		r, err := beacon.NewReader(bytes.NewReader(raw))
		if err != nil {
			return
		}
		var b bytes.Buffer
		w, err := beacon.NewWriter(&b, r.Head)
		if err != nil {
			t.Fatal(err)
		}
		for {
			l, err := r.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				return
			}
			if err := w.Link(l); err != nil {
				t.Fatal(err)
			}
		}
		transcript, err := r.Transcript()
		if err != nil {
			return
		}
		if err := w.Close(transcript); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(b.Bytes(), raw) {
			t.Fatal("what was read is written with other bytes")
		}
	})
}
