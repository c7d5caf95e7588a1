// Package paypage is the page of the sandbox payment provider, where a visitor plays the bank: succeed, decline, be slow or late, tell
// twice or never, dispute a payment that was made, refuse refunds. It works by plain forms, so that every test and every
// browser can pay. It only renders; what a button means is the provider's.
//
// It imports nothing of this module.
package paypage
