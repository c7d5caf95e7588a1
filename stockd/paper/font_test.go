package paper

import "testing"

func TestWhatThePDFCanShow(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"Ada Lovelace": true, "Łukasz Đorđević": true, "Ἀθῆναι": true, "Дмитрий": true, "Nguyễn Thị Ánh": true, "Նարեկ": true, "ნინო": true, "O’Brien–Smith": true, "": true,
		"山田太郎": false, "김철수": false, "محمد": false, "דוד": false, "सीता": false, "ณัฐ": false, "😀": false, "a\tb": false, "x\u0324\u0330": false,
	} {
		if _, got := settable(text); got != want {
			t.Errorf("settable(%q) = %v", text, got)
		}
	}
	// Composed first: a letter and its mark may be one letter.
	if text, ok := settable("Zoe\u0308"); !ok || text != "Zo\u00eb" {
		t.Errorf("%q %v", text, ok)
	}
	if plain("山田") != elsewhere || plain("Ada") != "Ada" {
		t.Error("what cannot be shown is not replaced")
	}
}
