package finance_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"ticketrush/ledger/finance"
)

const ownHeader = "txn,category,ref,payout,gross,fee,net,currency,at\n"

// A report as https://docs.stripe.com/reports/balance describes it, itemised: other columns stand between those that are read.
const stripeReport = "\ufeffbalance_transaction_id,created_utc,created,available_on_utc,currency,gross,fee,net,reporting_category,source_id,description," +
	"automatic_payout_id,payment_intent_id,charge_id\r\n" +
	`txn_1,2026-06-01 10:00:00,2026-06-01 12:00:00,2026-06-03 00:00:00,eur,"106.00",1.79,104.21,charge,ch_1,"Two seats, row ""N""",po_1,pi_1,ch_1` + "\r\n" +
	"txn_2,2026-06-01 11:00:00,,,eur,-106.00,0.00,-106.00,refund,re_1,,po_1,pi_1,ch_1\r\n" +
	"txn_3,2026-06-02 11:00:00,,,jpy,4000.00,144.00,3856.00,charge,ch_3,,,pi_3,ch_3\r\n" +
	"txn_4,2026-06-03 00:00:00,,,eur,1.79,0.00,1.79,payout_reversal,po_0,,,,\r\n" +
	",,,,,,,,,,,,,\r\n\r\n"

func TestReadsStripesReport(t *testing.T) {
	t.Parallel()
	lines, _, err := finance.ReadSettlement([]byte(stripeReport))
	if err != nil {
		t.Fatal(err)
	}
	want := []finance.SettlementLine{
		{No: 2, Txn: "txn_1", Category: "charge", Ref: "pi_1", Payout: "po_1", Gross: 10600, Fee: 179, Net: 10421, Currency: "EUR", At: time.Date(2026, 6, 1, 10, 0, 0, 0, time.UTC)},
		{No: 3, Txn: "txn_2", Category: "refund", Ref: "pi_1", Payout: "po_1", Gross: -10600, Net: -10600, Currency: "EUR", At: time.Date(2026, 6, 1, 11, 0, 0, 0, time.UTC)},
		{No: 4, Txn: "txn_3", Category: "charge", Ref: "pi_3", Gross: 4000, Fee: 144, Net: 3856, Currency: "JPY", At: time.Date(2026, 6, 2, 11, 0, 0, 0, time.UTC)},
		{No: 5, Txn: "txn_4", Category: "payout", Ref: "po_0", Gross: 179, Net: 179, Currency: "EUR", At: time.Date(2026, 6, 3, 0, 0, 0, 0, time.UTC)},
	}
	if len(lines) != len(want) {
		t.Fatalf("%d lines, want %d", len(lines), len(want))
	}
	for i := range want {
		if lines[i] != want[i] {
			t.Errorf("line %d\n got %+v\nwant %+v", i, lines[i], want[i])
		}
	}
}

func TestReadsBothConventions(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"point":      "txn,category,ref,gross,fee,currency,at\nt1,charge,pi_1,12.34,0.56,EUR,2026-06-01\n",
		"comma":      "txn;category;ref;gross;fee;currency;at\nt1;charge;pi_1;12,34;0,56;EUR;2026-06-01\n",
		"quoted":     "txn,category,ref,gross,fee,currency,at\nt1,charge,pi_1,\"12,34\",\"0,56\",EUR,2026-06-01\n",
		"tabs":       "txn\tcategory\tref\tgross\tfee\tcurrency\tat\nt1\tcharge\tpi_1\t12.34\t.56\tEUR\t2026-06-01\n",
		"other case": "TXN, Category ,REF,Gross,FEE,Currency,AT\r\nt1,Charge,pi_1, 12.34 ,0.56,eur,2026-06-01T00:00:00Z\r\n",
	} {
		lines, _, err := finance.ReadSettlement([]byte(strings.ReplaceAll(text, "\t.56", "\t0.56")))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if l := lines[0]; l.Gross != 1234 || l.Fee != 56 || l.Net != 1178 || l.Currency != "EUR" || l.Ref != "pi_1" {
			t.Errorf("%s: %+v", name, l)
		}
	}
}

