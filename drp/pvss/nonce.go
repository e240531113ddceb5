package pvss

import (
	"crypto/sha512"
	"fmt"
	"io"
)

// source makes secret scalars out of a secret key, fresh random bytes and a
// statement. Each of the three is enough to keep two statements' scalars apart.
type source struct {
	key   [KeySize]byte
	fresh [32]byte
}

func newSource(key SecretKey, random io.Reader) (s source, err error) {
	x, err := key.number()
	if err != nil {
		return s, err
	}
	x.Zero()
	s.key = *key.reveal()
	if _, err := io.ReadFull(random, s.fresh[:]); err != nil {
		return s, fmt.Errorf("pvss: reading randomness: %w", err)
	}
	return s, nil
}

// scalar is the i-th scalar for a purpose and a statement.
func (s *source) scalar(tag string, statement []byte, i int) number {
	w := newWriter(sha512.New(), tag)
	w.Write(s.key[:])
	w.Write(s.fresh[:])
	w.number(len(statement))
	w.Write(statement)
	w.number(i)
	return w.challenge()
}

func (s *source) wipe() { *s = source{} }

func wipe(list []number) { clear(list) }
