// One text to be continued, from the command line or from a line of JSONL, and the answer as JSON.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "lathe/base/tree.h"
#include "lathe/life/recipes/chat_format.h"
#include "lathe/life/recipes/open_model.h"
#include "lathe/life/recipes/write_text.h"

namespace lathe::cli {

/// Exactly one of prompt, ids and messages is set.
struct TextRequest {
  std::optional<std::string> prompt;
  std::optional<std::vector<std::int32_t>> ids;
  std::vector<Tree> messages;
  std::optional<Tree> label;  // "id" of a line, given back as it came
  recipes::TextOptions options;
};

/// Reads {"prompt": ...}, {"ids": [...]} or {"messages": [...]} with, optionally, "id", "tokens",
/// "stop", "seed" and every name of generate::SamplerOptions::fields; what is absent is as in
/// `defaults`. Throws InvalidArgument "where: ...".
TextRequest read_request(const std::string& line, const std::string& where,
                         const recipes::TextOptions& defaults);

/// The ids of a request. `chat` is for messages; `said`: a prompt is what a user says, too. An
/// empty text begins a document. Throws InvalidArgument "where: ..." where words need a tokenizer
/// or a chat and there is none.
std::vector<std::int32_t> ids_of(const TextRequest& request, const recipes::OpenedModel& model,
                                 const recipes::ChatFormat* chat, bool said);

/// {"text": ..., "ids": [...], "stop": ..., ...}, without line break; no "text" where the model has
/// no tokenizer.
std::string describe_text(const TextRequest& request, const recipes::WrittenText& written,
                          std::uint64_t seed, bool has_tokenizer);

}  // namespace lathe::cli
