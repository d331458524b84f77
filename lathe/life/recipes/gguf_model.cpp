#include "lathe/life/recipes/gguf_model.h"

#include "lathe/base/error.h"
#include "lathe/life/recipes/gguf_tokenizer.h"
#include "lathe/model/gguf_config.h"

namespace lathe::recipes {

bool is_gguf(const FileSystem& files, const std::string& path) {
  if (!files.exists(path) || files.is_directory(path) || files.size(path) < 4) return false;
  return files.map(path).bytes().starts_with("GGUF");
}

GgufModel open_gguf(const std::string& path, const FileSystem& files) {
  weights::GgufFile file = weights::GgufFile::open(path, files);
  if (file.metadata().integer("split.count").value_or(1) > 1)
    fail(ErrorCode::kUnsupported,
         "{}: this is one of {} parts; join them with 'llama-gguf-split --merge'", path,
         *file.metadata().integer("split.count"));
  GgufModel out;
  out.config = model::read_gguf_config(file);
  try {
    out.tokenizer = gguf_tokenizer(file.metadata());
  } catch (Error& error) {
    error.within(path);
    throw;
  }
  out.chat_template = file.metadata().text(kGgufChatTemplate).value_or("");
  out.weights = std::make_unique<weights::GgufWeights>(
      std::move(file), weights::GgufWeights::Heads{out.config.heads, out.config.kv_heads});
  return out;
}

}  // namespace lathe::recipes
