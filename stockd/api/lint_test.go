package api

import (
	"testing"

	"github.com/pb33f/libopenapi"
)

func TestContractHasNoDanglingReferences(t *testing.T) {
	t.Parallel()
	doc, err := libopenapi.NewDocument(Contract)
	if err != nil {
		t.Fatal(err)
	}
	model, err := doc.BuildV3Model()
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range model.Index.GetReferenceIndexErrors() {
		t.Error(e)
	}
	for _, e := range model.Index.GetOperationParametersIndexErrors() {
		t.Error(e)
	}
}
