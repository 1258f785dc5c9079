package enginetest

import "github.com/fullpotential-ai/proxy-manager/engine"

// EngineOptions returns options with which an engine works on this lab and on nothing else:
//
//	eng, err := engine.Open(lab.EngineOptions())
func (l *Lab) EngineOptions() engine.Options {
	return engine.Options{
		NginxBin: l.NginxBin, NginxConf: l.NginxConf,
		SitesAvailable: l.SitesAvailable, SitesEnabled: l.SitesEnabled,
		StateDir: l.StateDir,
		HTTPPort: l.HTTPPort, HTTPSPort: l.HTTPSPort,
		CertbotBin: l.CertbotBin, CertbotConfigDir: l.CertbotConfigDir,
		CertbotWorkDir: l.CertbotWorkDir, CertbotLogsDir: l.CertbotLogsDir,
		ACMEDirectoryURL: l.ACMEDirectoryURL,
	}
}
