package rush

import (
	"fmt"
	"math"
	"strings"
)

// Size of a chart's drawing, in the units of its view box.
const (
	chartWidth, chartHeight         = 640.0, 220.0
	chartLeft, chartRight           = 56.0, 12.0
	chartTop, chartBottom           = 12.0, 28.0
	gridLines, timeMarks, pointsMax = 4, 6, 400
)

// series is one line of a chart; one value per second.
type series struct {
	Name, Class, Points string
	values              []float64
}

// mark is a labelled place on an axis.
type mark struct {
	At   float64
	Text string
}

// chart is a line chart, ready for the template.
type chart struct {
	Title, Unit, Alt           string
	Width, Height, Left, Right float64
	Bottom, LabelX, LabelY     float64
	Series                     []series
	Grid, Time                 []mark
}

func newChart(title, unit string, lines ...series) chart {
	c := chart{
		Title: title, Unit: unit, Width: chartWidth, Height: chartHeight, Left: chartLeft, Right: chartWidth - chartRight,
		Bottom: chartHeight - chartBottom, LabelX: chartLeft - 6, LabelY: chartHeight - 8,
	}
	highest, seconds := 0.0, 1
	var names []string
	for _, l := range lines {
		seconds = max(seconds, len(l.values)-1)
		top := 0.0
		for _, v := range l.values {
			top = max(top, v)
		}
		highest = max(highest, top)
		names = append(names, fmt.Sprintf("%s up to %s", l.Name, grouped(int(top))))
	}
	c.Alt = fmt.Sprintf("%s in %s over %d seconds: %s.", title, unit, seconds, strings.Join(names, ", "))
	step := niceStep(highest / gridLines)
	ceiling := step * math.Max(1, math.Ceil(highest/step))
	x := func(second float64) float64 {
		return chartLeft + second/float64(seconds)*(chartWidth-chartLeft-chartRight)
	}
	y := func(v float64) float64 { return c.Bottom - v/ceiling*(c.Bottom-chartTop) }
	for v := 0.0; v <= ceiling+step/2; v += step {
		c.Grid = append(c.Grid, mark{y(v), grouped(int(v))})
	}
	every := max(1, niceStep(float64(seconds)/timeMarks))
	for t := 0.0; t <= float64(seconds); t += every {
		c.Time = append(c.Time, mark{x(t), fmt.Sprintf("%.0f s", t)})
	}
	for _, l := range lines {
		l.Points = points(l.values, x, y)
		c.Series = append(c.Series, l)
	}
	return c
}

// points is a polyline; of a long rush every n-th second is the mean of its neighbours.
func points(values []float64, x, y func(float64) float64) string {
	bucket := max(1, (len(values)+pointsMax-1)/pointsMax)
	var b strings.Builder
	for i := 0; i < len(values); i += bucket {
		part := values[i:min(i+bucket, len(values))]
		sum := 0.0
		for _, v := range part {
			sum += v
		}
		fmt.Fprintf(&b, "%.1f,%.1f ", x(float64(i)), y(sum/float64(len(part))))
	}
	return strings.TrimSpace(b.String())
}

// niceStep is the next of 1, 2, 5, 10, 20, 50 … that is not below v.
func niceStep(v float64) float64 {
	if v <= 1 {
		return 1
	}
	magnitude := math.Pow(10, math.Floor(math.Log10(v)))
	for _, m := range []float64{1, 2, 5} {
		if m*magnitude >= v {
			return m * magnitude
		}
	}
	return 10 * magnitude
}
