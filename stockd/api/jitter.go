package api

import (
	"math/rand/v2"
	"time"
)

// jitter spreads retries over half to one and a half of d, so that those who were refused together do not come back together.
func jitter(d time.Duration) time.Duration {
	return d/2 + time.Duration(rand.Int64N(int64(d)))
}
