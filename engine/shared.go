package engine

import (
	"strings"

	"github.com/fullpotential-ai/proxy-manager/plan"
	"github.com/fullpotential-ai/proxy-manager/resources"
)

// planShared keeps the files that routes share: there while a route needs them, and gone with the last.
func (pl *planner) planShared() error {
	needed, https := false, false
	for r := range pl.allAfterwards() {
		needed = needed || r.Enabled()
		if https = r.Enabled() && r.EnableSSL(); https {
			break
		}
	}
	var maps, fallback []byte
	var err error
	if needed {
		if maps, err = resources.RenderMaps(pl.s.settings); err != nil {
			return failf(Internal, err, "render %s", resources.MapsFile)
		}
		if !pl.e.opts.NoDefaultServer {
			if fallback, err = resources.RenderDefault(pl.s.settings, pl.freeDefaults(https)); err != nil {
				return failf(Internal, err, "render %s", resources.DefaultFile)
			}
		}
	}
	if err := pl.planSharedFile("_maps", maps); err != nil {
		return err
	}
	return pl.planSharedFile("_default", fallback)
}

func (pl *planner) planSharedFile(name string, text []byte) error {
	t := pl.s.sites[name]
	if t == nil {
		t = pl.e.newSite(name)
	}
	address := "shared." + name[1:]
	if text == nil {
		if t.ours {
			pl.gone.drop(address, t)
			pl.reload = pl.reload || t.enabled
		}
		return nil
	}
	if t.file.Exists && !t.ours {
		return unmanaged(t.path)
	}
	if t.linkState.Exists && !t.enabled {
		return unmanaged(t.link)
	}
	pl.planSite(&pl.shared, address, t, plan.File(text, 0o644), true)
	return nil
}

// freeDefaults returns the sockets whose default server no other site of the host is. Two default servers on one socket
// would keep nginx from starting; none would hand unknown hosts to the first route in the alphabet.
func (pl *planner) freeDefaults(https bool) resources.DefaultListens {
	s := pl.s.settings
	free := resources.DefaultListens{HTTP4: true, HTTP6: s.IPv6, HTTPS4: https, HTTPS6: https && s.IPv6}
	for _, site := range pl.s.foreign {
		for _, l := range site.Listens {
			if !l.Default {
				continue
			}
			switch {
			case l.Port == s.HTTPPort && (l.Address == "" || l.Address == "0.0.0.0"):
				free.HTTP4 = false
			case l.Port == s.HTTPPort && l.Address == "::":
				free.HTTP6 = false
			case l.Port == s.HTTPSPort && (l.Address == "" || l.Address == "0.0.0.0"):
				free.HTTPS4 = false
			case l.Port == s.HTTPSPort && l.Address == "::":
				free.HTTPS6 = false
			}
		}
	}
	return free
}

// isShared tells the names of files that routes share from those of routes.
func isShared(name string) bool { return strings.HasPrefix(name, "_") }
