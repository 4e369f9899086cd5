#!/bin/sh
# As in the official image: an option, or what is no command, goes to node.
set -e
if [ "${1#-}" != "$1" ] || [ -z "$(command -v "$1")" ]; then
  set -- node "$@"
fi
exec "$@"
