// Which files of a repository a model needs.
//
// Without a selection:
//   1. safetensors where there are any at the top: the shards that model.safetensors.index.json
//      tells, else model.safetensors, else the only *.safetensors; and beside them the
//      configuration, the tokenizer, the chat template and the licence.
//   2. otherwise one GGUF: the only one, else the first quantisation of Q4_K_M, Q5_K_M, Q4_K_S,
//      Q6_K, Q8_0, Q4_0, BF16, F16, F32 that is there.
//   3. otherwise nothing: pickles (*.bin, *.pt, ...) can run code when opened and are refused.
// With a selection: the GGUF of that quantisation (":Q4_K_M"), or that file (":file"). All parts of
// a split GGUF belong together.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace lathe::store {

struct FileChoice {
  std::vector<std::string> files;
  std::string index;    // *.safetensors.index.json that tells more files, or ""
  std::string weights;  // the file to open (of a split GGUF the first), or "": the folder
  std::string kind;     // "safetensors", "GGUF Q4_K_M", "GGUF", "files"
};

/// `selection` as in ModelName::selection. Throws kNotFound or kInvalidArgument with what there is
/// to choose from, kUnsupported for pickles.
FileChoice choose_files(const std::vector<std::string>& listing, const std::string& selection);

/// Exactly these files (`--file`, repeatable). Throws kNotFound, kUnsupported for pickles and code.
FileChoice choose_named_files(const std::vector<std::string>& listing,
                              const std::vector<std::string>& names);

/// "Q4_K_M" of "SmolLM2-135M-Instruct.Q4_K_M.gguf", in upper case; "" where the name tells none.
std::string quantisation_in(std::string_view file);

/// kUnsupported for files that hold pickles or code, by their ending.
void check_file_kind(const std::string& file);

}  // namespace lathe::store
