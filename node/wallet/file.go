package wallet

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"filippo.io/age"

	"ios/chain"
)

const (
	fileName    = "wallet.age"
	fileVersion = 1
	maxFile     = 4 << 20 // bytes
	// MaxAddresses bounds the addresses of one wallet.
	MaxAddresses = 10_000
	// DefaultWorkFactor makes a guess at the passphrase cost about a second.
	DefaultWorkFactor = 18
	maxWorkFactor     = 22 // a hostile file must not take minutes
)

// content is what the file holds.
type content struct {
	Version int        `json:"version"`
	Network string     `json:"network"`
	Chain   chain.Hash `json:"chain_id"`
	Prefix  string     `json:"prefix"`
	Words   string     `json:"words"`
	Indexes []uint32   `json:"indexes"` // of the addresses in use, ascending
}

func (c *content) check() error {
	damaged := func(format string, args ...any) error { return chain.Rule(ErrDamaged, format, args...) }
	switch {
	case c.Version != fileVersion:
		return damaged("the wallet file has version %d, this program reads version %d; use the program that wrote it, or restore from the words", c.Version, fileVersion)
	case c.Prefix != chain.PrefixMain && c.Prefix != chain.PrefixTest:
		return damaged("the wallet file names network prefix %q", c.Prefix)
	case len(c.Indexes) > MaxAddresses:
		return damaged("the wallet file has %d addresses, at most %d are allowed", len(c.Indexes), MaxAddresses)
	}
	for i, n := range c.Indexes {
		if n >= hardened || i > 0 && n <= c.Indexes[i-1] {
			return damaged("the addresses of the wallet file are out of order")
		}
	}
	words, err := CheckWords(c.Words)
	if err != nil || words != c.Words {
		return damaged("the words of the wallet file are wrong: %v", err)
	}
	return nil
}

// encrypt is the file for a content.
func encrypt(c *content, passphrase string, workFactor int) ([]byte, error) {
	plain, err := json.Marshal(c)
	if err != nil {
		return nil, err
	}
	defer clear(plain)
	recipient, err := age.NewScryptRecipient(passphrase)
	if err != nil {
		return nil, chain.Rule(ErrPassphrase, "%v", err)
	}
	recipient.SetWorkFactor(workFactor)
	var buf bytes.Buffer
	w, err := age.Encrypt(&buf, recipient)
	if err != nil {
		return nil, fmt.Errorf("encrypting the wallet: %w", err)
	}
	if _, err := w.Write(plain); err != nil {
		return nil, fmt.Errorf("encrypting the wallet: %w", err)
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("encrypting the wallet: %w", err)
	}
	return buf.Bytes(), nil
}

// decrypt opens a file. A wrong passphrase is ErrPassphrase; what is not as it
// was written is ErrDamaged.
func decrypt(file []byte, passphrase string) (*content, error) {
	if passphrase == "" {
		return nil, chain.Rule(ErrPassphrase, "an empty passphrase opens no wallet; give the one that it was made with")
	}
	identity, err := age.NewScryptIdentity(passphrase)
	if err != nil {
		return nil, chain.Rule(ErrPassphrase, "%v", err)
	}
	identity.SetMaxWorkFactor(maxWorkFactor)
	r, err := age.Decrypt(bytes.NewReader(file), identity)
	var none *age.NoIdentityMatchError
	switch {
	case errors.As(err, &none):
		return nil, chain.Rule(ErrPassphrase, "the passphrase does not open the wallet; try again, or restore the wallet from its words")
	case err != nil:
		return nil, chain.Rule(ErrDamaged, "the wallet file cannot be decrypted: %v; move it away and restore the wallet from its words", err)
	}
	plain, err := io.ReadAll(io.LimitReader(r, maxFile))
	defer clear(plain)
	if err != nil {
		return nil, chain.Rule(ErrDamaged, "the wallet file is not as it was written: %v; move it away and restore the wallet from its words", err)
	}
	return parse(plain)
}

func parse(plain []byte) (*content, error) {
	d := json.NewDecoder(bytes.NewReader(plain))
	d.DisallowUnknownFields()
	c := new(content)
	if err := d.Decode(c); err != nil {
		return nil, chain.Rule(ErrDamaged, "the wallet file holds no wallet: %v", err)
	}
	return c, c.check()
}

// readFile reads the wallet file and what tells its versions apart.
func readFile(dir string) ([]byte, fs.FileInfo, error) {
	path := filepath.Join(dir, fileName)
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, chain.Rule(ErrNoWallet, "there is no wallet in %s; make one first", dir)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("opening the wallet: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, nil, fmt.Errorf("opening the wallet: %w", err)
	}
	if !info.Mode().IsRegular() || info.Size() > maxFile {
		return nil, nil, chain.Rule(ErrDamaged, "%s is no wallet: a file of at most %d bytes is wanted", path, maxFile)
	}
	raw, err := io.ReadAll(io.LimitReader(f, maxFile))
	return raw, info, err
}

// writeFile replaces the wallet file atomically.
func writeFile(dir string, raw []byte) (fs.FileInfo, error) {
	path := filepath.Join(dir, fileName)
	tmp, err := os.CreateTemp(dir, "."+fileName+".*") // mode 0600
	if err != nil {
		return nil, fmt.Errorf("writing the wallet: %w", err)
	}
	defer os.Remove(tmp.Name()) // there only if something failed
	_, err = tmp.Write(raw)
	if err == nil {
		err = tmp.Sync()
	}
	err = errors.Join(err, tmp.Close())
	if err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err == nil {
		err = syncDir(dir)
	}
	if err != nil {
		return nil, fmt.Errorf("writing %s: %w; the wallet is as it was before", path, err)
	}
	return os.Stat(path)
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// same reports whether two looks at a file saw the same version.
func same(a, b fs.FileInfo) bool {
	return os.SameFile(a, b) && a.ModTime().Equal(b.ModTime()) && a.Size() == b.Size()
}

// insert puts an index into its place.
func insert(list []uint32, n uint32) []uint32 {
	at, found := slices.BinarySearch(list, n)
	if found {
		return list
	}
	return slices.Insert(list, at, n)
}
