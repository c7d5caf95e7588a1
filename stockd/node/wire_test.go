package node

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"ticketrush/client"
	"ticketrush/room"
	"ticketrush/room/host"
)

var updateWire = flag.Bool("update-wire", false, "write what nodes say to each other today as what the version before says")

// wireDocs are what nodes, edges and clients say to each other.
var wireDocs = map[string]any{
	"command": commandDoc{}, "answer": commandAnswer{}, "hold": holdDoc{}, "nudge": nudgeDoc{}, "goodbye": goodbyeDoc{}, "announce": announceDoc{}, "counts": countsDoc{},
	"routes": client.RoutesDocument{}, "room_claim": client.RoomClaim{}, "room_claimed": host.Claimed{}, "room_renew": client.RoomRenew{}, "room_leave": client.RoomLeave{},
	"room_ban": client.RoomBan{}, "room_redeem": client.RoomRedeem{}, "room_redeemed": client.RoomRedeemed{}, "room_issue": client.RoomIssue{}, "room_codes": client.RoomCodes{},
	"room_offer": client.RoomOffer{}, "room_offered": client.RoomOffered{}, "room_handover": client.RoomHandover{}, "room_place": room.Place{},
	"room_change": host.Change{}, "room_problem": client.RoomProblem{}, "room_edge": client.RoomEdge{},
}

// fill gives every field a value that is not its zero.
func fill(v reflect.Value, n *int) {
	*n++
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Field(i).CanSet() {
				fill(v.Field(i), n)
			}
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), n)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0), n)
	case reflect.Array:
		for i := range v.Len() {
			fill(v.Index(i), n)
		}
	case reflect.String:
		v.SetString("s" + string(rune('a'+*n%26)))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint(uint64(*n%100 + 1))
	case reflect.Float32, reflect.Float64:
		v.SetFloat(float64(*n%100) + 0.5)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		v.SetInt(int64(*n%100 + 1))
	default:
		panic("a field of kind " + v.Kind().String())
	}
}

func filled(of any) []byte {
	v, n := reflect.New(reflect.TypeOf(of)), 0
	fill(v.Elem(), &n)
	text, err := json.MarshalIndent(v.Interface(), "", "  ")
	if err != nil {
		panic(err)
	}
	return append(text, '\n')
}

// lost is what of a document another does not have, as the path to it.
func lost(old, now any, path string) string {
	switch old := old.(type) {
	case map[string]any:
		other, _ := now.(map[string]any)
		for name, value := range old {
			if l := lost(value, other[name], path+"/"+name); l != "" {
				return l
			}
		}
		return ""
	case []any:
		other, _ := now.([]any)
		if len(other) != len(old) {
			return path
		}
		for i := range old {
			if l := lost(old[i], other[i], path+"/0"); l != "" {
				return l
			}
		}
		return ""
	}
	if !reflect.DeepEqual(old, now) {
		return path
	}
	return ""
}

// Nodes of two versions run side by side while an upgrade goes round. testdata/wire has each document as the version before says it, with all that
// it may say: this one has to understand all of it and still say it, and what it says beside it must not disturb the version before.
func TestTheVersionBeforeIsUnderstood(t *testing.T) {
	t.Parallel()
	for name, of := range wireDocs {
		path := filepath.Join("testdata", "wire", name+".json")
		if *updateWire {
			if err := os.WriteFile(path, filled(of), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		before, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		v := reflect.New(reflect.TypeOf(of))
		if err := json.Unmarshal(before, v.Interface()); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		now, err := json.Marshal(v.Interface())
		if err != nil {
			t.Fatal(err)
		}
		var was, is any
		if err := errors.Join(json.Unmarshal(before, &was), json.Unmarshal(now, &is)); err != nil {
			t.Fatal(err)
		}
		if l := lost(was, is, ""); l != "" {
			t.Errorf("%s: %s, which the version before says, is not understood or not said any more", name, l)
		}
		later := bytes.Replace(before, []byte("{"), []byte(`{"from_a_later_version": [1, {"x": 2}],`), 1)
		if err := json.Unmarshal(later, reflect.New(reflect.TypeOf(of)).Interface()); err != nil {
			t.Errorf("%s: what a later version adds disturbs: %v", name, err)
		}
	}
}
