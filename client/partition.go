package client

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"ticketrush/stockd/stock"
)

// PartitionOf reads the partition that a request is about from the hold's or order's id in its path, or from ?partition=.
// Requests about an event as a whole have none: any node takes them.
func PartitionOf(req *http.Request) (stock.PartitionID, bool) {
	if text := req.URL.Query().Get("partition"); text != "" {
		if n, err := strconv.ParseUint(text, 10, 16); err == nil && n < stock.Partitions {
			return stock.PartitionID(n), true
		}
	}
	rest, ok := strings.CutPrefix(req.URL.Path, "/v1/")
	if !ok {
		return 0, false
	}
	kind, rest, _ := strings.Cut(rest, "/")
	id, _, _ := strings.Cut(rest, "/")
	switch kind {
	case "holds":
		id, ok = strings.CutPrefix(id, "hold_")
	case "orders":
		id, ok = strings.CutPrefix(id, "ord_")
	default:
		return 0, false
	}
	if !ok {
		return 0, false
	}
	parsed, err := uuid.Parse(id)
	if err != nil || parsed.Version() != 8 {
		return 0, false
	}
	return stock.CoordinatorOf(parsed), true
}

// PartitionOf is the function of the same name.
func (c *Client) PartitionOf(req *http.Request) (stock.PartitionID, bool) { return PartitionOf(req) }
