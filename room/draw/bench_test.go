package draw

import (
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

const (
	crowd        = 1_000_000
	drawMax      = 2 * time.Second // seal and draw of a million, on one core
	drawBytesMax = 32 << 20        // list, tree and order of a million
	rankMax      = time.Microsecond
	receiptBytes = 2 << 10
)

// drawCrowd seals and draws a million, and gives the processor time of both (a busy machine does not count) and what stays in memory.
func drawCrowd(tb testing.TB) (d *Drawn, seal, draw time.Duration, bytes uint64) {
	tb.Helper()
	base := heap()
	l := numbered(tb, crowd)
	start := processor(tb)
	s := Seal(l)
	sealed := processor(tb)
	d, err := s.Draw("spring-tour", 1, testSecret, testEntered)
	end := processor(tb)
	if err != nil || d.N() != crowd {
		tb.Fatal(err)
	}
	return d, sealed - start, end - sealed, heap() - base
}

// TestAMillionFitsInMemory runs alone: what other tests allocate would be counted.
func TestAMillionFitsInMemory(t *testing.T) {
	d, seal, draw, bytes := drawCrowd(t)
	if bytes > drawBytesMax {
		t.Errorf("a draw of a million keeps %d bytes, at most %d", bytes, drawBytesMax)
	}
	_, text := mustReceipt(t, d, nth(1))
	if len(text) > receiptBytes {
		t.Errorf("a receipt has %d bytes, at most %d", len(text), receiptBytes)
	}
	t.Logf("seal %v, draw %v, %d bytes", seal, draw, bytes)
	runtime.KeepAlive(d)
}

// BenchmarkSealAndDraw is a million people: sort, tree, ranks, order. of-limit is the processor time over 2 s, of-32MB what stays in memory over 32 MB.
func BenchmarkSealAndDraw(b *testing.B) {
	var seal, draw time.Duration
	var bytes uint64
	for b.Loop() {
		d, s, o, n := drawCrowd(b)
		seal, draw, bytes = seal+s, draw+o, max(bytes, n)
		runtime.KeepAlive(d)
	}
	n := float64(b.N)
	b.ReportMetric(0, "ns/op") // it has the making of the list in it
	b.ReportMetric(seal.Seconds()*1000/n, "seal-ms")
	b.ReportMetric(draw.Seconds()*1000/n, "draw-ms")
	b.ReportMetric((seal+draw).Seconds()/n/drawMax.Seconds(), "of-limit")
	b.ReportMetric(float64(bytes)/(1<<20), "MB")
	b.ReportMetric(float64(bytes)/drawBytesMax, "of-32MB")
}

// processor gives the processor time that the test has used.
func processor(tb testing.TB) time.Duration {
	tb.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func heap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// BenchmarkRank is what an edge does for each place after the draw. of-limit is over 1 µs.
func BenchmarkRank(b *testing.B) {
	r := NewRanker(Hash(nth32(9)))
	tid := nth(1)
	b.ReportAllocs()
	for b.Loop() {
		tid[0]++
		r.Rank(tid)
	}
	b.ReportMetric(b.Elapsed().Seconds()/float64(b.N)/rankMax.Seconds(), "of-limit")
}

// BenchmarkReceipt is one proof among a million; of-2KB is its JSON over 2 KB.
func BenchmarkReceipt(b *testing.B) {
	d := drawn(b, numbered(b, crowd), round1000)
	_, text := mustReceipt(b, d, nth(1))
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		i = (i + 1) % crowd
		if _, ok := d.Receipt(nth(i)); !ok {
			b.Fatal(i)
		}
	}
	b.ReportMetric(float64(len(text)), "bytes")
	b.ReportMetric(float64(len(text))/receiptBytes, "of-2KB")
}

// BenchmarkVerifyDraw reads and recomputes a published draw of a million.
func BenchmarkVerifyDraw(b *testing.B) {
	file := published(b, drawn(b, numbered(b, crowd), round1000), nil)
	b.SetBytes(int64(len(file)))
	b.ReportAllocs()
	for b.Loop() {
		if r, err := VerifyDraw(strings.NewReader(file), nth(1)); err != nil || !r.OK() {
			b.Fatalf("%+v %v", r, err)
		}
	}
}
