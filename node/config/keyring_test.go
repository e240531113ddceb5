package config

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"ios/chain/sig"
	"ios/transepoch/identity"
)

func newHome(t *testing.T) (Home, *Keys) {
	t.Helper()
	h := Home(t.TempDir())
	k, err := NewKeys()
	if err != nil {
		t.Fatal(err)
	}
	if err := h.SaveKeys(k); err != nil {
		t.Fatal(err)
	}
	return h, k
}

func ringOf(t *testing.T, h Home) *Keyring {
	t.Helper()
	r, err := h.LoadKeyring()
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// files are those with keys in a home.
func files(t *testing.T, h Home) (names []string) {
	t.Helper()
	list, err := filepath.Glob(filepath.Join(string(h), "keys*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range list {
		info, err := os.Stat(f)
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, mode %v", f, err, info.Mode())
		}
		names = append(names, filepath.Base(f))
	}
	return names
}

// Keys are replaced twice: a process that runs finds those that another one made, and
// deletes old ones when they are not used any more.
func TestKeysFollowEachOther(t *testing.T) {
	h, first := newHome(t)
	running, command := ringOf(t, h), ringOf(t, h)
	one := first.Signing.Public()
	second, err := command.Successor(one)
	if err != nil {
		t.Fatal(err)
	}
	two := second.Signing.Public()
	if two == one || second.VRF.Public() == first.VRF.Public() || second.PVSS.Equal(first.PVSS) || second.Cosi.Equal(first.Cosi) || !slices.Equal(second.Identity, first.Identity) {
		t.Error("not all keys but the identity are new")
	}
	if again, err := ringOf(t, h).Successor(one); err != nil || again.Signing.Public() != two {
		t.Error("a command that is given again makes other keys:", err)
	}
	for _, want := range []sig.PublicKey{two, one} {
		if k, err := running.Find(want); err != nil || k.Signing.Public() != want {
			t.Error("the process does not find keys:", err)
		}
	}
	if _, err := running.Find(sig.PublicKey{1}); err == nil {
		t.Error("keys of nobody")
	}
	third, err := command.Successor(two)
	if err != nil {
		t.Fatal(err)
	}
	if list := files(t, h); !slices.Equal(list, []string{"keys-1.toml", "keys-2.toml", "keys.toml"}) {
		t.Error(list)
	}
	if got := command.Signing(); len(got) != 3 || got[0] != third.Signing.Public() || got[2] != one {
		t.Error("the newest first:", got)
	}

	if _, err := running.Find(third.Signing.Public()); err != nil {
		t.Error(err)
	}
	if n, err := running.Retire(third.Signing.Public(), func(k sig.PublicKey) bool { return k == one }); n != 0 || err != nil || len(files(t, h)) != 3 {
		t.Error("keys that are used are deleted:", n, err)
	}
	if n, err := running.Retire(two, func(sig.PublicKey) bool { return false }); n != 1 || err != nil {
		t.Error(n, err)
	}
	if list := files(t, h); !slices.Equal(list, []string{"keys-2.toml", "keys.toml"}) {
		t.Error("those that are to come stay:", list)
	}
	for _, r := range []*Keyring{running, ringOf(t, h)} {
		if got := r.Signing(); len(got) != 2 || got[0] != third.Signing.Public() || got[1] != two {
			t.Error(got)
		}
	}
}

// A crash while old keys are deleted leaves those that count.
func TestACrashWhileKeysAreDeleted(t *testing.T) {
	h, first := newHome(t)
	r := ringOf(t, h)
	second, err := r.Successor(first.Signing.Public())
	if err != nil {
		t.Fatal(err)
	}
	third, err := r.Successor(second.Signing.Public())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(h.numbered(1)); err != nil { // and there it was killed
		t.Fatal(err)
	}
	r = ringOf(t, h)
	if n, err := r.Retire(third.Signing.Public(), func(sig.PublicKey) bool { return false }); n != 1 || err != nil {
		t.Error(n, err)
	}
	if list := files(t, h); !slices.Equal(list, []string{"keys.toml"}) || r.Oldest().Signing.Public() != third.Signing.Public() {
		t.Error(list)
	}
}

func TestARingOfTwoValidatorsIsNone(t *testing.T) {
	h, _ := newHome(t)
	other, k := newHome(t)
	if err := os.Rename(other.KeysFile(), h.numbered(4)); err != nil {
		t.Fatal(err)
	}
	if _, err := h.LoadKeyring(); err == nil || !strings.Contains(err.Error(), "identity key") {
		t.Error(err)
	}
	if _, err := NewKeyring(k, k); err != nil {
		t.Error(err)
	}
}

func TestTheRegistryTakesNewKeys(t *testing.T) {
	s, g, keys, _ := registry(t)
	ring, err := NewKeyring(keys[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := ring.Owns(&g.Validators[0]); err != nil {
		t.Error(err)
	}
	if err := ring.Owns(&g.Validators[1]); err == nil {
		t.Error("it owns another's registration")
	}
	next, err := NewKeys()
	if err != nil {
		t.Fatal(err)
	}
	next.Identity = keys[0].Identity
	v, err := next.Validator("a", "a:7600", "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := keys[0].Rotate(g.ID(), 0, 0, keys[0], v); err == nil {
		t.Error("a registration of other keys")
	}
	op, err := keys[0].Rotate(g.ID(), 0, 0, next, v)
	if err != nil {
		t.Fatal(err)
	}
	if why := apply(t, s, g, op); why != identity.Done {
		t.Fatalf("the rotation: %s", why)
	}
	if st, ok := s.Validator(0); !ok || st.Rotation == nil || st.Rotation.Signing != v.Signing || st.Validator.Signing != keys[0].Signing.Public() {
		t.Errorf("%+v", st)
	}
}
