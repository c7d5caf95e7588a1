// Package admin is the page on which ops watch and steer a sale: rooms, nodes, stock per section, totals over time, alarms.
//
// It serves static files and defines Status, the JSON that the page polls; the API fills it and checks the key. The page itself is public and
// holds nothing: it asks for an API key, keeps it for the browser's tab only, and sends it as a bearer token with every call.
//
// It imports nothing of this module.
package admin
