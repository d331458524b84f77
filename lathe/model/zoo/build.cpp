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

[[noreturn]] void unknown_kind(const std::string& kind) {
  std::string known;
  for (const std::string& name : kinds()) known += (known.empty() ? "" : ", ") + name;
  fail(ErrorCode::kInvalidArgument, "model.kind: expected one of {}, got \"{}\"", known, kind);
}

std::unique_ptr<LanguageModel> make(const ModelConfig& config) {
#define LATHE_MODEL(name) \
  if (config.kind == #name) return make_##name(config);
#include "lathe/model/zoo/zoo_list.inc"
#undef LATHE_MODEL
  unknown_kind(config.kind);
}

}  // namespace

void complete_kind(ModelConfig& config) {
#define LATHE_MODEL(name) \
  if (config.kind == #name) return complete_##name(config);
#include "lathe/model/zoo/zoo_list.inc"
#undef LATHE_MODEL
  unknown_kind(config.kind);
}

std::unique_ptr<LanguageModel> build_empty(const ModelConfig& config, DType compute) {
  std::unique_ptr<LanguageModel> model = make(config);
  model->compute_ = compute;
  model->visit([&](const std::string& path, autograd::Parameter& parameter) {
    parameter.set_name(path);
    model->parameters_.push_back(&parameter);
  });
  return model;
}

std::unique_ptr<LanguageModel> build(const ModelConfig& config, DType compute, Device device) {
  std::unique_ptr<LanguageModel> model = build_empty(config, compute);
  model->device_ = device;
  for (autograd::Parameter* p : model->parameters_) p->allocate(compute, device);
  return model;
}

}  // namespace lathe::model
