package client

import (
	"bytes"
	"encoding/json"
	"slices"
	"time"

	"github.com/cespare/xxhash/v2"

	"ticketrush/room"
	"ticketrush/stockd/stock"
)

// RoomsPath is where the internal listeners answer about waiting rooms. Below it, for one room:
//
//	PUT  {room}          RoomEnter → RoomEntered     GET  {room}         → RoomState
//	POST {room}/sync     room.Report → room.Answer   POST {room}/claim   RoomClaim → host.Claimed
//	POST {room}/renew    RoomRenew → room.Session    POST {room}/leave   RoomLeave
//	POST {room}/ban      RoomBan                     POST {room}/change  host.Change
//	POST {room}/redeem   RoomRedeem → RoomRedeemed   POST {room}/codes   RoomIssue → RoomCodes
//	POST {room}/offer    RoomOffer → RoomOffered     POST {room}/handover  RoomHandover → room.Place
//	GET  {room}/receipt?tid=  → draw.Receipt         GET  {room}/draw    → package draw's file
//	GET  {room}/log/…         → a file of package openlog
//
// The answer to a sync is EncodeSynced's. GET of RoomsPath itself lists all rooms ([]RoomState), with ?here=1 those that the node owns. A refusal is a RoomProblem.
const RoomsPath = "/internal/v1/rooms"

// Bounds of what is asked about a room, in bytes and milliseconds.
const (
	RoomReportMax = 4 << 20  // a report with all of its lines and 32,768 tids of the lobby has about 900 kB
	RoomBodyMax   = 64 << 10 // of everything else
	RoomWaitMax   = 30 * time.Second
)

// PartitionOfRoom is the partition whose owner owns a room.
func PartitionOfRoom(name string) stock.PartitionID {
	return stock.PartitionID(xxhash.Sum64String("room/"+name) % stock.Partitions)
}

// RoomEnter asks for a room with these settings; it is created when there is none.
type RoomEnter struct {
	Settings room.Settings `json:"settings"`
}

// RoomEntered is a room as it is: where its settings are not those that were asked for they stay, and Differences says where.
type RoomEntered struct {
	Settings    room.Settings    `json:"settings"`
	Number      uint32           `json:"number"` // what its passes carry
	Created     bool             `json:"created"`
	Differences []RoomDifference `json:"differences,omitempty"`
}

// RoomDifference is a setting that is not as it was asked for; values as in the JSON of room.Settings, empty where there is none.
type RoomDifference struct {
	Setting string `json:"setting"`
	Asked   string `json:"asked"`
	InForce string `json:"in_force"`
}

// EncodeSynced writes the answer to a sync: its JSON on one line, and after it the document as it is. Most answers in a rush bring one, and inside the JSON it
// would be a third longer and be looked through byte by byte.
func EncodeSynced(a *room.Answer) ([]byte, error) {
	head := *a
	head.Document = nil
	text, err := json.Marshal(&head)
	if err != nil {
		return nil, err
	}
	text = slices.Grow(text, 1+len(a.Document))
	return append(append(text, '\n'), a.Document...), nil
}

// DecodeSynced reads what EncodeSynced wrote. What no owner of a room says is an error (room.ErrAnswer, or that of the JSON).
func DecodeSynced(text []byte) (*room.Answer, error) {
	head, document, _ := bytes.Cut(text, []byte("\n"))
	var a room.Answer
	if err := json.Unmarshal(head, &a); err != nil {
		return nil, err
	}
	if a.Document = nil; len(document) > 0 {
		a.Document = document
	}
	if err := a.Validate(); err != nil {
		return nil, err
	}
	return &a, nil
}

// RoomClaim is room.Claim; how long it waits is told instead of until when, for clocks differ.
type RoomClaim struct {
	Tid    room.Tid `json:"tid"`
	Rank   uint64   `json:"rank"`
	Handed uint16   `json:"handed,omitempty"`
	WaitMs int64    `json:"wait_ms"`
}

// RoomRenew asks for a new life of a pass; LifeMs 0: of the usual one.
type RoomRenew struct {
	Tid     room.Tid `json:"tid"`
	Renewal uint16   `json:"renewal"`
	LifeMs  int64    `json:"life_ms,omitempty"`
}

// RoomLeave ends a pass.
type RoomLeave struct {
	Tid room.Tid `json:"tid"`
}

// RoomBan ends an admission, and refuses claims until a moment, Unix milliseconds.
type RoomBan struct {
	Tid   room.Tid `json:"tid"`
	Until int64    `json:"until"`
}

// RoomRedeem asks for a place for an access code.
type RoomRedeem struct {
	Tid    room.Tid `json:"tid"`
	Serial uint32   `json:"serial"`
	Uses   int      `json:"uses"` // as often as the code may be used
}

// RoomRedeemed is the place.
type RoomRedeemed struct {
	Rank uint64 `json:"rank"`
}

// RoomOffer has a place wait for a code; with Look it only asks whether it does.
type RoomOffer struct {
	Place room.Place  `json:"place"`
	Code  room.Digest `json:"code"`
	Look  bool        `json:"look,omitempty"`
}

// RoomOffered says how long the code is good.
type RoomOffered struct {
	LeftMs int64 `json:"left_ms"`
}

// RoomHandover asks for the place that waits for a code.
type RoomHandover struct {
	Code  room.Digest `json:"code"`
	Taker room.Digest `json:"taker"`
}

// RoomIssue asks for serial numbers of access codes.
type RoomIssue struct {
	Count  uint32 `json:"count"`
	Reason string `json:"reason"`
}

// RoomCodes are the numbers from First on.
type RoomCodes struct {
	First uint32 `json:"first"`
}

// RoomState is a room at a glance, as its owner sees it; of one that no owner answers for only Room, Number and Partition are told.
type RoomState struct {
	Room      string        `json:"room"`
	Number    uint32        `json:"number"`
	Partition int32         `json:"partition"`
	Owner     string        `json:"owner,omitempty"` // the node's id
	Epoch     int64         `json:"epoch,omitempty"`
	Since     time.Time     `json:"since,omitzero"`       // when that node began to own it
	NotReady  string        `json:"not_ready,omitempty"`  // why it decides nothing just now
	DrawWaits string        `json:"draw_waits,omitempty"` // for what the draw of its lobby waits
	Phase     room.Phase    `json:"phase,omitempty"`
	Edition   uint16        `json:"edition,omitempty"`
	Waiting   uint64        `json:"waiting"`
	Inside    int           `json:"inside"`
	MaxActive int           `json:"max_active"`
	Rate      float64       `json:"rate"`
	ShowRate  float64       `json:"show_rate"`
	Joined    uint64        `json:"joined"`
	Granted   uint64        `json:"granted"`
	Admitted  float64       `json:"admitted"` // passes issued per second, lately
	Strain    float64       `json:"strain"`   // of its node, 0 to 1
	Stock     *int64        `json:"stock,omitempty"`
	Edges     []RoomEdge    `json:"edges,omitempty"`
	Settings  room.Settings `json:"settings"`
}

// RoomEdge is an edge that has synced lately.
type RoomEdge struct {
	Edge        string `json:"edge"`
	Incarnation uint64 `json:"incarnation"`
	AgoMs       int64  `json:"ago_ms"`
}
