package demo

import (
	"encoding/json"
	"fmt"
	"io"
)

// Ready tells where everything is.
func (d *Demo) Ready() Ready {
	r := Ready{
		Ready: true, Site: d.URL() + "/", Room: d.options.Room, Admin: "http://" + d.at(0, d.ports.API) + "/admin", Postgres: d.DSN(), Event: d.options.Event,
		APIKey: d.apiKey, Logs: d.folder.path("log"), CaddyAdmin: "unix/" + d.folder.path("caddy", "admin.sock"),
	}
	for _, addr := range d.addresses(d.ports.API) {
		r.API = append(r.API, "http://"+addr)
	}
	return r
}

// Print writes a table for people and then the line of JSON for scripts.
func (d *Demo) Print(w io.Writer) error {
	r := d.Ready()
	fmt.Fprintln(w)
	row := func(name, value, about string) { fmt.Fprintf(w, "  %-12s %-46s %s\n", name, value, about) }
	row("shop", r.Site, "buy a ticket: you will wait in the room first")
	if !d.options.NoEdge {
		row("with TLS", fmt.Sprintf("https://localhost:%d/", d.ports.HTTPS), "the certificate is Caddy's own")
		row("room", d.URL()+"/.wr/v1/"+r.Room+"/frontier", "the document that everybody polls")
	}
	row("admin", r.Admin, "asks for the API key")
	for i, url := range r.API {
		row(fmt.Sprintf("node %d", i+1), url, fmt.Sprintf("%s/metrics", url))
	}
	row("API key", r.APIKey, "for stockd event …: put it into STOCKD_API_KEY")
	row("ledger", "psql '"+r.Postgres+"'", "")
	row("logs", r.Logs, "")
	fmt.Fprintln(w, "\n  Ctrl-C ends it all and leaves nothing behind.")
	line, err := json.Marshal(r)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "%s\n", line)
	return err
}
