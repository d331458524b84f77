#include "lathe/life/recipes/open_model.h"

#include "lathe/base/toml.h"
#include "lathe/life/train/checkpoint.h"

namespace lathe::recipes {

OpenedModel open_model(const std::string& path, const std::string& compute,
                       const FileSystem& files) {
  OpenedModel opened;
  opened.checkpoint = train::resolve_checkpoint(files, path);
  const std::string config = join_path(opened.checkpoint, "config.toml");
  read_toml_text(files.read_all(config), config, opened.config);
  const train::LoopState state = train::read_state(files, opened.checkpoint);
  // What was trained is what is served: the stored type, unless another one is asked for.
  const DType type = compute_type(compute == "auto" ? state.compute : compute);
  opened.model = model::build(opened.config.model, type);
  train::load_weights(files, opened.checkpoint, *opened.model);
  const std::string tokenizer = join_path(opened.checkpoint, "tokenizer.json");
  if (files.exists(tokenizer)) opened.tokenizer = tokenize::load_tokenizer(tokenizer);
  return opened;
}

}  // namespace lathe::recipes
