package page

import (
	"bytes"
	"io"
	"strconv"
)

// A page costs far more to fill in than to send, and in a rush most visitors are told the same: positions and waits are shown in bands. What is
// ready is kept for those who are told the same; only the time of their first poll is each one's own, and is put in between.

const (
	// sheetsMax bounds the pages that are kept: with ten languages and a few paths this covers the bands that a line moves through.
	sheetsMax = 512
	// sheetReturnMax bounds the path in a page that is kept, which is the visitor's to choose, so that they bound the memory: 512 of at most 16 KB.
	sheetReturnMax = 256
)

// sheet is a page around its first poll.
type sheet struct{ before, after []byte }

// firstPollMark stands where the first poll is put: no wait is that long.
const firstPollMark = 8640000000000077

// shown leaves out what the shipped template does not show of a visitor but in words, so that those who are told the same are equal.
func (v view) shown() view {
	v.Position, v.WaitSeconds, v.BeginsS, v.NextPollMs, v.StockLeft = 0, 0, 0, 0, nil
	v.Script.FirstPollMs = firstPollMark
	return v
}

// write gives the page from memory where it can.
func (p *Page) write(w io.Writer, v view) error {
	if p.rendered == nil || len(v.Resume) > sheetReturnMax {
		return p.templates[v.Lang].Execute(w, v)
	}
	key := v.shown()
	s, ok := p.rendered.Get(key)
	if !ok {
		var b bytes.Buffer
		if err := p.templates[v.Lang].Execute(&b, key); err != nil {
			return err
		}
		mark := []byte(strconv.Itoa(firstPollMark))
		if bytes.Count(b.Bytes(), mark) != 1 { // somebody has it in their path
			return p.templates[v.Lang].Execute(w, v)
		}
		before, after, _ := bytes.Cut(b.Bytes(), mark)
		s = sheet{bytes.Clone(before), bytes.Clone(after)}
		p.rendered.Add(key, s)
	}
	_, err := w.Write(s.before)
	if err == nil {
		_, err = w.Write(strconv.AppendInt(make([]byte, 0, 20), v.Script.FirstPollMs, 10))
	}
	if err == nil {
		_, err = w.Write(s.after)
	}
	return err
}
