package chaos

import (
	"context"
	"errors"
	"syscall"
	"time"
)

// need is what a fault wants of its deployment. Faults of the same need share one.
type need int

const (
	needNothing need = iota
	needProxies
	needSpaces
	needSmallDisk
	needBefore
)

// errNotHere wraps why a fault cannot be made on this machine.
var errNotHere = errors.New("this machine does not let it be made")

// Fault is something that goes wrong.
type Fault struct {
	Name  string
	About string
	// bound is the longest gap that is allowed, beside what run says that the fault itself took; nodes says that it holds for clients that go straight
	// to the nodes, too. Where it is false, those wait for their own time limit.
	bound time.Duration
	nodes bool
	// gentle is whether it is made at a moderate load.
	gentle bool
	needs  need
	// run makes the fault and undoes it. took is the part of the gap that is the fault's own, as the time in which Postgres was down.
	run func(ctx context.Context, d *deployment) (took time.Duration, err error)
}

// The bounds that ticketrush promises.
const (
	boundPlanned  = 150 * time.Millisecond
	boundRestart  = 500 * time.Millisecond
	boundTakeOver = 3800 * time.Millisecond
	boundLedger   = 500 * time.Millisecond
)

// takeOverWait is how long a node stays away, so that the others must take its stock over.
const takeOverWait = 5 * time.Second

// Faults are all of them, in the order in which they are made.
func Faults() []Fault {
	return []Fault{
		{Name: "kill", About: "kill -9 of a node; it stays away for 5 s", bound: boundTakeOver, run: kill},
		{Name: "restart", About: "kill -9 of a node and restart in place at once", bound: boundRestart, nodes: true, gentle: true, run: restart},
		{Name: "handoff", About: "SIGTERM of a node", bound: boundPlanned, nodes: true, gentle: true, run: handoff},
		{Name: "join", About: "a node comes, and takes its share", bound: boundPlanned, nodes: true, gentle: true, run: join},
		{Name: "rolling", About: "restart of all nodes, one after the other", bound: boundPlanned, nodes: true, gentle: true, run: rolling},
		{Name: "pause", About: "SIGSTOP of a node for 5 s, longer than its session, then SIGCONT", bound: boundTakeOver, run: pause},
		{Name: "pg-restart", About: "immediate restart of Postgres", bound: boundLedger, nodes: true, run: postgresRestart},
		{Name: "pg-away", About: "Postgres killed and away for 5 s", bound: boundLedger, nodes: true, run: postgresAway},
		{Name: "cut-bytes", About: "the connection to Postgres cut after each byte of a flush and of its answer", bound: boundRestart, nodes: true, gentle: true, needs: needProxies, run: cutBytes},
		{Name: "cut-db", About: "one node cut from Postgres without a word, for 6 s", bound: boundTakeOver, needs: needProxies, run: cutDatabase(toServer, toClient)},
		{Name: "cut-db-answers", About: "one node does not hear Postgres for 6 s, Postgres hears it", bound: boundTakeOver, needs: needProxies, run: cutDatabase(toClient)},
		{Name: "cut-db-refused", About: "one node's connections to Postgres are reset and refused for 6 s", bound: boundTakeOver, needs: needProxies, run: refuseDatabase},
		{Name: "cut-peers", About: "one node cut from the others for 8 s, both ways, without a word", bound: boundTakeOver, needs: needSpaces, run: cutPeers(true)},
		{Name: "cut-one-way", About: "one node not heard by the others for 8 s", bound: boundTakeOver, needs: needSpaces, run: cutPeers(false)},
		{Name: "upgrade", About: "nodes of the version before, changed one by one, one of them back and again", bound: boundPlanned, nodes: true, gentle: true, needs: needBefore, run: upgrade},
		{Name: "disk-full", About: "the ledger's disk full for 5 s", bound: boundLedger, needs: needSmallDisk, nodes: true, run: diskFull},
	}
}

// victim is the node that is hurt: not the first, which the edge asks first for its routes.
const victim = 1

func kill(ctx context.Context, d *deployment) (time.Duration, error) {
	if err := d.demo.KillNode(victim); err != nil {
		return 0, err
	}
	if err := wait(ctx, takeOverWait); err != nil {
		return 0, err
	}
	return 0, d.demo.StartNode(victim)
}

func restart(ctx context.Context, d *deployment) (time.Duration, error) {
	if err := d.demo.KillNode(victim); err != nil {
		return 0, err
	}
	if err := d.demo.StartNode(victim); err != nil {
		return 0, err
	}
	return 0, wait(ctx, 2*time.Second)
}

func handoff(ctx context.Context, d *deployment) (time.Duration, error) {
	if err := d.demo.StopNode(victim); err != nil {
		return 0, err
	}
	err := wait(ctx, 2*time.Second)
	d.freeze() // what its coming back takes is not the leaving's
	return 0, errors.Join(err, d.demo.StartNode(victim))
}

// join has a node come, which takes its share, a few partitions at a time.
func join(ctx context.Context, d *deployment) (time.Duration, error) {
	if err := d.demo.StopNode(victim); err != nil {
		return 0, err
	}
	if err := wait(ctx, time.Second); err != nil {
		return 0, err
	}
	d.reset() // what its leaving took is not the coming's
	if err := d.demo.StartNode(victim); err != nil {
		return 0, err
	}
	if err := d.demo.WaitNode(ctx, victim); err != nil {
		return 0, err
	}
	return 0, wait(ctx, joinWait)
}

