//go:build unix

package store

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestMain lets the test binary be the second process of a test.
func TestMain(m *testing.M) {
	switch role, dir := os.Getenv("STORE_TEST_ROLE"), os.Getenv("STORE_TEST_DIR"); role {
	case "":
		os.Exit(m.Run())
	case "lock":
		holdLock(dir)
	case "append":
		appendForever(dir)
	}
}

func child(t *testing.T, role, dir string) (*exec.Cmd, *bufio.Scanner) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "STORE_TEST_ROLE="+role, "STORE_TEST_DIR="+dir)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe() // the child ends when this process does
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		cmd.Process.Kill()
		cmd.Wait()
	})
	return cmd, bufio.NewScanner(out)
}

func holdLock(dir string) {
	_, err := AcquireLock(dir, time.Unix(1e9, 0))
	fmt.Println("lock:", err)
	io.Copy(io.Discard, os.Stdin)
}

// Two processes never use one directory, the second is told who does, and a
// holder that is killed leaves nothing that has to be cleared away.
func TestOneProcessPerDirectory(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	first, out := child(t, "lock", dir)
	if !out.Scan() || out.Text() != "lock: <nil>" {
		t.Fatalf("the first process: %q", out.Text())
	}
	_, err := AcquireLock(dir, time.Now())
	var locked *LockedError
	if !errors.As(err, &locked) || !strings.Contains(err.Error(), fmt.Sprintf("pid %d since 2001-09-09T01:46:40Z", first.Process.Pid)) {
		t.Fatalf("the second process: %v", err)
	}
	_, out2 := child(t, "lock", dir)
	if !out2.Scan() || !strings.Contains(out2.Text(), fmt.Sprintf("pid %d", first.Process.Pid)) {
		t.Fatalf("the third process: %q", out2.Text())
	}
	first.Process.Kill()
	first.Wait()
	l, err := AcquireLock(dir, time.Now())
	if err != nil {
		t.Fatalf("after the holder was killed: %v", err)
	}
	for name, mode := range map[string]os.FileMode{dir: 0o700, filepath.Join(dir, lockName): 0o600} {
		if st, err := os.Stat(name); err != nil || st.Mode().Perm() != mode {
			t.Errorf("%s has mode %v, %v", name, st.Mode().Perm(), err)
		}
	}
	if err := l.Release(); err != nil {
		t.Fatal(err)
	}
	if l, err = AcquireLock(dir, time.Now()); err != nil {
		t.Fatal(err)
	}
	l.Release()
}

func TestLockClosesADirectoryThatIsOpenToOthers(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	l, err := AcquireLock(dir, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	defer l.Release()
	if st, _ := os.Stat(dir); st.Mode().Perm() != 0o700 {
		t.Errorf("mode %v", st.Mode().Perm())
	}
}

// appendForever appends numbered records and prints how many are durable.
func appendForever(dir string) {
	go func() {
		io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	l, err := OpenLog(dir, Options{SegmentSize: 100_000})
	if err != nil {
		fmt.Println("error:", err)
		return
	}
	n := 0
	l.Scan(0, func(uint64, Record) error { n++; return nil })
	for {
		n++
		count := n
		err := l.Append(Batch{Records: []Record{numbered(n-1, 8*((n-1)%700))}, Done: func(_ []uint64, err error) {
			fmt.Println(count, err)
		}})
		if err != nil {
			fmt.Println("error:", err)
		}
	}
}

// A process that is killed at any moment loses nothing that it acknowledged.
func TestLogSurvivesKills(t *testing.T) {
	dir := t.TempDir()
	r := rand.New(rand.NewPCG(3, 4))
	for range 6 {
		cmd, out := child(t, "append", dir)
		acked := 0
		for range 1 + r.IntN(300) {
			if !out.Scan() {
				t.Fatal("the process ended by itself")
			}
			if _, err := fmt.Sscanf(out.Text(), "%d <nil>", &acked); err != nil {
				t.Fatalf("%q: %v", out.Text(), err)
			}
		}
		cmd.Process.Kill()
		for out.Scan() { // acknowledged before it died
			fmt.Sscanf(out.Text(), "%d <nil>", &acked)
		}
		cmd.Wait()
		l := openLog(t, dir, Options{SegmentSize: 100_000})
		_, recs := contents(t, l)
		if len(recs) < acked {
			t.Fatalf("%d records of the %d acknowledged: %v", len(recs), acked, l.Recovered())
		}
		for n, rec := range recs {
			if want := numbered(n, 8*(n%700)); rec.Kind != want.Kind || !bytes.Equal(rec.Data, want.Data) {
				t.Fatalf("record %d is not what was written", n)
			}
		}
		l.Close()
	}
}

// All files are for their owner only.
func TestFilesAreNotForOthers(t *testing.T) {
	dir := t.TempDir()
	l := openLog(t, dir+"/log", Options{})
	defer l.Close()
	s, err := OpenSnapshots(dir+"/snap", nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Write(1, func(w io.Writer) error { return nil }); err != nil {
		t.Fatal(err)
	}
	x, err := OpenIndex(dir+"/index.db", IndexOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	ids, err := OpenIDs(dir+"/ids", IDsOptions{})
	if err != nil {
		t.Fatal(err)
	}
	AddBlock(ids, 1, [][32]byte{{1}})
	ids.Close()
	files := 0
	filepath.Walk(dir, func(path string, st os.FileInfo, err error) error {
		if path == dir || err != nil {
			return err
		}
		if want := map[bool]os.FileMode{true: 0o700, false: 0o600}[st.IsDir()]; st.Mode().Perm() != want {
			t.Errorf("%s has mode %v", path, st.Mode())
		}
		files++
		return nil
	})
	if files < 7 {
		t.Errorf("only %d files", files)
	}
}
