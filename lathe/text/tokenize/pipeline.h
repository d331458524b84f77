// The parts of a tokenizer.json around its model: what they mean, or a clear refusal.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "lathe/text/tokenize/json_tree.h"
#include "lathe/text/tokenize/splitter.h"

namespace lathe::tokenize {

/// "normalizer": true for NFC, false for none. Throws kUnsupported for others.
bool read_normalizer(const Json& normalizer);

struct PreTokenizer {
  std::unique_ptr<Splitter> splitter;
  bool add_prefix_space = false;
};

/// "pre_tokenizer": ByteLevel, Split, Digits and Sequences of them that end in the byte alphabet.
/// Throws kUnsupported for others, kCorrupt, kInvalidArgument for a bad regular expression.
PreTokenizer read_pre_tokenizer(const Json& pre_tokenizer);

struct SequenceTemplate {
  std::vector<std::int32_t> prefix, suffix;
};

/// "post_processor": ByteLevel (which changes no ids), TemplateProcessing, Roberta- and
/// BertProcessing, Sequences of them.
SequenceTemplate read_post_processor(const Json& post_processor);

/// "decoder": throws kUnsupported unless it is ByteLevel or none.
void check_decoder(const Json& decoder);

}  // namespace lathe::tokenize
