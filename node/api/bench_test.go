package api

import (
	"fmt"
	"io"
	"net"
	"testing"
	"time"

	"ios/internal/testenv"
)

// BenchmarkSubmit is the cost of one request with one transaction of 265
// bytes. The clients are bare connections that write prepared bytes, so that
// cpu-µs/op is the server's plus their two system calls.
func BenchmarkSubmit(b *testing.B) {
	tx := make([]byte, 265)
	message := append([]byte{0x0a, 0x89, 0x02}, tx...) // SubmitRequest{transactions}
	for _, k := range []struct{ name, head, body string }{
		{"plain", plainHead, string(tx)},
		{"connect", "POST /ios.v1.Ledger/Submit HTTP/1.1\r\nHost: x\r\nContent-Type: application/proto\r\n", string(message)},
	} {
		for _, clients := range []int{1, 64} {
			b.Run(fmt.Sprintf("%s/clients=%d", k.name, clients), func(b *testing.B) {
				r := serve(b, Limits{})
				request := fmt.Appendf(nil, "%sContent-Length: %d\r\n\r\n%s", k.head, len(k.body), k.body)
				size := responseSize(b, r.Addr(), request)
				conns := make([]net.Conn, clients)
				for i := range conns {
					conns[i] = dial(b, r.Addr(), "")
					conns[i].SetDeadline(time.Time{})
				}
				b.ReportAllocs()
				before := testenv.CPU(b)
				b.ResetTimer()
				done := make(chan error)
				for i, c := range conns {
					go func(n int) {
						buf := make([]byte, size)
						for range n {
							if _, err := c.Write(request); err != nil {
								done <- err
								return
							}
							if _, err := io.ReadFull(c, buf); err != nil {
								done <- err
								return
							}
						}
						done <- nil
					}((b.N + i) / clients)
				}
				for range conns {
					if err := <-done; err != nil {
						b.Fatal(err)
					}
				}
				b.StopTimer()
				b.ReportMetric(float64((testenv.CPU(b)-before).Nanoseconds())/1e3/float64(b.N), "cpu-µs/op")
			})
		}
	}
}

// responseSize is the length of the answer, which is the same every time.
func responseSize(b *testing.B, address string, request []byte) int {
	b.Helper()
	c := dial(b, address, string(request))
	buf := make([]byte, 4096)
	n, err := c.Read(buf)
	if err != nil {
		b.Fatal(err)
	}
	return n
}

// BenchmarkPublish is what a block costs with subscribers: 400 outcomes in
// each, which is 20 ms at 20,000 a second.
func BenchmarkPublish(b *testing.B) {
	for _, readers := range []int{0, 1, 8} {
		b.Run(fmt.Sprintf("readers=%d", readers), func(b *testing.B) {
			r := serve(b, Limits{WindowBytes: 1 << 30, WindowBlocks: 1 << 20})
			r.Publish(0, r.backend.block(1))
			got := make(chan uint64, 1024)
			for range readers {
				c := r.client(b, ClientConfig{})
				go c.Follow(b.Context(), Follow{From: 1}, func(ev Event) error {
					if ev.Block != nil {
						got <- ev.Block.Height
					}
					return nil
				})
			}
			for range readers {
				<-got
			}
			before := testenv.CPU(b)
			b.ResetTimer()
			for range b.N {
				r.Publish(0, r.backend.block(400))
				for range readers {
					<-got
				}
			}
			b.StopTimer()
			b.ReportMetric(float64((testenv.CPU(b)-before).Nanoseconds())/1e3/float64(b.N), "cpu-µs/op")
		})
	}
}
