package store

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"path/filepath"
	"strconv"
	"strings"
)

// A run's file is a head page and pages of entries in ascending order:
//
//	head:  "iosids" | version u16 | from u64 | to u64 | entries u64 | crc32c u32 | zeros
//	page:  340 × (prefix u64 | height above from u32) | zeros | crc32c u32
//
// all big-endian. A page's checksum is over the head's fields, the page's number
// and its bytes. The last page is filled up with zeros.
const (
	runMagic    = "iosids\x00\x01"
	runExt      = ".run"
	runPage     = 4096
	runEntry    = 12
	runEntries  = (runPage - 4) / runEntry // of a page
	runHeadSize = 36
)

type runHead struct{ from, to, count uint64 }

func (h runHead) pages() uint64 { return (h.count + runEntries - 1) / runEntries }

func (h runHead) encode() []byte {
	b := append(make([]byte, 0, runPage), runMagic...)
	b = binary.BigEndian.AppendUint64(b, h.from)
	b = binary.BigEndian.AppendUint64(b, h.to)
	b = binary.BigEndian.AppendUint64(b, h.count)
	b = binary.BigEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
	return b[:runPage]
}

func parseRunHead(b []byte) (h runHead, err error) {
	if len(b) != runPage || string(b[:8]) != runMagic {
		return h, errors.New("not a run of this version")
	}
	h = runHead{binary.BigEndian.Uint64(b[8:]), binary.BigEndian.Uint64(b[16:]), binary.BigEndian.Uint64(b[24:])}
	if string(h.encode()) != string(b) {
		return h, errors.New("its head has a wrong checksum")
	}
	if h.to < h.from || h.to-h.from > maxSpan || h.count > 1<<50 {
		return h, fmt.Errorf("heights %d to %d with %d entries make no run", h.from, h.to, h.count)
	}
	return h, nil
}

// pageSum is the checksum of a page's content.
func (h runHead) pageSum(page uint64, content []byte) uint32 {
	var b [32]byte
	binary.BigEndian.PutUint64(b[0:], h.from)
	binary.BigEndian.PutUint64(b[8:], h.to)
	binary.BigEndian.PutUint64(b[16:], h.count)
	binary.BigEndian.PutUint64(b[24:], page)
	return crc32.Update(crc32.Checksum(b[:], castagnoli), castagnoli, content)
}

// inPage is how many entries a page has.
func (h runHead) inPage(page uint64) int { return int(min(h.count-page*runEntries, runEntries)) }

// checkPage checks a page against its checksum and gives its entries' bytes.
func (h runHead) checkPage(page uint64, b []byte) (entries []byte, err error) {
	if len(b) != runPage || page >= h.pages() {
		return nil, errors.New("not a page")
	}
	content := b[:runPage-4]
	if h.pageSum(page, content) != binary.BigEndian.Uint32(b[runPage-4:]) {
		return nil, errors.New("wrong checksum")
	}
	return content[:h.inPage(page)*runEntry], nil
}

// entryAt reads the i-th of a page's entries.
func entryAt(entries []byte, i int) idEntry {
	b := entries[i*runEntry:][:runEntry]
	return idEntry{binary.BigEndian.Uint64(b), binary.BigEndian.Uint32(b[8:])}
}

// decodePage checks all that there is to check of a page and appends its
// entries.
func (h runHead) decodePage(page uint64, b []byte, list []idEntry) ([]idEntry, error) {
	entries, err := h.checkPage(page, b)
	if err != nil {
		return nil, err
	}
	var last idEntry
	for i := range len(entries) / runEntry {
		e := entryAt(entries, i)
		if i > 0 && compareIDs(last, e) >= 0 {
			return nil, errors.New("entries out of order")
		}
		if uint64(e.height) > h.to-h.from {
			return nil, errors.New("a height that the run does not have")
		}
		list, last = append(list, e), e
	}
	for _, c := range b[len(entries) : runPage-4] {
		if c != 0 {
			return nil, errors.New("something behind the entries")
		}
	}
	return list, nil
}

func (h runHead) encodePage(page uint64, entries []idEntry) []byte {
	b := make([]byte, 0, runPage)
	for _, e := range entries {
		b = binary.BigEndian.AppendUint64(b, e.prefix)
		b = binary.BigEndian.AppendUint32(b, e.height)
	}
	b = b[:runPage]
	binary.BigEndian.PutUint32(b[runPage-4:], h.pageSum(page, b[:runPage-4]))
	return b
}

