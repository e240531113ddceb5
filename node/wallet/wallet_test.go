package wallet

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"ios/chain"
)

// cheap makes scrypt cost nothing.
var cheap = Options{WorkFactor: 1}

var testNetwork = Network{Name: "test", Chain: chain.Hash{1}, Prefix: chain.PrefixTest, Shards: 4}

func create(t testing.TB, dir string) *Wallet {
	t.Helper()
	w, err := Create(dir, "secret", "", testNetwork, cheap)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func TestAWalletComesBack(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "w")
	w := create(t, dir)
	var want []chain.Address
	for s := range 4 {
		k, err := w.NewAddress(s)
		if err != nil || int(k.Address.Shard(4)) != s {
			t.Fatalf("shard %d: %v, %v", s, k, err)
		}
		want = append(want, k.Address)
	}
	again, err := Open(dir, "secret", testNetwork, cheap)
	if err != nil {
		t.Fatal(err)
	}
	for i, k := range again.Keys() {
		if k.Address != want[i] {
			t.Fatalf("address %d is another one", i)
		}
	}
	restored, err := Create(filepath.Join(t.TempDir(), "r"), "other", w.Words(), testNetwork, cheap)
	if err != nil {
		t.Fatal(err)
	}
	for s := range 4 {
		if k, err := restored.NewAddress(s); err != nil || k.Address != want[s] {
			t.Fatalf("the words give another address in shard %d: %v", s, err)
		}
	}
	for name, mode := range map[string]os.FileMode{".": 0o700, fileName: 0o600, "lock": 0o600} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
	}
}

func TestRefusals(t *testing.T) {
	dir := t.TempDir()
	w := create(t, dir)
	if _, err := Create(dir, "secret", "", testNetwork, cheap); !errors.Is(err, ErrExists) {
		t.Errorf("a second wallet: %v", err)
	}
	if _, err := Create(t.TempDir(), "", "", testNetwork, cheap); !errors.Is(err, ErrPassphrase) {
		t.Errorf("an empty passphrase: %v", err)
	}
	if _, err := Open(t.TempDir(), "secret", testNetwork, cheap); !errors.Is(err, ErrNoWallet) {
		t.Errorf("no wallet: %v", err)
	}
	if _, err := Open(dir, "guess", testNetwork, cheap); !errors.Is(err, ErrPassphrase) || !strings.Contains(err.Error(), "does not open") {
		t.Errorf("a wrong passphrase: %v", err)
	}
	if _, err := Open(dir, "", testNetwork, cheap); !errors.Is(err, ErrPassphrase) || !strings.Contains(err.Error(), "opens no wallet") {
		t.Errorf("no passphrase: %v", err)
	}
	other := testNetwork
	other.Chain[0]++
	if _, err := Open(dir, "secret", other, cheap); !errors.Is(err, chain.ErrWrongChain) {
		t.Errorf("another network: %v", err)
	}
	if _, err := w.NewAddress(4); !errors.Is(err, chain.ErrWrongShard) || !strings.Contains(err.Error(), "shards 0 to 3") {
		t.Errorf("a shard that does not exist: %v", err)
	}
}

