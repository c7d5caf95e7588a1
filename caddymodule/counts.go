package caddymodule

import (
	"encoding/json"
	"slices"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2"
	lru "github.com/hashicorp/golang-lru/v2"

	"ticketrush/room"
)

// countsMax bounds the answers that are kept. Keys are only events that stockd answered for, so nobody can flush the cache with made-up ones.
const countsMax = 1024

// countsTooOld is when what was left says nothing any more: it is then unknown, never 0.
const countsTooOld = 60 * time.Second

// pooledCounts lets the cache survive a reload.
var pooledCounts = caddy.NewUsagePool()

const countsKey = "counts"

// countsCache keeps answers about what is left, in a plain LRU with the time in the value: the expiring kind would leak a goroutine per reload.
type countsCache struct {
	answers *lru.Cache[string, *countsAnswer]
	events  *lru.Cache[string, leftOf]

	mu      sync.Mutex
	flights map[string]chan struct{} // one request per key goes to stockd at a time
}

// countsAnswer is a kept answer; it is not changed after it was made.
type countsAnswer struct {
	at          time.Time
	contentType string
	etag        string
	body        []byte
}

type leftOf struct {
	at         time.Time
	supply     room.Supply
	sections   []placesLeft
	categories []placesLeft
}

// placesLeft is what is left of a section or an area of an event, or of a price category.
type placesLeft struct {
	Name string `json:"name"`
	Left int64  `json:"left"`
}

// sectionsMax bounds the sections, and the categories, that are kept of an event, and told to whoever waits.
const sectionsMax = 200

func newCountsCache() (*countsCache, error) {
	answers, err := lru.New[string, *countsAnswer](countsMax)
	if err != nil {
		return nil, err
	}
	events, err := lru.New[string, leftOf](countsMax)
	if err != nil {
		return nil, err
	}
	return &countsCache{answers: answers, events: events, flights: map[string]chan struct{}{}}, nil
}

// Destruct has nothing to give back.
func (*countsCache) Destruct() error { return nil }

// supply gives what is left of an event, nil when that is not known.
func (c *countsCache) supply(event string) *room.Supply {
	l, ok := c.events.Get(event)
	if !ok || time.Since(l.at) > countsTooOld {
		return nil
	}
	return &l.supply
}

// left is the number of it.
func (c *countsCache) left(event string) *int64 {
	if s := c.supply(event); s != nil {
		return &s.Left
	}
	return nil
}

// places gives what is left of an event by section and by price category; nil when that is not known.
func (c *countsCache) places(event string) (sections, categories []placesLeft) {
	if c.supply(event) == nil {
		return nil, nil
	}
	l, _ := c.events.Get(event)
	return l.sections, l.categories
}

// add counts a segment's free seats; a section may have several segments.
func (l *leftOf) add(section string, free int64) {
	if i := slices.IndexFunc(l.sections, func(s placesLeft) bool { return s.Name == section }); i >= 0 {
		l.sections[i].Left += free
	} else if section != "" && len(l.sections) < sectionsMax {
		l.sections = append(l.sections, placesLeft{section, free})
	}
}

// returnsShare is how much of what is in holds is taken as about to come back, where nobody says when holds end.
const returnsShare = 10

// learn reads what is left from an availability answer.
func (c *countsCache) learn(event string, body []byte, at time.Time) {
	var doc struct {
		Totals struct {
			Capacity int64  `json:"capacity"`
			Free     *int64 `json:"free"`
			Held     int64  `json:"held"`
			Sold     int64  `json:"sold"`
		} `json:"totals"`
		Segments []struct {
			Section string `json:"section"`
			Free    int64  `json:"free"`
		} `json:"segments"`
		Categories []struct {
			Category string `json:"category"`
			Free     int64  `json:"free"`
		} `json:"categories"`
	}
	if json.Unmarshal(body, &doc) == nil && doc.Totals.Free != nil {
		t := doc.Totals
		l := leftOf{at: at, supply: room.Supply{
			Left: *t.Free, Returning: (t.Held + returnsShare - 1) / returnsShare, SoldOut: t.Capacity > 0 && t.Sold == t.Capacity,
		}}
		for _, s := range doc.Segments {
			l.add(s.Section, s.Free)
		}
		for _, k := range doc.Categories[:min(len(doc.Categories), sectionsMax)] {
			l.categories = append(l.categories, placesLeft{k.Category, k.Free})
		}
		c.events.Add(event, l)
	}
}

// enter waits for its turn to ask for key; leave ends the turn. Several waiting ones then find the first one's answer.
func (c *countsCache) enter(key string, done <-chan struct{}) (ok bool) {
	for {
		c.mu.Lock()
		flight := c.flights[key]
		if flight == nil {
			c.flights[key] = make(chan struct{})
			c.mu.Unlock()
			return true
		}
		c.mu.Unlock()
		select {
		case <-flight:
			if a, ok := c.answers.Get(key); ok && time.Since(a.at) < time.Second {
				return false
			}
		case <-done:
			return false
		}
	}
}

func (c *countsCache) leave(key string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	close(c.flights[key])
	delete(c.flights, key)
}
