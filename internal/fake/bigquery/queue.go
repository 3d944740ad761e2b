package bigquery

// limit is how many statements may insert into a table at a time, and how many more may
// wait; 0: any number.
type limit struct{ running, queued int }

// LimitInserts limits how many statements insert into a table at a time, and how many more
// wait; further jobs exceed the quota and fail. In the service these are 10 and 100, after
// the first 1,500 of a day. With 0 running there is no limit, which is the default.
func (s *Server) LimitInserts(running, queued int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.limit = limit{running, queued}
}

// queue is the statements that change a table. Its project's lock guards it.
type queue struct {
	running int
	waiting []chan struct{} // each is closed when its statement may run
}

// enter returns a channel that is closed when the statement may run.
func (q *queue) enter(l limit) (<-chan struct{}, error) {
	turn := make(chan struct{})
	switch {
	case l.running == 0 || q.running < l.running:
		q.running++
		close(turn)
	case len(q.waiting) < l.queued:
		q.waiting = append(q.waiting, turn)
	default:
		return nil, fail("quotaExceeded", "Quota exceeded: Your table exceeded quota for total number of dml jobs writing to a table, pending + running")
	}
	return turn, nil
}

// leave ends a statement's turn, and begins the next one's.
func (q *queue) leave() {
	if len(q.waiting) == 0 {
		q.running--
		return
	}
	close(q.waiting[0])
	q.waiting = q.waiting[1:]
}
