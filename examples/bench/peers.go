package main

import "context"

func (b *bench) peerParts() []part { return []part{{"caddy", b.measureCaddy}} }

func (b *bench) measureCaddy(ctx context.Context) error { return nil }
