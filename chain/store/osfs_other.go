//go:build !linux

package store

// WriteVec writes the buffers one by one.
func (f *osFile) WriteVec(bufs [][]byte, off int64) (int64, error) {
	var done int64
	for _, b := range bufs {
		n, err := f.WriteAt(b, off+done)
		done += int64(n)
		if err != nil {
			return done, err
		}
	}
	return done, nil
}

// Preallocate does nothing where the system has no fallocate: the room is an
// optimisation, the log does not depend on it.
func (f *osFile) Preallocate(int64) error { return nil }

// DataEnd calls all data.
func (f *osFile) DataEnd() (int64, error) { return f.Size() }