// run is an open run.
type run struct {
	runHead
	name string
	file File
}

func runName(dir string, from, to uint64) string {
	return filepath.Join(dir, fmt.Sprintf("%020d-%020d%s", from, to, runExt))
}

func parseRunName(base string) (from, to uint64, err error) {
	text, ok := strings.CutSuffix(base, runExt)
	a, b, ok2 := strings.Cut(text, "-")
	if !ok || !ok2 || len(a) != 20 || len(b) != 20 {
		return 0, 0, fmt.Errorf("%q is not the name of a run", base)
	}
	if from, err = strconv.ParseUint(a, 10, 64); err != nil {
		return 0, 0, err
	}
	to, err = strconv.ParseUint(b, 10, 64)
	return from, to, err
}

// writeRun stores a run whose entries next gives in order, until it says that
// there are no more. count bounds them from above and must be exact.
func writeRun(fs FS, dir string, h runHead, next func() (idEntry, bool, error)) (*run, error) {
	r := &run{runHead: h, name: runName(dir, h.from, h.to)}
	temp := r.name + tempExt
	file, err := fs.Create(temp)
	if err != nil {
		return nil, err
	}
	r.file = file
	if err = r.fill(next); err == nil {
		if err = file.Sync(); err == nil {
			if err = fs.Rename(temp, r.name); err == nil {
				err = fs.SyncDir(dir)
			}
		}
	}
	if err != nil {
		file.Close()
		fs.Remove(temp)
		return nil, fmt.Errorf("writing %s: %w", r.name, err)
	}
	return r, nil
}

func (r *run) fill(next func() (idEntry, bool, error)) error {
	out := bufio.NewWriterSize(&fileWriter{file: r.file}, 64*runPage)
	if _, err := out.Write(r.encode()); err != nil {
		return err
	}
	entries := make([]idEntry, 0, runEntries)
	for page := range r.pages() {
		entries = entries[:0]
		for range r.inPage(page) {
			e, ok, err := next()
			if err != nil {
				return err
			}
			if !ok {
				return errors.New("fewer entries than announced")
			}
			entries = append(entries, e)
		}
		if _, err := out.Write(r.encodePage(page, entries)); err != nil {
			return err
		}
	}
	return out.Flush()
}

// openRun opens a run by its heights and checks its head and its size.
func openRun(fs FS, dir string, from, to uint64) (*run, error) {
	r := &run{name: runName(dir, from, to)}
	file, err := fs.Open(r.name)
	if err != nil {
		return nil, err
	}
	r.file = file
	if err := r.load(from, to); err != nil {
		file.Close()
		return nil, err
	}
	return r, nil
}

func (r *run) load(from, to uint64) error {
	b := make([]byte, runPage)
	if _, err := r.file.ReadAt(b, 0); err != nil && err != io.EOF {
		return fmt.Errorf("reading %s: %w", r.name, err)
	}
	size, err := r.file.Size()
	if err != nil {
		return fmt.Errorf("reading %s: %w", r.name, err)
	}
	h, err := parseRunHead(b)
	switch {
	case err != nil:
		return &CorruptError{File: r.name, Reason: err.Error()}
	case h.from != from || h.to != to:
		return &CorruptError{File: r.name, Reason: fmt.Sprintf("it is of heights %d to %d", h.from, h.to)}
	case uint64(size) != (1+h.pages())*runPage:
		return &CorruptError{File: r.name, Offset: uint64(size), Reason: fmt.Sprintf("it ends here and should at %d", (1+h.pages())*runPage)}
	}
	r.runHead = h
	return nil
}

// read reads and checks a page into buf and gives its entries' bytes.
func (r *run) read(page uint64, buf []byte) (entries []byte, err error) {
	if _, err := r.file.ReadAt(buf, int64(1+page)*runPage); err != nil {
		return nil, fmt.Errorf("reading %s: %w", r.name, err)
	}
	if entries, err = r.checkPage(page, buf); err != nil {
		return nil, r.damaged(page, err)
	}
	return entries, nil
}

func (r *run) damaged(page uint64, err error) error {
	return &CorruptError{File: r.name, Offset: (1 + page) * runPage,
		Reason: err.Error() + " (the directory of ids can be deleted: it is built anew from the log)"}
}
