package serve

import (
	"encoding/json"
	"fmt"

	"ticketrush/ledger"
	"ticketrush/stockd/admin"
)

// Calls are calls as people see them.
func Calls(list []ledger.OutboxCall) []admin.Call {
	calls := make([]admin.Call, 0, len(list))
	for _, c := range list {
		call := admin.Call{ID: c.ID, Topic: c.Topic, About: about(c.Payload), Attempts: int(c.Attempts), Due: c.Due, Error: c.Error}
		if !c.DeadAt.IsZero() {
			dead := c.DeadAt
			call.DeadAt = &dead
		}
		calls = append(calls, call)
	}
	return calls
}

// about says what a call is about: the payment or the order that its payload names.
func about(payload []byte) string {
	var p struct {
		Provider string `json:"provider"`
		Ref      string `json:"ref"`
		Order    string `json:"order"`
		Amount   int64  `json:"amount"`
		Currency string `json:"currency"`
	}
	_ = json.Unmarshal(payload, &p) // of other shapes nothing is told
	switch {
	case p.Ref != "" && p.Amount != 0:
		return fmt.Sprintf("%s %s, %d %s", p.Provider, p.Ref, p.Amount, p.Currency)
	case p.Ref != "":
		return p.Provider + " " + p.Ref
	case p.Order != "":
		return "ord_" + p.Order
	}
	return "-"
}
