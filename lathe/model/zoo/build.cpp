#include "lathe/base/error.h"
#include "lathe/model/zoo/zoo.h"

namespace lathe::model {

std::vector<std::string> kinds() {
  return {
#define LATHE_MODEL(kind) #kind,
#include "lathe/model/zoo/zoo_list.inc"
#undef LATHE_MODEL
  };
}

namespace {
std::unique_ptr<LanguageModel> make(const ModelConfig& config) {
#define LATHE_MODEL(name) \
  if (config.kind == #name) return make_##name(config);
#include "lathe/model/zoo/zoo_list.inc"
#undef LATHE_MODEL
  std::string known;
  for (const std::string& kind : kinds()) known += (known.empty() ? "" : ", ") + kind;
  fail(ErrorCode::kInvalidArgument, "model.kind: expected one of {}, got \"{}\"", known,
       config.kind);
}
}  // namespace

std::unique_ptr<LanguageModel> build(const ModelConfig& config, DType compute, Device device) {
  std::unique_ptr<LanguageModel> model = make(config);
  model->compute_ = compute;
  model->device_ = device;
  model->visit([&](const std::string& path, autograd::Parameter& parameter) {
    parameter.set_name(path);
    parameter.allocate(compute, device);
    model->parameters_.push_back(&parameter);
  });
  return model;
}

}  // namespace lathe::model
