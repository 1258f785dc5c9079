package facade

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/matryer/is"
)

func TestTrafficIsThatOfTheLastMinuteAndTheLastHour(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		is := is.New(t)
		traffic := newTraffic(time.Now)
		is.Equal(traffic.recent(), recent{})
		traffic.count(200, 10*time.Millisecond)
		traffic.count(500, 30*time.Millisecond)
		is.Equal(traffic.recent(), recent{Total: 2, ErrorsLastHour: 1, PerMinute: 2, Average: 20 * time.Millisecond, ErrorRate: 50})
		time.Sleep(time.Minute)
		is.Equal(traffic.recent(), recent{Total: 2, ErrorsLastHour: 1, PerMinute: 0, Average: 20 * time.Millisecond, ErrorRate: 50})
		time.Sleep(time.Hour - time.Minute)
		is.Equal(traffic.recent(), recent{Total: 2})
		traffic.count(404, 0) // in a second that was used an hour ago
		is.Equal(traffic.recent(), recent{Total: 3, PerMinute: 1})
	})
}
