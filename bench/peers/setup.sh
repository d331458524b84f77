#!/usr/bin/env bash
# Creates the environment of the peers outside the repository: setup.sh [FOLDER]
# FOLDER defaults to ~/.cache/lathe-peers; the last line printed is the path of its python.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
folder=${1:-${LATHE_PEERS:-$HOME/.cache/lathe-peers}}
wanted=$(sha256sum "$here/requirements.txt" | cut -d' ' -f1)
if [[ -x $folder/bin/python && $(cat "$folder/requirements.sha256" 2>/dev/null) == "$wanted" ]]; then
  echo "$folder/bin/python"
  exit 0
fi
if ! python3 -c 'import ensurepip' 2>/dev/null; then
  echo "setup.sh: python3-venv is missing; apt-get install python3-venv" >&2
  exit 1
fi
if [[ ! -x $folder/bin/python ]]; then
  python3 -m venv "$folder" >&2
fi
# The same release without CUDA is far smaller; where no such build is offered, the plain one does.
index=${LATHE_TORCH_INDEX:-}
if [[ -n $index ]]; then
  torch=$(grep '^torch==' "$here/requirements.txt")
  "$folder/bin/pip" install --quiet --index-url "$index" "$torch" >&2
fi
"$folder/bin/pip" install --quiet -r "$here/requirements.txt" >&2
echo "$wanted" >"$folder/requirements.sha256"
echo "$folder/bin/python"
