package safety

// SmallBeacon is the number of servers up to which the beacon has one group of
// all: smaller groups would be worth nothing.
const SmallBeacon = 16

// Groups are the sizes of the beacon's groups: as many as can have size servers
// each, the larger ones first, or one of all where the size is 0 or there are
// few servers.
func Groups(servers, size int) []int {
	count := 1
	if size > 0 && size < servers && servers > SmallBeacon {
		count = servers / size
	}
	sizes := make([]int, count)
	for i := range sizes {
		sizes[i] = servers / count
		if i < servers%count {
			sizes[i]++
		}
	}
	return sizes
}

// Threshold is how many servers of a group of c open its secrets.
func Threshold(c int) int { return c/3 + 1 }

// Withheld bounds the probability that some group can withhold its part of the
// beacon's output: the sum over the groups of P[X > c-t].
func Withheld(n, byzantine int, groups []int) (p float64) {
	return sumOver(groups, func(c int) float64 { return Hypergeometric(n, byzantine, c, c-Threshold(c)) })
}

// sumOver adds up a probability that depends on a size. The sum is at most 1.
func sumOver(sizes []int, of func(size int) float64) (sum float64) {
	known := make(map[int]float64)
	for _, s := range sizes {
		p, ok := known[s]
		if !ok {
			p = of(s)
			known[s] = p
		}
		sum += p
	}
	return min(sum, 1)
}
