package daemon

import (
	"github.com/assertd/assertd/internal/atomicfile"
	"github.com/assertd/assertd/internal/keyset"
	"github.com/assertd/assertd/jwks"
)

// files writes files without making the daemon wait for a disk.
func (d *Daemon) files() *atomicfile.Writer {
	return &atomicfile.Writer{Command: d.WriterCommand, Logger: d.Logger}
}

func (d *Daemon) publicationConfig() jwks.PublicationConfig {
	settings := d.Config.JWKS
	config := jwks.PublicationConfig{
		Content: d.published, Listen: settings.Listen, File: settings.File, Files: d.files(), Logger: d.Logger, Trust: d.Config.Trust(),
		Publisher: jwks.PublisherConfig{
			Issuer: settings.Issuer, MaxAge: settings.MaxAge.Std(), Now: d.Now, Logger: d.Logger,
			Proxies: settings.TrustedProxies(), ClientAddress: settings.ClientAddress,
		},
	}
	if settings.TLS != nil {
		config.CertFile, config.KeyFile = settings.TLS.Cert, settings.TLS.Key
	}
	return config
}

// published returns the keys to publish now.
func (d *Daemon) published() (jwks.Content, error) {
	return d.ring.Ring().Content(keyset.Documents{PerSet: d.Config.JWKS.PerKeySet, Bundles: d.Config.TrustDomains(), Issuers: d.publishedIssuers()})
}

// publishKeys publishes the keys while the group runs.
func (d *Daemon) publishKeys(g *group) error {
	if err := d.publish.Listen(); err != nil {
		return err
	}
	g.run(d.publish.Run)
	g.run(d.publish.Serve)
	return nil
}
