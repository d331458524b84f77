#!/usr/bin/env bash
# Builds llama.cpp's tools from the source distribution of llama-cpp-python, for this processor, as
# its default flags do: setup_llama.sh PYTHON (that of setup.sh). They come to lie beside that
# environment; the last line printed is their folder. About ten minutes on two cores, once.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
python=$1
version=0.3.36
folder=$(cd "$(dirname "$python")/.." && pwd)/llama.cpp-$version
tools=(llama-bench llama-batched-bench llama-completion llama-quantize llama-perplexity)
wanted="$version $(cd "$here" && "$python" -B -c 'import isa; print(isa.machine())') ${tools[*]}"
if [[ $(cat "$folder/built" 2>/dev/null) == "$wanted" ]]; then
  echo "$folder/build/bin"
  exit 0
fi
for program in cmake ninja g++; do
  if ! command -v "$program" >/dev/null; then
    echo "setup_llama.sh: $program is missing; tools/install_packages.sh brings it" >&2
    exit 1
  fi
done
rm -rf "$folder/build"
mkdir -p "$folder"
if [[ ! -d $folder/source ]]; then
  "$python" -m pip download --quiet --no-deps --no-binary llama-cpp-python --dest "$folder" \
    "llama-cpp-python==$version" >&2
  mkdir "$folder/unpacked"
  tar -xzf "$folder"/llama_cpp_python-*.tar.gz -C "$folder/unpacked" --strip-components 3 \
    "llama_cpp_python-$version/vendor/llama.cpp"
  mv "$folder/unpacked" "$folder/source"
fi
cmake -S "$folder/source" -B "$folder/build" -G Ninja -DCMAKE_BUILD_TYPE=Release \
  -DBUILD_SHARED_LIBS=OFF -DGGML_NATIVE=ON -DLLAMA_CURL=OFF -DLLAMA_BUILD_TESTS=OFF \
  -DLLAMA_BUILD_SERVER=OFF -DLLAMA_BUILD_UI=OFF >"$folder/cmake.log" 2>&1 ||
  { tail -n 20 "$folder/cmake.log" >&2; exit 1; }
cmake --build "$folder/build" --target "${tools[@]}" >"$folder/build.log" 2>&1 ||
  { tail -n 20 "$folder/build.log" >&2; exit 1; }
echo "$wanted" >"$folder/built"
echo "$folder/build/bin"
