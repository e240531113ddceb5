package node

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"ios/node/api"
)

func TestScansTakeTurnsAndRest(t *testing.T) {
	s := newScans()
	var mu sync.Mutex
	var last time.Time // when the last scan ended
	var took time.Duration
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			err := s.do(t.Context(), nil, func() (time.Duration, error) {
				if !mu.TryLock() {
					t.Error("two scans at a time")
					return 0, nil
				}
				defer mu.Unlock()
				began := time.Now()
				if rested := began.Sub(last); !last.IsZero() && rested < scanRest*took {
					t.Errorf("a scan of %v was followed by one after %v", took, rested)
				}
				for time.Since(began) < 5*time.Millisecond { // work
				}
				took, last = time.Since(began), time.Now()
				return took, nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
}

func TestScansThatWaitAreBounded(t *testing.T) {
	s := newScans()
	ctx, cancel := context.WithCancel(t.Context())
	begun, release := make(chan struct{}), make(chan struct{})
	var all sync.WaitGroup
	all.Go(func() {
		s.do(ctx, nil, func() (time.Duration, error) { close(begun); <-release; return 0, nil })
	})
	<-begun
	errs := make(chan error, scanQueue+1)
	for range scanQueue { // one of them is too many
		all.Go(func() {
			errs <- s.do(ctx, nil, func() (time.Duration, error) { t.Error("it was not its turn"); return 0, nil })
		})
	}
	if err := <-errs; !errors.Is(err, api.ErrBusy) {
		t.Error("beyond the bound:", err)
	}
	cancel()
	for range scanQueue - 1 {
		if err := <-errs; !errors.Is(err, context.Canceled) {
			t.Error("given up:", err)
		}
	}
	close(release)
	all.Wait()
	stopped := make(chan struct{})
	s.turn <- struct{}{}
	close(stopped)
	if err := s.do(t.Context(), stopped, nil); !errors.Is(err, errStopping) {
		t.Error("at the end:", err)
	}
}
