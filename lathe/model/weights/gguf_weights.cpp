#include "lathe/model/weights/gguf_weights.h"

#include "lathe/base/error.h"
#include "lathe/model/weights/gguf_order.h"

namespace lathe::weights {
namespace {

/// Tensors that hold no weights: divisors of rotary frequencies (model/gguf_rope.h).
bool is_rope_tensor(std::string_view name) {
  return name == "rope_freqs.weight" || name == "rope_factors_long.weight" ||
         name == "rope_factors_short.weight";
}

/// Some rows of a tensor: all of them, or one part of a joined matrix.
struct Rows {
  std::int64_t begin, count;
};

Rows rows_of(const GgufTensor& tensor, char part, GgufWeights::Heads heads) {
  const std::int64_t all = tensor.shape[0];
  if (part == 0) return {0, all};
  const std::int64_t share = heads.query + 2 * heads.key;
  if (all % share != 0)
    fail(ErrorCode::kCorrupt, "tensor '{}': {} rows do not divide among {} heads", tensor.name, all,
         share);
  const std::int64_t q = all / share * heads.query, kv = all / share * heads.key;
  if (part == 'q') return {0, q};
  return {part == 'k' ? q : q + kv, kv};
}

bool is_turned(const GgufLink& link, const GgufTensor& tensor) {
  return link.change == GgufChange::transpose && tensor.shape.rank() == 2;
}

/// w of a norm that is stored as 1 + w.
Tensor without_one(const GgufFile& file, const GgufTensor& tensor) {
  std::vector<float> values = decoded({file.tensor(tensor), tensor.shape, tensor.type->quant});
  const GgufValue* exact = file.metadata().find(exact_key(tensor.name));
  if (exact != nullptr && (exact->type() != GgufType::f32 || exact->count() != values.size()))
    exact = nullptr;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const float w = exact != nullptr ? static_cast<float>(exact->number(i)) : 0;
    // Only while the tensor still says the same: other programs change tensors, too.
    values[i] = exact != nullptr && w + 1.0f == values[i] ? w : values[i] - 1.0f;
  }
  return Tensor::from(values, tensor.shape);
}

}  // namespace

std::string exact_key(const std::string& gguf_name) { return "lathe.exact." + gguf_name; }

GgufWeights::GgufWeights(GgufFile file, Heads heads) : file_(std::move(file)), heads_(heads) {
  const GgufFamily& family =
      family_of_architecture(file_.metadata().text("general.architecture").value_or(""));
  for (const GgufTensor& tensor : file_.tensors()) {
    if (is_rope_tensor(tensor.name)) continue;
    const std::vector<GgufLink> links = family.links_of_gguf(tensor.name);
    if (links.empty())
      fail(ErrorCode::kUnsupported, "{}: tensor '{}' is not known in networks of architecture {}",
           file_.subject(), tensor.name, family.architecture);
    for (const GgufLink& link : links) {
      if (!links_.emplace(link.hf, link).second)
        fail(ErrorCode::kCorrupt, "{}: tensor '{}': its part '{}' is also a tensor of its own",
             file_.subject(), tensor.name, link.hf);
      names_.push_back(link.hf);
    }
  }
}

std::int64_t GgufWeights::groups(const GgufLink& link) const {
  return link.change == GgufChange::interleave && link.hf.find(".k_proj.") != std::string::npos
             ? heads_.key
             : heads_.query;
}

const GgufLink& GgufWeights::link(const std::string& name) const {
  const auto found = links_.find(name);
  if (found == links_.end())
    fail(ErrorCode::kNotFound, "{}: has no tensor for '{}'", file_.subject(), name);
  return found->second;
}

StoredFacts GgufWeights::facts(const std::string& name) const {
  const GgufLink& link = this->link(name);
  const GgufTensor& tensor = *file_.find(link.gguf);
  StoredFacts facts{.shape = tensor.shape,
                    .dtype = tensor.type->dtype,
                    .quant = tensor.type->quant,
                    .type = std::string(tensor.type->name),
                    .bytes = tensor.bytes};
  const bool turned = is_turned(link, tensor);
  if (turned) facts.shape = {tensor.shape[1], tensor.shape[0]};
  if (tensor.type->readable() && (turned || link.change == GgufChange::plus_one)) {
    facts.dtype = DType::f32;
    facts.quant.reset();
  }
  facts.shape[0] = turned ? facts.shape[0] : rows_of(tensor, link.part, heads_).count;
  if (link.part != 0)
    facts.bytes = facts.bytes / static_cast<std::size_t>(tensor.shape[0]) *
                  static_cast<std::size_t>(facts.shape[0]);
  return facts;
}

StoredTensor GgufWeights::for_product(const std::string& name) const {
  const GgufLink& link = this->link(name);
  const GgufTensor& tensor = *file_.find(link.gguf);
  if (!is_turned(link, tensor) || !tensor.type->quant) return get(name);
  return {file_.tensor(tensor), tensor.shape, tensor.type->quant};
}

StoredTensor GgufWeights::get(const std::string& name) const {
  const GgufLink& link = this->link(name);
  const GgufTensor& tensor = *file_.find(link.gguf);
  Tensor data = file_.tensor(tensor);  // checks the type
  if (link.change == GgufChange::plus_one) return {without_one(file_, tensor), tensor.shape, {}};
  if (is_turned(link, tensor)) {
    data = transposed({data, tensor.shape, tensor.type->quant});
    return {data, data.shape(), {}};
  }
  const Rows rows = rows_of(tensor, link.part, heads_);
  Shape shape = tensor.shape;
  shape[0] = rows.count;
  if (rows.count != tensor.shape[0]) {
    Shape part = data.shape();
    part[0] = rows.count;
    const std::size_t bytes = data.bytes() / static_cast<std::size_t>(tensor.shape[0]);
    const auto offset = static_cast<std::size_t>(data.bytes_begin() - data.storage()->data());
    data = Tensor::over(data.storage(), offset + static_cast<std::size_t>(rows.begin) * bytes, part,
                        data.dtype());
  }
  try {
    if (link.change != GgufChange::none)
      data = reorder_rows(data, link.change, groups(link), GgufDirection::to_hf);
  } catch (Error& error) {
    error.within(fmt::format("{}: tensor '{}'", file_.subject(), tensor.name));
    throw;
  }
  return {data, shape, tensor.type->quant};
}

std::string GgufWeights::file_of(const std::string& name) const {
  const auto found = links_.find(name);
  const std::size_t part = found == links_.end() ? 0 : file_.find(found->second.gguf)->part;
  return file_.parts()[part];
}

}  // namespace lathe::weights