// joinWait is how long the partitions take that come to a node for balance: they wait for the members to be the same for some seconds.
const joinWait = 8 * time.Second

func rolling(ctx context.Context, d *deployment) (time.Duration, error) {
	for i := range d.demo.Nodes() {
		if err := d.demo.StopNode(i); err != nil {
			return 0, err
		}
		if err := d.demo.StartNode(i); err != nil {
			return 0, err
		}
		if err := d.demo.WaitNode(ctx, i); err != nil {
			return 0, err
		}
	}
	return 0, nil
}

// upgrade changes the program of the nodes while they sell. The ledger has the new schema from the start, as after `stockd migrate`.
func upgrade(ctx context.Context, d *deployment) (time.Duration, error) {
	for _, step := range []struct {
		node int
		old  bool
	}{{0, false}, {1, false}, {1, true}, {1, false}, {2, false}} {
		if err := d.demo.StopNode(step.node); err != nil {
			return 0, err
		}
		d.before[step.node] = step.old
		if err := d.demo.StartNode(step.node); err != nil {
			return 0, err
		}
		if err := d.demo.WaitNode(ctx, step.node); err != nil {
			return 0, err
		}
	}
	d.freeze()
	for i := range nodes { // for the next time
		if err := d.demo.StopNode(i); err != nil {
			return 0, err
		}
		d.before[i] = true
		if err := d.demo.StartNode(i); err != nil {
			return 0, err
		}
		if err := d.demo.WaitNode(ctx, i); err != nil {
			return 0, err
		}
	}
	return 0, nil
}

func pause(ctx context.Context, d *deployment) (time.Duration, error) {
	if err := d.demo.SignalNode(victim, syscall.SIGSTOP); err != nil {
		return 0, err
	}
	err := wait(ctx, takeOverWait)
	return 0, errors.Join(err, d.demo.SignalNode(victim, syscall.SIGCONT), wait(ctx, 2*time.Second))
}

func postgresRestart(ctx context.Context, d *deployment) (time.Duration, error) {
	begin := time.Now()
	if err := d.demo.Postgres().Restart(ctx); err != nil {
		return 0, err
	}
	return time.Since(begin), wait(ctx, 2*time.Second)
}

func postgresAway(ctx context.Context, d *deployment) (time.Duration, error) {
	begin := time.Now()
	if err := d.demo.Postgres().Kill(); err != nil {
		return 0, err
	}
	err := wait(ctx, 5*time.Second)
	if err := errors.Join(err, d.demo.Postgres().Resume(context.WithoutCancel(ctx))); err != nil {
		return 0, err
	}
	return time.Since(begin), wait(ctx, 2*time.Second)
}

// cutDatabase holds back what goes between a node and Postgres.
func cutDatabase(ways ...way) func(context.Context, *deployment) (time.Duration, error) {
	return func(ctx context.Context, d *deployment) (time.Duration, error) {
		d.proxies[victim].silence(ways...)
		err := wait(ctx, 6*time.Second)
		d.proxies[victim].heal()
		return 0, errors.Join(err, wait(ctx, 2*time.Second))
	}
}

func refuseDatabase(ctx context.Context, d *deployment) (time.Duration, error) {
	d.proxies[victim].reject()
	err := wait(ctx, 6*time.Second)
	d.proxies[victim].heal()
	return 0, errors.Join(err, wait(ctx, 2*time.Second))
}

// cutPeers loses what a node sends to the others, and with both also what they send to it.
func cutPeers(both bool) func(context.Context, *deployment) (time.Duration, error) {
	return func(ctx context.Context, d *deployment) (_ time.Duration, err error) {
		for other := range d.demo.Nodes() {
			if other == victim {
				continue
			}
			err = errors.Join(err, d.spaces.drop(ctx, victim, other))
			if both {
				err = errors.Join(err, d.spaces.drop(ctx, other, victim))
			}
		}
		err = errors.Join(err, wait(ctx, 8*time.Second))
		late := context.WithoutCancel(ctx)
		for other := range d.demo.Nodes() {
			if other == victim {
				continue
			}
			err = errors.Join(err, d.spaces.restore(late, victim, other))
			if both {
				err = errors.Join(err, d.spaces.restore(late, other, victim))
			}
		}
		return 0, errors.Join(err, wait(ctx, 6*time.Second))
	}
}

// diskFull takes all space of the ledger's disk. Postgres may refuse, or stop: then it is started again when there is space.
func diskFull(ctx context.Context, d *deployment) (time.Duration, error) {
	if err := d.disk.fill(); err != nil {
		return 0, err
	}
	begin := time.Now()
	err := wait(ctx, 5*time.Second)
	if err := errors.Join(err, d.disk.relieve()); err != nil {
		return 0, err
	}
	late := context.WithoutCancel(ctx)
	if d.demo.Postgres().Exec(late, "postgres", "SELECT 1") != nil {
		if err := errors.Join(d.demo.Postgres().Kill(), d.demo.Postgres().Resume(late)); err != nil {
			return 0, err
		}
	}
	return time.Since(begin), wait(ctx, 2*time.Second)
}

// wait is a pause that ctx may end.
func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
