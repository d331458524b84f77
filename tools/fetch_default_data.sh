#!/bin/sh
# Makes build/data/english/{train,valid}.jsonl: about 15 MB of English from Debian packages, for the
# demo and for first experiments. What it is and under which licences: docs/data.md.
#
#   tools/fetch_default_data.sh [FOLDER]      default: build/data/english; done at once if it is there
#
# Nothing is installed: packages are downloaded and unpacked into a scratch folder. Needs apt-get,
# dpkg, awk and gzip. The result depends only on the versions of the packages.
set -eu
cd "$(dirname "$0")/.."
target=${1:-build/data/english}
packages="bible-kjv bible-kjv-text wordnet-base dict-jargon dict-devil libreadline8"
export LC_ALL=C

if [ -s "$target/train.jsonl" ] && [ -s "$target/valid.jsonl" ]; then
  echo "default data: $target is there"
  exit 0
fi
mkdir -p "$target"
scratch=$(mktemp -d "$(dirname "$target")/fetch.XXXXXX")
trap 'rm -rf "$scratch"' EXIT
trap 'exit 130' INT TERM

echo "default data: downloading $packages"
if ! (cd "$scratch" && apt-get -q download $packages) > "$scratch/apt.log" 2>&1; then
  cat "$scratch/apt.log" >&2
  echo "default data: apt-get could not download the packages; is there a network, and was" \
       "'apt-get update' run (tools/install_packages.sh does)?" >&2
  exit 1
fi
for package in "$scratch"/*.deb; do dpkg -x "$package" "$scratch/root"; done
share=$scratch/root/usr/share

# Writes documents as {"text": ..., "source": ...}, every 50th of a source to valid.jsonl. Included
# in each awk program below: emit(text) ends a document.
writer='
function emit(text,   file) {
  sub(/^[ \n]+/, "", text); sub(/[ \n]+$/, "", text)
  if (text == "") return
  gsub(/[\001-\010\013-\037]/, "", text)
  gsub(/[\\"]/, "\\\\&", text)
  gsub(/\t/, "\\t", text); gsub(/\n/, "\\n", text)
  file = out (++documents % 50 == 0 ? "/valid.jsonl" : "/train.jsonl")
  printf "{\"text\": \"%s\", \"source\": \"%s\"}\n", text, source >> file
}'

# The Bible: a chapter is a document, a verse a line without its number.
library=$(dirname "$(find "$scratch/root" -name 'libreadline.so.8' | head -n 1)")
LD_LIBRARY_PATH=$library "$scratch/root/usr/bin/bible" -p "$scratch/root/usr/lib" -l5000 \
  'gen1:1-rev22:21' < /dev/null > "$scratch/kjv.txt"
awk -v out="$scratch" -v source=bible-kjv-text "$writer"'
  /^[A-Z1-9][A-Za-z0-9 ]* [0-9]+$/ { emit(text); text = $0 "\n"; next }
  /^ +[0-9]+ / { sub(/^ +[0-9]+ /, ""); text = text "\n" $0 }
  END { emit(text) }' "$scratch/kjv.txt"

# WordNet: "word, word: meaning; examples", thirty entries a document.
for kind in noun verb adj adv; do
  awk -v out="$scratch" -v source=wordnet-base "$writer"'
    function hex(digits,   i, n) {
      for (i = 1; i <= length(digits); i++)
        n = 16 * n + index("0123456789abcdef", substr(digits, i, 1)) - 1
      return n
    }
    /^  / { next }
    {
      bar = index($0, " | ")
      words = ""
      for (i = 0; i < hex($4); i++) {
        word = $(5 + 2 * i)
        gsub(/_/, " ", word); sub(/\((a|p|ip)\)$/, "", word)
        words = words (i > 0 ? ", " : "") word
      }
      meaning = substr($0, bar + 3)
      sub(/ +$/, "", meaning)
      text = text words ": " meaning ".\n"
      if (++entries % 30 == 0) { emit(text); text = "" }
    }
    END { emit(text) }' "$share/wordnet/data.$kind"
done

# Dictionaries of the dict protocol: documents of some 6 kB that begin where an entry does.
for name in devil jargon; do
  gzip -dc < "$share/dictd/$name.dict.dz" | awk -v out="$scratch" -v source="dict-$name" "$writer"'
    /^00-database/ { skip = 1 }
    /^[^ ]/ && !/^00-database/ { skip = 0; if (length(text) > 6000) { emit(text); text = "" } }
    !skip { text = text $0 "\n" }
    END { emit(text) }'
done

mkdir -p "$target/licences"
for package in bible-kjv-text wordnet-base dict-jargon dict-devil; do
  cp "$share/doc/$package/copyright" "$target/licences/$package"
done
mv "$scratch/valid.jsonl" "$scratch/train.jsonl" "$target/"
for part in train valid; do
  echo "default data: $target/$part.jsonl: $(wc -l < "$target/$part.jsonl") documents," \
       "$(wc -c < "$target/$part.jsonl") bytes"
done
