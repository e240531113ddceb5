package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// WriteFile replaces path atomically and durably: the content is synced before
// it takes the name, and the name before WriteFile returns.
func WriteFile(path string, content []byte, perm fs.FileMode) error {
	return writeFile(path, content, perm, os.Rename)
}

// writeFile gives the synced content its name by means of put.
func writeFile(path string, content []byte, perm fs.FileMode, put func(tmp, path string) error) (err error) {
	dir := filepath.Dir(path)
	tmp, err := os.CreateTemp(dir, "."+filepath.Base(path)+".*")
	if err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	defer func() {
		if err != nil {
			tmp.Close()
			os.Remove(tmp.Name())
			err = fmt.Errorf("writing %s: %w", path, err)
		}
	}()
	if err = tmp.Chmod(perm); err != nil {
		return err
	}
	if _, err = tmp.Write(content); err != nil {
		return err
	}
	if err = tmp.Sync(); err != nil {
		return err
	}
	if err = tmp.Close(); err != nil {
		return err
	}
	if err = put(tmp.Name(), path); err != nil {
		return err
	}
	return syncDir(dir)
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// CreateFile is WriteFile for a file that must not exist yet. Of two that create
// it at once, one fails.
func CreateFile(path string, content []byte, perm fs.FileMode) error {
	err := writeFile(path, content, perm, func(tmp, path string) error {
		if err := os.Link(tmp, path); err != nil {
			return err
		}
		return os.Remove(tmp)
	})
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("writing %s: %w; it is not overwritten, move it away first", path, fs.ErrExist)
	}
	return err
}

// readFile reads a file of at most limit bytes.
func readFile(path string, limit int64) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	switch {
	case info.IsDir():
		return nil, fmt.Errorf("%s: it is a directory, a file is wanted", path)
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s: it is no regular file", path)
	case info.Size() > limit:
		return nil, fmt.Errorf("%s: it has %d bytes, and at most %d are allowed", path, info.Size(), limit)
	}
	return os.ReadFile(path)
}
