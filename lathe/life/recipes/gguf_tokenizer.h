// The tokenizer between a GGUF file's keys and the text layer, which knows no files.
// Source: llama.cpp, gguf-py/gguf/constants.py (keys).
#pragma once

#include <memory>

#include "lathe/model/weights/gguf.h"
#include "lathe/text/tokenize/vocabulary.h"

namespace lathe::recipes {

/// The values of the tokenizer.ggml.* keys. Throws Corrupt naming the key.
tokenize::VocabularyParts read_vocabulary(const weights::GgufMetadata& metadata);

/// Sets the keys. The list of tokens grows to `rows` with unused ones: readers want one for each
/// row of the embedding.
void write_vocabulary(tokenize::VocabularyParts parts, std::int64_t rows,
                      weights::GgufMetadata& metadata);

/// The tokenizer of a file: by the keys, or, where these name something that we do not have, by the
/// tokenizer.json that some files carry. Null where the file has none. Throws Corrupt, Unsupported.
std::unique_ptr<tokenize::Tokenizer> gguf_tokenizer(const weights::GgufMetadata& metadata);

/// Where files carry the tokenizer.json of their source.
inline constexpr const char* kGgufTokenizerJson = "tokenizer.huggingface.json";
inline constexpr const char* kGgufChatTemplate = "tokenizer.chat_template";

}  // namespace lathe::recipes
