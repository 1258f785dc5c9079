package enginetest

import "github.com/fullpotential-ai/proxy-manager/engine"

// EngineOptions returns options with which an engine works on this lab and on nothing else:
//
//	eng, err := engine.Open(lab.EngineOptions())
func (l *Lab) EngineOptions() engine.Options {
	return engine.Options{
		Nginx: engine.NginxOptions{
			Bin: l.NginxBin, Conf: l.NginxConf, SitesAvailable: l.SitesAvailable, SitesEnabled: l.SitesEnabled,
			HTTPPort: l.HTTPPort, HTTPSPort: l.HTTPSPort,
		},
		Certbot: engine.CertbotOptions{Bin: l.CertbotBin, ConfigDir: l.CertbotConfigDir, WorkDir: l.CertbotWorkDir, LogsDir: l.CertbotLogsDir},
		ACME:    engine.ACMEOptions{DirectoryURL: l.ACMEDirectoryURL},
		State:   engine.StateOptions{Dir: l.StateDir},
	}
}
