// Package money turns decimal text into integer minor units and back: 12.34 EUR is 1234, 1234 JPY is 1234, 1.234 KWD is 1234.
//
// An amount is never a float, anywhere. Text that does not name one exact amount in minor units is an error: nothing is rounded, cut off or
// guessed. Thousands separators and decimal commas are for the readers of the files that have them; Parse knows neither.
//
// It may import nothing of ours.
package money
