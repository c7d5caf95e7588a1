package main

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"text/tabwriter"

	"ticketrush/stockd/admin"
)

type statusCommand struct {
	caller
	JSON bool `help:"Print the API's answer as it is."`
}

// Run shows the cluster at a glance, as the admin page does.
func (s *statusCommand) Run(ctx context.Context, con console) error {
	got, err := s.call(ctx, http.MethodGet, "/admin/status", "", nil, nil)
	if err != nil {
		return err
	}
	if s.JSON {
		fmt.Fprintln(con.out, strings.TrimSpace(string(got.body)))
		return nil
	}
	var now admin.Status
	if err := decode(got.body, &now); err != nil {
		return err
	}
	w := tabwriter.NewWriter(con.out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "NODE\tADDRESS\tPARTITIONS\tFLUSH 99 %%\tOPERATIONS/S\n")
	for _, n := range now.Nodes {
		fmt.Fprintf(w, "%s\t%s\t%d\t%.1f ms\t%.0f\n", n.ID, n.Addr, n.Partitions, n.FlushP99Ms, n.OpsPerSecond)
	}
	if len(now.Rooms) > 0 {
		fmt.Fprintf(w, "\nROOM\tSTATE\tOWNER\tWAITING\tINSIDE\tRATE\tLET IN/S\t\n")
	}
	for _, r := range now.Rooms {
		fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%d of %d\t%g/s\t%.1f\t%s\n", r.Name, orDash(r.State), orDash(r.Owner), r.Waiting, r.Inside, r.MaxActive, r.Rate, r.Admitted, r.Why)
	}
	if len(now.Events) > 0 {
		fmt.Fprintf(w, "\nEVENT\tSTATE\tFREE\tHELD\tPAYING\tSOLD\n")
	}
	for _, e := range now.Events {
		var all admin.Section
		for _, x := range e.Sections {
			all.Free, all.Held, all.Paying, all.Sold = all.Free+x.Free, all.Held+x.Held, all.Paying+x.Paying, all.Sold+x.Sold
		}
		fmt.Fprintf(w, "%s\t%s\t%d\t%d\t%d\t%d\n", e.Slug, e.State, all.Free, all.Held, all.Paying, all.Sold)
	}
	for _, a := range now.Alarms {
		fmt.Fprintf(w, "\n%s: %s\n  %s\n", a.Level, a.Text, a.Do)
	}
	return w.Flush()
}

func orDash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}
