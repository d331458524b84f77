// The parts of a byte-level BPE around its merges, and what stands around every text.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "lathe/text/tokenize/json_tree.h"
#include "lathe/text/tokenize/splitter.h"

namespace lathe::tokenize {

/// What the fast path, ByteLevelBpe, does before merging. Nothing where the parts of the file ask
/// for more than it knows (a PipelineTokenizer knows all).
struct ByteLevelParts {
  std::unique_ptr<Splitter> splitter;
  bool nfc = false;
  bool add_prefix_space = false;
};
std::optional<ByteLevelParts> byte_level_parts(const Json& normalizer, const Json& pre_tokenizer,
                                               const Json& decoder);

/// Ids before and behind a text.
struct SequenceTemplate {
  std::vector<std::int32_t> prefix, suffix;
};

/// "post_processor": ByteLevel (which changes no ids), TemplateProcessing, Roberta- and
/// BertProcessing, Sequences of them. Throws kUnsupported, kCorrupt.
SequenceTemplate read_post_processor(const Json& post_processor);

}  // namespace lathe::tokenize
