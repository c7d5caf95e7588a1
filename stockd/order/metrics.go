package order

import "github.com/prometheus/client_golang/prometheus"

// metrics are the counters of the service.
type metrics struct {
	decided        *prometheus.CounterVec // by what was decided
	decidedRefunds prometheus.Counter
	late           *prometheus.CounterVec // by what was done
	issued         prometheus.Counter
	voided         prometheus.Counter
	refunded       prometheus.Counter
	stuck          prometheus.Counter
	ended          *prometheus.CounterVec // by kind
	invoiced       prometheus.Counter
	dead           prometheus.Counter
	calls          *prometheus.GaugeVec // calls that are not done, by whether they wait or were given up
}

func newMetrics(reg prometheus.Registerer) *metrics {
	m := &metrics{
		decided:        prometheus.NewCounterVec(prometheus.CounterOpts{Name: "ticketrush_order_decisions_total", Help: "Facts told by payment providers, by what became of them."}, []string{"outcome"}),
		issued:         prometheus.NewCounter(prometheus.CounterOpts{Name: "ticketrush_order_issued_total", Help: "Orders whose tickets were issued by this node."}),
		voided:         prometheus.NewCounter(prometheus.CounterOpts{Name: "ticketrush_order_voided_total", Help: "Payments that paid nothing and were given back."}),
		late:           prometheus.NewCounterVec(prometheus.CounterOpts{Name: "ticketrush_order_late_total", Help: "Payments that came when their order had ended, by what was done: placed, offered other seats, returned."}, []string{"outcome"}),
		decidedRefunds: prometheus.NewCounter(prometheus.CounterOpts{Name: "ticketrush_order_refunds_decided_total", Help: "Refunds of orders, or of parts of them, that were decided."}),
		refunded:       prometheus.NewCounter(prometheus.CounterOpts{Name: "ticketrush_order_refunded_total", Help: "Refunds that were sent."}),
		stuck:          prometheus.NewCounter(prometheus.CounterOpts{Name: "ticketrush_order_stuck_total", Help: "Orders whose provider did not answer at the end of an attempt: an alarm."}),
		invoiced:       prometheus.NewCounter(prometheus.CounterOpts{Name: "ticketrush_order_invoiced_total", Help: "Invoices and credit notes that this node made by itself."}),
		dead:           prometheus.NewCounter(prometheus.CounterOpts{Name: "ticketrush_order_outbox_dead_total", Help: "Calls to providers that were given up; people must look at them."}),
		calls:          prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "ticketrush_order_outbox_calls", Help: "Calls of the whole cluster that are not done: waiting, or dead, which is an alarm."}, []string{"state"}),
	}
	m.ended = prometheus.NewCounterVec(prometheus.CounterOpts{Name: "ticketrush_retention_ended_total", Help: "Rows whose time was over and that this node deleted, or emptied of personal data, by kind."}, []string{"kind"})
	if reg != nil {
		reg.MustRegister(m.decided, m.decidedRefunds, m.late, m.issued, m.voided, m.refunded, m.stuck, m.invoiced, m.dead, m.calls, m.ended)
	}
	return m
}
