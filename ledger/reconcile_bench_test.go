package ledger_test

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"ticketrush/ledger"
	"ticketrush/ledger/pgdev"
	"ticketrush/ledger/reconcile"
)

// What a reconciliation of a million movements may take, in time and in this process's memory.
const (
	reconcileBound = 5 * time.Second
	memoryBound    = 200 << 20
)

// BenchmarkReconcile reconciles a ledger of a million movements, all checks: 100,000 parties of two were held and released, and held again, ordered, paid
// and issued, through the real functions, in 150,000 batches. Filling it takes some minutes and is not in the time. It prints the ratios to the bounds;
// memory is the most that this process had in use, and what its Postgres had without its shared buffers. BENCH_MOVEMENTS fills it with less or more.
//
//	go test ./ledger -run '^$' -bench Reconcile -benchtime 3x -timeout 30m
func BenchmarkReconcile(b *testing.B) {
	movements := 1_000_000
	if text := os.Getenv("BENCH_MOVEMENTS"); text != "" {
		movements, _ = strconv.Atoi(text)
	}
	server, err := pgdev.Start(b.Context(), pgdev.Options{Dir: os.Getenv("BENCH_DIR")})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = server.Stop() })
	dsn := server.DSN("postgres")
	if err := migrated(b.Context(), dsn); err != nil {
		b.Fatal(err)
	}
	if g := reopened(b, dsn); g.number(`SELECT count(*) FROM ledger.seat_movements`) == 0 {
		begin := time.Now()
		fill(newBench(b, dsn), movements/movementsPerPair)
		b.Logf("filled in %s", time.Since(begin).Round(time.Second))
	}
	g := reopened(b, dsn)
	g.exec(`VACUUM ANALYZE`)
	var report *reconcile.Report
	peak := watched(filepath.Join(server.Dir(), "data", "postmaster.pid"), func() {
		b.ResetTimer()
		for range b.N {
			report = g.reconcile(reconcile.Options{})
			if !report.OK {
				b.Fatalf("it does not reconcile: %+v", brokenStock(report))
			}
		}
		b.StopTimer()
	})
	took := b.Elapsed() / time.Duration(b.N)
	var each []string
	for _, c := range report.Checks {
		each = append(each, fmt.Sprintf("%s %d ms", c.Name, c.Took.Milliseconds()))
	}
	b.Log(strings.Join(each, ", "))
	n := g.number(`SELECT count(*) FROM ledger.seat_movements`)
	b.ReportMetric(took.Seconds(), "s/run")
	b.ReportMetric(took.Seconds()/reconcileBound.Seconds()*1e6/float64(n), "of-bound")
	b.ReportMetric(peak.processor.Seconds()/float64(b.N), "cpu-s/run")
	b.ReportMetric(float64(peak.us)/(1<<20), "MB")
	b.ReportMetric(float64(peak.us)/memoryBound, "MB-of-bound")
	b.ReportMetric(float64(peak.postgres)/(1<<20), "postgres-MB")
}