// TestADamagedFileIsNoWallet changes each byte of the file.
func TestADamagedFileIsNoWallet(t *testing.T) {
	dir := t.TempDir()
	create(t, dir)
	path := filepath.Join(dir, fileName)
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := range good {
		bad := bytes.Clone(good)
		bad[i] ^= 1
		if err := os.WriteFile(path, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(dir, "secret", testNetwork, cheap); err == nil {
			t.Fatalf("byte %d was changed, and the wallet opens", i)
		} else if !errors.Is(err, ErrDamaged) && !errors.Is(err, ErrPassphrase) {
			t.Fatalf("byte %d: %v", i, err)
		} else if errors.Is(err, ErrDamaged) && !strings.Contains(err.Error(), path) {
			t.Fatalf("byte %d: the file is not named: %v", i, err)
		}
	}
}

// TestTwoProgramsShareAWallet: both take addresses into use, none gets lost,
// none is given out twice.
func TestTwoProgramsShareAWallet(t *testing.T) {
	dir := t.TempDir()
	create(t, dir)
	got := make(chan chain.Address, 20)
	var wait sync.WaitGroup
	for range 2 {
		w, err := Open(dir, "secret", testNetwork, cheap)
		if err != nil {
			t.Fatal(err)
		}
		wait.Go(func() {
			for range 10 {
				k, err := w.NewAddress(AnyShard)
				if err != nil {
					t.Error(err)
					return
				}
				got <- k.Address
			}
		})
	}
	wait.Wait()
	close(got)
	seen := map[chain.Address]bool{}
	for a := range got {
		if seen[a] {
			t.Fatal("an address was given out twice")
		}
		seen[a] = true
	}
	w, err := Open(dir, "secret", testNetwork, cheap)
	if err != nil || len(w.Keys()) != 20 {
		t.Fatalf("%d addresses, %v", len(w.Keys()), err)
	}
}

func TestAWalletDoesNotPrintItsSecrets(t *testing.T) {
	w := create(t, t.TempDir())
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		if s := fmt.Sprintf(verb, w); strings.Contains(s, "secret") || strings.Contains(s, strings.Fields(w.Words())[0]+" ") {
			t.Errorf("%s prints %s", verb, s)
		}
	}
}

