"""Random Unicode strings through SentencePiece models: Lathe's ids against those of sentencepiece.

python sentencepiece_random.py BUILD/bench/tokenizer_ids [MODEL...] [--count 100000]

Besides the given `.model` files, models are trained here: BPE and Unigram, with and without bytes,
user-defined symbols, normalisation and extra white space.
"""

import argparse
import json
import pathlib
import random
import sys
import tempfile

import sentencepiece
from tokenizer_random import corpus, lathe_ids, random_text

KINDS = {
    "bpe_bytes": dict(model_type="bpe", byte_fallback=True, normalization_rule_name="identity", remove_extra_whitespaces=False),
    "bpe_user": dict(model_type="bpe", user_defined_symbols=["World", "ing ", "<|x|>", "\u4f60"], normalization_rule_name="nmt_nfkc"),
    "bpe_suffix": dict(model_type="bpe", treat_whitespace_as_suffix=True, normalization_rule_name="nfkc_cf"),
    "unigram": dict(model_type="unigram", normalization_rule_name="nmt_nfkc"),
    "unigram_bytes": dict(model_type="unigram", byte_fallback=True, normalization_rule_name="nmt_nfkc_cf", add_dummy_prefix=False),
    "unigram_user": dict(model_type="unigram", user_defined_symbols=["World", "ing ", "<|x|>"], normalization_rule_name="identity",
                         remove_extra_whitespaces=False),
}


def compare(path, options, folder):
    model = sentencepiece.SentencePieceProcessor(model_file=str(path))
    draw = random.Random(f"texts {path.name}")
    texts = [random_text(draw).replace("\0", "") for _ in range(options.count)]
    # Lathe finds the names of control tokens in these texts, sentencepiece never does.
    texts = [t for t in texts if not any(n in t for n in ("<s>", "</s>", "<unk>", "<pad>"))]
    theirs, ours = model.encode(texts), lathe_ids(options.program, path, texts, folder)
    wrong = [i for i in range(len(texts)) if ours[i] != theirs[i]]
    print(json.dumps({"model": path.name, "texts": len(texts), "differ": len(wrong)}), flush=True)
    for i in wrong[:3]:
        print(f"  {ascii(texts[i])}\n    sentencepiece {[model.id_to_piece(t) for t in theirs[i]]}\n"
              f"    lathe         {[model.id_to_piece(t) for t in ours[i]]}", flush=True)
    return not wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program")
    parser.add_argument("models", nargs="*", type=pathlib.Path)
    parser.add_argument("--count", type=int, default=100_000)
    options = parser.parse_args()
    equal = True
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        (folder / "text").write_text("\n".join(corpus(random.Random(1))).replace("\0", ""))
        for name, settings in KINDS.items():
            sentencepiece.SentencePieceTrainer.train(
                input=str(folder / "text"), model_prefix=str(folder / name), vocab_size=1200, minloglevel=2,
                character_coverage=0.99, hard_vocab_limit=False, num_threads=1, **settings)
            equal &= compare(folder / f"{name}.model", options, folder)
        for path in options.models:
            equal &= compare(path, options, folder)
    sys.exit(not equal)


if __name__ == "__main__":
    main()
