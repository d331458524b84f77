// What the tensors of a network are called in GGUF files and in Hugging Face checkpoints, and how
// their rows differ.
// Source: llama.cpp, gguf-py (names) and conversion/ (orders); checked against its converter.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace lathe::weights {

/// What is done to a Hugging Face tensor on its way into a GGUF file.
enum class GgufChange {
  none,
  interleave,  // rows of each head: the two halves that turn together alternate
  by_part,     // rows head by head (q, k, v of each) become all q, all k, all v
  plus_one,    // norms that multiply by 1 + w are stored as 1 + w
  transpose,   // [in,out] becomes [out,in]
};

/// One tensor, or some rows of one, under both names.
struct GgufLink {
  std::string gguf, hf;
  GgufChange change = GgufChange::none;
  /// Which matrix of a joined attn_qkv this is: 'q', 'k', 'v'; 0 where it is a tensor of its own.
  char part = 0;
};

/// A kind of network that both sides know.
struct GgufFamily {
  struct Name {
    const char *gguf, *hf;  // without ".weight" or ".bias"
    GgufChange change = GgufChange::none;
  };

  const char* architecture;  // general.architecture
  const char* hf_layers;     // "model.layers."
  std::span<const Name> whole, layer;

  /// Where a tensor of the other side comes from; a joined attn_qkv gives three links.
  std::vector<GgufLink> links_of_gguf(std::string_view name) const;
  /// The GGUF name of a Hugging Face tensor; nothing where it has none.
  std::optional<GgufLink> link_of_hf(std::string_view name) const;
};

/// The family of a general.architecture, or of a model kind (LATHE_MODEL of model/zoo: llama and
/// mistral share one). Throws Unsupported with those that there are.
const GgufFamily& family_of_architecture(std::string_view architecture);
const GgufFamily& family_of_kind(std::string_view kind);

/// The row of the Hugging Face tensor that stands at `row` of the GGUF tensor. Rows in all, groups:
/// heads (interleave: of q or of k).
std::int64_t hf_row(GgufChange change, std::int64_t rows, std::int64_t groups, std::int64_t row);

}  // namespace lathe::weights