func reopened(t testing.TB, dsn string) *bench {
	t.Helper()
	db, err := ledger.Open(t.Context(), dsn, ledger.Options{AllowNoFsync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return &bench{t: t, db: db, dsn: dsn}
}

// Shape of the filled ledger. A pair of seats is held, released, held, pinned and sold; its order moves no seat.
const (
	movementsPerPair = 10
	fillSegments     = 400
	fillPart         = 100 // of the first segment
	fillAtOnce       = 100 // partitions in a batch
	pairsPerPart     = 4   // in a batch
)

// fill makes a history of a number of pairs of seats, by the functions that a node uses.
func fill(b *bench, pairs int) {
	seats := (pairs/(fillSegments*pairsPerPart) + 1) * 2 * pairsPerPart
	b.exec(`INSERT INTO ledger.segments(event, segment, part, section, name, area, score, home, opened, capacity)
		SELECT $1, $2 + i, $2 + i, 'A', 'fill ' || i, false, 0, $2 + i, $4, $4 FROM generate_series(0, $3 - 1) i`, b.event, fillPart, fillSegments, seats)
	b.exec(`INSERT INTO ledger.seats(event, seat, segment, label, category)
		SELECT $1, (($2 + g)::bigint << 24) + i, $2 + g, format('%s-%s', g, i), 0 FROM generate_series(0, $3 - 1) g, generate_series(0, $4 - 1) i`, b.event, fillPart, fillSegments, seats)
	b.exec(`UPDATE ledger.part SET session = $1, epoch = 1 WHERE part BETWEEN $2 AND $2 + $3 - 1`, b.session, fillPart, fillSegments)
	b.exec(`INSERT INTO ledger.part_epochs(part, epoch, session, start_seq) SELECT $2 + i, 1, $1, 0 FROM generate_series(0, $3 - 1) i`, b.session, fillPart, fillSegments)
	b.exec(`ANALYZE`)
	next := 0
	for done := 0; done < pairs; {
		var round []pair
		for i := range fillAtOnce * pairsPerPart {
			part := (next/pairsPerPart + i/pairsPerPart) % fillSegments
			at := (next+i)/(fillSegments*pairsPerPart)*pairsPerPart + i%pairsPerPart
			first := int64(fillPart+part)<<24 | int64(2*at)
			round = append(round, pair{part: int32(fillPart + part), seats: []int64{first, first + 1}, buyer: uuid.New()})
		}
		next += len(round)
		done += len(round)
		b.history(round)
	}
}

// pair are two seats with what becomes of them.
type pair struct {
	part  int32
	seats []int64
	buyer uuid.UUID
	hold  uuid.UUID
	order uuid.UUID
}

func (b *bench) history(round []pair) {
	for _, kind := range []int16{hold, release, hold, order} {
		b.step(round, kind)
	}
	ids := make([]string, len(round))
	for i, p := range round {
		ids[i] = p.order.String()
	}
	list := "{" + strings.Join(ids, ",") + "}"
	b.exec(`SELECT ledger.payment_begin(id, 3, now() + interval '1 hour', now()) FROM unnest($1::uuid[]) id`, list)
	b.exec(`INSERT INTO ledger.payments(id, order_id, attempt, provider, provider_ref, pay_url, key, amount, currency, state)
		SELECT id, id, 1, 'sandbox', 'sbx_' || id, '', id, total, currency, 'created' FROM ledger.orders WHERE id = ANY ($1::uuid[])`, list)
	b.step(round, pin)
	var facts []ledger.PaymentFact
	var issues []ledger.NewIssue
	for _, p := range round {
		facts = append(facts, ledger.PaymentFact{Provider: "sandbox", ID: p.order.String(), Ref: "sbx_" + p.order.String(), Kind: "authorized", Amount: 10600, Currency: "EUR"})
		n := ledger.NewIssue{Order: p.order, Payment: p.order}
		for _, s := range p.seats {
			n.Tickets = append(n.Tickets, ledger.NewTicket{ID: uuid.New(), Seat: s, Code: "c"})
		}
		issues = append(issues, n)
	}
	verdicts, err := b.db.PaymentTake(b.t.Context(), facts, b.now)
	if err != nil || slices.ContainsFunc(verdicts, func(v ledger.FactVerdict) bool { return v.Code != ledger.FactPaid }) {
		b.t.Fatalf("decide: %v", err)
	}
	b.step(round, sell)
	if found, err := b.db.Issue(b.t.Context(), issues, b.now); err != nil || slices.Max(found) != ledger.IssuedNow {
		b.t.Fatalf("issue: %v", err)
	}
}

// step flushes one operation of a kind for each pair, in one batch.
func (b *bench) step(round []pair, kind int16) {
	f := &ledger.Flush{Batch: uuid.New(), Session: b.session, Now: b.now}
	slices.SortStableFunc(round, func(x, y pair) int { return int(x.part - y.part) })
	for i := range round {
		p := &round[i]
		var o ledger.Op
		switch kind {
		case hold:
			p.hold, o = b.hold(p.seats...)
			o = keyed(limited(o, p.buyer, 4))
		case release:
			o = limited(b.op(release, p.hold, held, available, p.seats...), p.buyer, 4)
		case order:
			p.order = uuid.New()
			o = keyed(b.opened(p.hold, p.order, p.seats...))
		case pin:
			o = b.paid(pin, p.hold, p.order, held, paying, p.seats...)
		case sell:
			o = b.paid(sell, p.hold, p.order, paying, sold, p.seats...)
		}
		o.Segment, o.Area = p.part, false
		if n := len(f.Works); n == 0 || f.Works[n-1].Part != p.part {
			b.seq[p.part]++
			f.Works = append(f.Works, ledger.Work{Part: p.part, Epoch: 1, Seq: b.seq[p.part]})
		}
		last := &f.Works[len(f.Works)-1]
		last.Ops = append(last.Ops, o)
		for _, m := range o.Moves {
			b.ver[m.Seat] = m.Ver
		}
	}
	results, err := b.lane.Flush(f)
	if err != nil {
		b.t.Fatal(err)
	}
	for _, r := range results {
		if r.Fenced || slices.Max(r.Outcomes) != applied {
			b.t.Fatalf("a flush of kind %d: %+v", kind, r)
		}
	}
}

// memory is the most that was in use, in bytes.
type memory struct {
	us, postgres uint64
	processor    time.Duration // of both
}

// watched looks at the memory while something runs: of this process what Go has from the system, of Postgres what its processes have for themselves.
func watched(pidFile string, run func()) (peak memory) {
	text, _ := os.ReadFile(pidFile)
	pid, _, _ := strings.Cut(string(text), "\n")
	runtime.GC()
	before := processor(pid) + processor(strconv.Itoa(os.Getpid()))
	var over atomic.Bool
	done := make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(250 * time.Millisecond)
		defer tick.Stop()
		for ; !over.Load(); <-tick.C {
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			peak.us = max(peak.us, m.Sys-m.HeapReleased)
			peak.postgres = max(peak.postgres, private(pid))
		}
	}()
	run()
	over.Store(true)
	<-done
	peak.processor = processor(pid) + processor(strconv.Itoa(os.Getpid())) - before
	return peak
}

// processor is the processor time of a process, of its children, and of those that it has waited for; 0 where there is no /proc.
func processor(pid string) (sum time.Duration) {
	paths, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range paths {
		text, _ := os.ReadFile(path)
		fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
		own := filepath.Base(filepath.Dir(path)) == pid
		if len(fields) < 15 || !own && fields[1] != pid {
			continue
		}
		last := 13
		if own {
			last = 15
		}
		for _, field := range fields[11:last] {
			ticks, _ := strconv.Atoi(field)
			sum += time.Duration(ticks) * time.Second / 100 // USER_HZ
		}
	}
	return sum
}

// private adds up what the children of a process have in memory for themselves; 0 where there is no /proc.
func private(parent string) (sum uint64) {
	children, _ := os.ReadFile("/proc/" + parent + "/task/" + parent + "/children")
	for child := range strings.FieldsSeq(string(children)) {
		text, _ := os.ReadFile("/proc/" + child + "/status")
		for line := range strings.Lines(string(text)) {
			if name, value, _ := strings.Cut(line, ":"); name == "RssAnon" {
				kB, _ := strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(value), " kB"))
				sum += uint64(kB) << 10
			}
		}
	}
	return sum
}
