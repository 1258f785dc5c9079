package cli_test

import (
	"strings"
	"testing"

	"github.com/matryer/is"
)

func TestGetShowsTheRoutesFieldsAndHowItsUpstreamIs(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	h := startHost(t)
	up := h.Upstream("alpha")
	h.must(put("shop", up.Port(), "--enable-ssl=false", "--aliases", "www.shop.example.test", "--read-timeout", "5m")...)
	rows := func() map[string]string {
		m := map[string]string{}
		for line := range strings.Lines(h.must("get", "shop").stdout) {
			field, value, _ := strings.Cut(line, "  ")
			m[field] = strings.TrimSpace(value)
		}
		return m
	}
	got := rows()
	for field, want := range map[string]string{
		"FIELD": "VALUE", "name": "shop", "status": "active", "domains": "shop.example.test www.shop.example.test",
		"upstream": up.URL(), "upstream is": "healthy", "https": "no", "enable_ssl": "no", "enabled": "yes", "read_timeout": "5m",
	} {
		is.Equal(got[field], want)
	}
	up.SetHealthy(false)
	h.edit("fpai-shop.conf")
	got = rows()
	is.Equal(got["status"], "active, drifted")
	is.True(strings.HasPrefix(got["upstream is"], "unhealthy "))
}