func TestTheJournalSurvivesATornLine(t *testing.T) {
	j := &journal{dir: t.TempDir()}
	add := func(id byte, verdict string) {
		t.Helper()
		l := &line{ID: chain.TxID{id}, Time: time.Unix(int64(id), 0), Verdict: verdict}
		if verdict == "" {
			l.Tx, l.To, l.Amount, l.Fee = []byte{id}, "somebody", 5, 1
		}
		if err := j.append(l); err != nil {
			t.Fatal(err)
		}
	}
	check := func(want ...string) {
		t.Helper()
		all, err := j.read()
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, s := range all {
			got = append(got, fmt.Sprintf("%d %s", s.ID[0], s.Verdict))
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Fatalf("%v, %v is wanted", got, want)
		}
	}
	check()
	add(1, "")
	add(2, "")
	add(1, VerdictCommitted)
	check("1 committed", "2 open")
	whole, err := os.ReadFile(j.path())
	if err != nil {
		t.Fatal(err)
	}
	last := bytes.LastIndexByte(whole[:len(whole)-1], '\n') + 1
	for cut := last; cut < len(whole); cut++ { // the last line is the verdict
		if err := os.WriteFile(j.path(), whole[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		check("1 open", "2 open")
		add(3, "")
		check("1 open", "2 open", "3 open")
	}
	if err := os.WriteFile(j.path(), append(bytes.Clone(whole), "garbage\n"...), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := j.read(); !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), "line 4") {
		t.Fatalf("garbage: %v", err)
	}
}

func FuzzJournal(f *testing.F) {
	f.Add([]byte(`{"tx":"AA==","id":"` + strings.Repeat("00", 32) + `","time":"2026-01-02T03:04:05Z"}` + "\n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		j := &journal{dir: t.TempDir()}
		if err := os.WriteFile(j.path(), raw, 0o600); err != nil {
			t.Fatal(err)
		}
		before, err := j.read()
		if err != nil {
			return
		}
		if err := j.append(&line{Tx: []byte{1}, ID: chain.TxID{0xfe, 0xdc}, Time: time.Unix(1, 0)}); err != nil {
			t.Skip(err)
		}
		after, err := j.read()
		if err != nil || len(after) < len(before) {
			t.Fatalf("%d transfers, then %d, %v", len(before), len(after), err)
		}
	})
}

// FuzzContent: what decrypts is hostile all the same.
func FuzzContent(f *testing.F) {
	f.Add([]byte(`{"version":1}`))
	f.Fuzz(func(t *testing.T, plain []byte) {
		if c, err := parse(plain); err == nil && c.check() != nil {
			t.Fatal("a content that breaks a rule was taken")
		}
	})
}

// A wallet that was made before its network has the addresses that it has later,
// and belongs to the first network that it is opened on, and no other.
func TestAWalletIsOlderThanItsNetwork(t *testing.T) {
	dir := t.TempDir()
	w, err := Create(dir, "secret", "", AnyNetwork(chain.PrefixTest), cheap)
	if err != nil {
		t.Fatal(err)
	}
	k, err := w.NewAddress(AnyShard)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.NewAddress(0); !errors.Is(err, chain.ErrWrongShard) {
		t.Errorf("an address in a shard of no network: %v", err)
	}
	r := &Remote{Genesis: &chain.Genesis{Name: "test"}, Params: chain.NewParams(testNetwork.Chain, chain.PrefixTest, 4, 1)}
	_, balance := w.Balance(t.Context(), r)
	_, prepare := w.Prepare(t.Context(), r, k.Address.Text(chain.PrefixTest), 1, 1)
	_, recover := w.Recover(t.Context(), r)
	for _, err := range []error{balance, prepare, recover} {
		if !errors.Is(err, chain.ErrWrongChain) {
			t.Errorf("used without a network: %v", err)
		}
	}
	main := testNetwork
	main.Prefix = chain.PrefixMain
	if _, err := Open(dir, "secret", main, cheap); !errors.Is(err, chain.ErrWrongChain) || !strings.Contains(err.Error(), "iost1") {
		t.Errorf("a network with other addresses: %v", err)
	}
	unbound, err := Open(dir, "secret", Network{}, cheap)
	if err != nil || unbound.Network() != AnyNetwork(chain.PrefixTest) {
		t.Fatalf("without a network: %v", err)
	}
	bound, err := Open(dir, "secret", testNetwork, cheap)
	if err != nil || len(bound.Keys()) != 1 || bound.Keys()[0].Address != k.Address || bound.Words() != w.Words() {
		t.Fatalf("on its network: %v", err)
	}
	if _, err := bound.NewAddress(3); err != nil {
		t.Error(err)
	}
	if _, err := Open(dir, "", testNetwork, cheap); !errors.Is(err, ErrPassphrase) || !strings.Contains(err.Error(), "opens no wallet") {
		t.Errorf("no passphrase: %v", err)
	}
	other := testNetwork
	other.Chain[0]++
	if _, err := Open(dir, "secret", other, cheap); !errors.Is(err, chain.ErrWrongChain) {
		t.Errorf("a second network: %v", err)
	}
	again, err := Open(dir, "secret", Network{}, cheap)
	if err != nil || again.Network().Chain != testNetwork.Chain || len(again.Keys()) != 2 {
		t.Fatalf("without naming the network: %v", err)
	}
	if _, err := Create(t.TempDir(), "secret", "", AnyNetwork("btc"), cheap); !errors.Is(err, ErrDamaged) {
		t.Errorf("a prefix of nothing: %v", err)
	}
}

// Of two programs that open a wallet on two networks for the first time, one wins.
func TestAWalletIsBoundOnce(t *testing.T) {
	dir := t.TempDir()
	if _, err := Create(dir, "secret", "", AnyNetwork(chain.PrefixTest), cheap); err != nil {
		t.Fatal(err)
	}
	errs := make(chan error, 8)
	for i := range cap(errs) {
		n := testNetwork
		n.Chain = chain.Hash{byte(i + 1)}
		go func() {
			_, err := Open(dir, "secret", n, cheap)
			errs <- err
		}()
	}
	won := 0
	for range cap(errs) {
		if err := <-errs; err == nil {
			won++
		} else if !errors.Is(err, chain.ErrWrongChain) {
			t.Error(err)
		}
	}
	if won != 1 {
		t.Errorf("%d networks have the wallet", won)
	}
}