func TestRefusesTheWholeFile(t *testing.T) {
	t.Parallel()
	good := "t0,charge,pi_0,,1.00,0.10,0.90,EUR,2026-06-01\n"
	for name, c := range map[string]struct{ text, says string }{
		"empty":               {"", "the file is empty"},
		"nothing in it":       {ownHeader, "a header and no lines"},
		"no header":           {good, "the header has no column txn, category"},
		"column missing":      {"txn,category,ref,gross,currency,at\n", "the header has no column fee;"},
		"column twice":        {"txn,category,ref,gross,fee,currency,at,FEE\n", `a column "fee" twice`},
		"not UTF-8":           {ownHeader + "t\xff,charge\n", "not UTF-8"},
		"UTF-16":              {"\xff\xfet\x00x\x00n\x00", "not UTF-8"},
		"field missing":       {ownHeader + good + "t1,charge,pi_1\n", "line 3: 3 fields, the header has 9"},
		"comma not quoted":    {ownHeader + good + "t1,charge,pi_1,,1,00,0.10,0.90,EUR,2026-06-01\n", "line 3: 10 fields, the header has 9"},
		"quote in the middle": {ownHeader + good + "t1,ch\"arge,pi_1,,1.00,0.10,0.90,EUR,2026-06-01\n", `line 3: column 6: bare " in non-quoted-field`},
		"no id":               {ownHeader + good + ",charge,pi_1,,1.00,0.10,0.90,EUR,2026-06-01\n", `line 3, column txn: "": every line needs`},
		"category":            {ownHeader + good + "t1,gift,pi_1,,1.00,0.10,0.90,EUR,2026-06-01\n", `line 3, column category: "gift": this category is not known`},
		"currency":            {ownHeader + good + "t1,charge,pi_1,,1.00,0.10,0.90,EURO,2026-06-01\n", `line 3, column currency: "EURO": unknown currency`},
		"no amount":           {ownHeader + good + "t1,charge,pi_1,,,0.10,0.90,EUR,2026-06-01\n", `line 3, column gross: "": not an amount`},
		"three decimals":      {ownHeader + good + "t1,charge,pi_1,,1.001,0.10,0.90,EUR,2026-06-01\n", `line 3, column gross: "1.001": not an amount: "1.001" has 3 decimal digits, EUR has 2`},
		"thousands":           {ownHeader + good + `t1,charge,pi_1,,"1,000.00",0.10,0.90,EUR,2026-06-01`, `line 3, column gross: "1,000.00": not an amount: the decimals of this file are divided by '.'`},
		"both conventions":    {ownHeader + good + `t1,charge,pi_1,,"1,00",0.10,0.90,EUR,2026-06-01`, `line 3, column gross: "1,00": not an amount`},
		"thousands of yen":    {ownHeader + `t1,charge,pi_1,,1.000,0,1.000,JPY,2026-06-01`, `"1.000" has 3 decimal digits, JPY has 0`},
		"exponent":            {ownHeader + good + "t1,charge,pi_1,,1e2,0.10,0.90,EUR,2026-06-01\n", `line 3, column gross: "1e2"`},
		"too large":           {ownHeader + good + "t1,charge,pi_1,,92233720368547758.07,0,92233720368547758.07,EUR,2026-06-01\n", "too large"},
		"does not add up":     {ownHeader + good + "t1,charge,pi_1,,1.00,0.10,0.91,EUR,2026-06-01\n", `line 3, column net: "0.91": gross 1.00 less fee 0.10 is 0.90`},
		"time":                {ownHeader + good + "t1,charge,pi_1,,1.00,0.10,0.90,EUR,1/6/2026\n", `line 3, column at: "1/6/2026": no time`},
		"year":                {ownHeader + good + "t1,charge,pi_1,,1.00,0.10,0.90,EUR,0026-06-01\n", `line 3, column at: "0026-06-01": no time of a settlement`},
		"charge of nothing":   {ownHeader + good + "t1,charge,,,1.00,0.10,0.90,EUR,2026-06-01\n", `line 3, column ref: "": a charge needs the id`},
		"control character":   {ownHeader + good + "t1,charge,\"pi\x00\",,1.00,0.10,0.90,EUR,2026-06-01\n", "no control characters"},
		"twice, different":    {ownHeader + good + "t1,charge,pi_1,,1.00,0.10,0.90,EUR,2026-06-01\nt0,charge,pi_0,,2.00,0.10,1.90,EUR,2026-06-01\n", `line 4, column txn: "t0": line 2 has it too, and says something else`},
	} {
		lines, _, err := finance.ReadSettlement([]byte(c.text))
		if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want %q", name, err, c.says)
		}
		if lines != nil {
			t.Errorf("%s: refused, and %d lines are given", name, len(lines))
		}
	}
}

func TestCountsALineOnceThatIsThereTwice(t *testing.T) {
	t.Parallel()
	line := "t0,charge,pi_0,,1.00,0.10,0.90,EUR,2026-06-01\n"
	lines, _, err := finance.ReadSettlement([]byte(ownHeader + line + line))
	if err != nil || len(lines) != 1 {
		t.Errorf("%d lines, %v", len(lines), err)
	}
}

// FuzzReadSettlement: whatever is read, each line adds up and has what its category needs; and what is refused says in which line.
func FuzzReadSettlement(f *testing.F) {
	f.Add([]byte(stripeReport))
	f.Add([]byte(ownHeader + "t0,charge,pi_0,,1.00,0.10,0.90,EUR,2026-06-01\n\"t\n1\",refund,pi_0,po_1,-1.00,,-1.00,EUR,2026-06-01 10:00:00\n"))
	f.Add([]byte("txn;category;ref;gross;fee;currency;at\nt1;charge;pi_1;12,34;0,56;EUR;2026-06-01\n"))
	f.Add([]byte("txn\tcategory\tref\tgross\tfee\tcurrency\tat\nt1\tpayout\tpo_1\t-1200.00\t0\tJPY\t2026-06-01T00:00:00.123456789+02:00\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		lines, _, err := finance.ReadSettlement(text)
		if err != nil {
			var bad *finance.LineError
			if errors.As(err, &bad) && bad.Line < 1 {
				t.Fatalf("refused without a line: %v", err)
			}
			if lines != nil {
				t.Fatalf("refused with %d lines: %v", len(lines), err)
			}
			return
		}
		seen := map[string]bool{}
		for _, l := range lines {
			if seen[l.Txn] || l.Txn == "" || l.No < 2 || l.Gross-l.Fee != l.Net || l.At.Location() != time.UTC || l.At.Nanosecond()%1000 != 0 {
				t.Fatalf("%+v", l)
			}
			if l.Ref == "" && l.Category != "fee" && l.Category != "adjustment" {
				t.Fatalf("%+v", l)
			}
			seen[l.Txn] = true
		}
	})
}
