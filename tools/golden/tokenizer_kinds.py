"""Writes tests/golden/tokenizer/kinds.json and fuzz inputs: small tokenizers of every kind, and the ids
and texts that `tokenizers` and `sentencepiece` make with them.

python tools/golden/tokenizer_kinds.py            (writes)
python tools/golden/tokenizer_kinds.py --check    (exit status 0 equal, 1 different, 77 no libraries)

Made with tokenizers 0.23.3 and sentencepiece 0.2.3 by the factories of bench/peers/tokenizer_random.py,
on text made there with a fixed generator.
"""

import argparse
import base64
import json
import os
import pathlib
import random
import sys
import tempfile

os.environ["TOKENIZERS_PARALLELISM"] = "false"  # training in one order
ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "bench/peers"))
try:
    import sentencepiece
    import tokenizers
    import sentencepiece_random
    import tokenizer_random as peers
except ImportError as missing:
    print(f"skipped: {missing}; install tools/golden/requirements.txt and sentencepiece 0.2.3")
    sys.exit(77)

TARGET = ROOT / "tests/golden/tokenizer/kinds.json"
FUZZ = ROOT / "tests/fuzz/corpus"
TEXTS = 46
SMALL = {"BpeTrainer": 340, "UnigramTrainer": 460, "WordPieceTrainer": 200, "WordLevelTrainer": 120}
PLAIN_TOO = ("gpt2", "llama3", "smollm", "tekken", "o200k", "llama2", "t5", "bert")
IN_FUZZ = ("llama2", "gemma", "xlm", "albert", "bert_accents", "gpt1", "behaviors", "fixed")


def small(name, added):
    factory = peers.tokenizers_of_every_kind()[name]

    def smaller():
        made = factory()
        made[1].vocab_size = SMALL[type(made[1]).__name__]
        return made

    tokenizer = peers.make(smaller, random.Random(1))
    return peers.with_added_tokens(tokenizer) if added else tokenizer


def render():
    draw = random.Random("kinds")
    texts = ["", " ", "Hello world", "  two  spaces ", "<s>NEW é́T</s> x"] + [peers.random_text(draw) for _ in range(TEXTS)]
    kinds, files = [], {}
    for name in peers.tokenizers_of_every_kind():
        for added in (False, True) if name in PLAIN_TOO else (True,):
            # As it is read: reading rounds the scores of Unigram models.
            tokenizer = tokenizers.Tokenizer.from_str(small(name, added).to_str())
            ids = [tokenizer.encode(t, add_special_tokens=False).ids for t in texts]
            kinds.append({"name": name + "+added" * added, "json": tokenizer.to_str(), "ids": ids,
                          "decoded": [tokenizer.decode(i, skip_special_tokens=False) for i in ids]})
            if added and name in IN_FUZZ:
                files[f"tokenizer_json/{name}.json"] = tokenizer.to_str().encode()
    models = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        (folder / "text").write_text("\n".join(peers.corpus(random.Random(1))).replace("\0", ""))
        for name, settings in sentencepiece_random.KINDS.items():
            sentencepiece.SentencePieceTrainer.train(
                input=str(folder / "text"), model_prefix=str(folder / name), vocab_size=700, minloglevel=2,
                character_coverage=0.98, hard_vocab_limit=False, num_threads=1,
                **{**settings, "normalization_rule_name": "identity"})
            data = (folder / f"{name}.model").read_bytes()
            model = sentencepiece.SentencePieceProcessor(model_proto=data)
            plain = [t for t in texts if not any(n in t for n in ("<s>", "</s>", "<unk>", "\0"))]
            models.append({"name": name, "model": base64.b64encode(data).decode(), "texts": plain, "ids": model.encode(plain)})
            files[f"sentencepiece/{name}.model"] = data
    versions = {"tokenizers": tokenizers.__version__, "sentencepiece": sentencepiece.__version__}
    text = json.dumps({"made_with": versions, "texts": texts, "kinds": kinds, "sentencepiece": models}, ensure_ascii=False)
    return {TARGET: text.encode(), **{FUZZ / name: data for name, data in files.items()}}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    wrong = False
    check = parser.parse_args().check
    for path, data in render().items():
        if not check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        elif not path.exists() or path.read_bytes() != data:
            print(f"{path} differs from what this script makes")
            wrong = True
    sys.exit(wrong)


if __name__ == "__main__":
    main()
