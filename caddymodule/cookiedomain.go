package caddymodule

import (
	"fmt"
	"net"
	"regexp"
	"strings"

	"golang.org/x/net/publicsuffix"
)

var domainName = regexp.MustCompile(`^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])?$`)

// checkCookieDomain refuses a domain for which no browser would keep a cookie.
func checkCookieDomain(domain string) error {
	switch {
	case net.ParseIP(domain) != nil:
		return fmt.Errorf("cookie_domain %q: want a domain, such as example.com, not an address", domain)
	case strings.HasPrefix(domain, "."):
		return fmt.Errorf("cookie_domain %q: leave the first dot out; hosts below the domain are always within it", domain)
	case len(domain) > 253 || !domainName.MatchString(domain):
		return fmt.Errorf("cookie_domain %q: want a domain in lower case, such as example.com", domain)
	}
	if suffix, _ := publicsuffix.PublicSuffix(domain); suffix == domain {
		return fmt.Errorf("cookie_domain %q: anybody may have a name below it, so browsers keep no cookie for it; want a domain of yours, such as example.%s", domain, domain)
	}
	return nil
}

// hostName gives a Host header without its port.
func hostName(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	return strings.Trim(host, "[]")
}
