#!/bin/sh
# An apply that the last container was stopped in is undone before nginx looks at the files.
set -eu
proxy-manager recover
# In the background, with its own master: that is who takes the reloads. Its error log stays a file, since that is where
# nginx says why it kept an old configuration.
nginx
exec proxy-manager serve
