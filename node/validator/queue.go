package validator

// queue is a first-in first-out list on one slice.
type queue[T any] struct {
	list []T
	head int
}

func (q *queue[T]) len() int { return len(q.list) - q.head }

// all is what waits, the oldest first. It is valid until the next push.
func (q *queue[T]) all() []T { return q.list[q.head:] }

func (q *queue[T]) push(v T) {
	if q.head > 0 && len(q.list) == cap(q.list) && q.head >= len(q.list)/2 {
		n := copy(q.list, q.list[q.head:])
		clear(q.list[n:])
		q.list, q.head = q.list[:n], 0
	}
	q.list = append(q.list, v)
}

// drop takes the oldest n out.
func (q *queue[T]) drop(n int) {
	clear(q.list[q.head : q.head+n])
	if q.head += n; q.head == len(q.list) {
		q.list, q.head = q.list[:0], 0
	}
}
