// Package page is the waiting-room page: HTML, CSS, JavaScript and ten languages, embedded.
//
// It renders one document per visitor and hands out its assets; it knows nothing of Caddy, of tokens or of the line itself.
// All that it promises:
//
//   - no third party, no inline script or style, no event handler attribute: the page works under [CSP];
//   - everything together stays under 30 KB compressed, and a test weighs it;
//   - the same document works without JavaScript, by forms and a refresh that can be switched off;
//   - an operator's directory replaces any file by name: page.html, page.css, brand.css, logo.svg, the scripts,
//     locales/<lang>.json. Most brands need brand.css alone: the variables at the top of page.css are meant to be set there.
//
// The scripts poll the room's frontier document, which is the same for everybody, and compute position and wait from it and from the
// visitor's own rank. They never trust that for anything: only a claim, decided by the room's owner, lets anybody in.
//
// It may import nothing of this module.
package page
