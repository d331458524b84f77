#include "lathe/model/weights/gguf_recipe.h"

#include <algorithm>
#include <charconv>
#include <numeric>
#include <span>

#include "lathe/base/error.h"

namespace lathe::weights {
namespace {

enum Level : std::uint32_t {  // general.file_type of the mixtures
  kQ4KS = 14,
  kQ4KM = 15,
  kQ5KM = 17,
};

struct RecipeName {
  std::string_view name;
  std::uint32_t file_type;
  std::string_view base;
};
constexpr RecipeName kRecipes[] = {
    {"F32", 0, "F32"},         {"F16", 1, "F16"},      {"BF16", 32, "BF16"},
    {"Q4_0", 2, "Q4_0"},       {"Q4_1", 3, "Q4_1"},    {"Q5_0", 8, "Q5_0"},
    {"Q5_1", 9, "Q5_1"},       {"Q8_0", 7, "Q8_0"},    {"Q4_K_S", kQ4KS, "Q4_K"},
    {"Q4_K_M", kQ4KM, "Q4_K"}, {"Q5_K_S", 16, "Q5_K"}, {"Q5_K_M", kQ5KM, "Q5_K"},
    {"Q6_K", 18, "Q6_K"},
};

std::span<const GgufRecipe> recipes() {
  static const std::vector<GgufRecipe> all = [] {
    std::vector<GgufRecipe> out;
    for (const RecipeName& r : kRecipes)
      out.push_back({r.name, r.file_type, find_tensor_type(r.base)});
    return out;
  }();
  return all;
}

std::string upper(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  return out;
}

enum class Role { embedding, output, values, down, other };

Role role_of(const std::string& name) {
  const auto has = [&](const char* part) { return name.find(part) != std::string::npos; };
  if (name == "output.weight") return Role::output;
  if (name == "token_embd.weight") return Role::embedding;
  if (has("attn_qkv.weight") || has("attn_v.weight")) return Role::values;
  return has("ffn_down") ? Role::down : Role::other;
}

/// The first and last eighth of the layers, and every third between.
bool more_bits(std::int64_t i, std::int64_t n) {
  return i < n / 8 || i >= 7 * n / 8 || (i - n / 8) % 3 == 2;
}

/// -1 for tensors of the whole network.
std::int64_t layer_of(const std::string& name) {
  std::int64_t layer = -1;
  if (name.starts_with("blk.")) std::from_chars(name.data() + 4, name.data() + name.size(), layer);
  return layer;
}

class Chooser {
 public:
  Chooser(const GgufRecipe& recipe, const GgufNetworkFacts& network,
          const std::vector<GgufTensorFacts>& tensors)
      : recipe_(recipe), network_(network) {
    for (const GgufTensorFacts& t : tensors) {
      if (role_of(t.name) == Role::values) ++value_matrices_;
      if (role_of(t.name) == Role::output) tied_ = false;
    }
  }

  /// To be called in the order of layers: matrices of a kind are counted.
  const GgufTensorType* choose(const GgufTensorFacts& t) {
    if (!takes_recipe(t.name, t.shape)) return t.type;
    if (!recipe_.base->quant) return recipe_.base;
    return fallback(wanted(t), t.shape.at(-1));
  }

 private:
  const GgufTensorType* wanted(const GgufTensorFacts& t) {
    const Role role = role_of(t.name);
    if (role == Role::output || (role == Role::embedding && tied_)) {
      if (t.shape.at(-1) % recipe_.base->block_elements != 0) return type("Q8_0");
      return recipe_.base->name == "Q8_0" ? recipe_.base : type("Q6_K");
    }
    if (role == Role::values) return of_values(values_++);
    if (role == Role::down) return of_down(downs_++);
    return recipe_.base;
  }

  const GgufTensorType* of_values(std::int64_t i) const {
    if (mixes_in_q6() && more_bits(i, value_matrices_)) return type("Q6_K");
    if (recipe_.file_type == kQ4KS && i < 4) return type("Q5_K");
    return shares_values_widely() && recipe_.base->name == "Q4_K" ? type("Q5_K") : recipe_.base;
  }
  const GgufTensorType* of_down(std::int64_t i) const {
    if (mixes_in_q6() && more_bits(i, network_.layers)) return type("Q6_K");
    if (recipe_.file_type == kQ4KS && i < network_.layers / 8) return type("Q5_K");
    return recipe_.base;
  }

  bool mixes_in_q6() const { return recipe_.file_type == kQ4KM || recipe_.file_type == kQ5KM; }
  /// The 70B networks, in which eight heads share a value matrix.
  bool shares_values_widely() const {
    return network_.layers == 80 &&
           (network_.architecture == "qwen2" ||
            (network_.architecture == "llama" && network_.heads != network_.kv_heads));
  }

  static const GgufTensorType* type(std::string_view name) { return find_tensor_type(name); }

  static const GgufTensorType* fallback(const GgufTensorType* wanted, std::int64_t row) {
    const GgufTensorType* out = wanted;
    if (row % out->block_elements == 0) return out;
    if (out->name == "Q4_K") out = type("Q5_0");
    if (out->name == "Q5_K") out = type("Q5_1");
    if (out->name == "Q6_K") out = type("Q8_0");
    return row % out->block_elements == 0 ? out : type("F16");
  }

  const GgufRecipe& recipe_;
  const GgufNetworkFacts& network_;
  std::int64_t value_matrices_ = 0, values_ = 0, downs_ = 0;
  bool tied_ = true;
};

}  // namespace

const GgufRecipe& gguf_recipe(std::string_view name) {
  std::string wanted = upper(name);
  if (wanted == "Q4_K" || wanted == "Q5_K") wanted += "_M";
  for (const GgufRecipe& recipe : recipes())
    if (recipe.name == wanted) return recipe;
  std::string known;
  for (const std::string& n : gguf_recipe_names()) known += (known.empty() ? "" : ", ") + n;
  fail(ErrorCode::kInvalidArgument, "type '{}' is not written; there are {}", name, known);
}

std::vector<std::string> gguf_recipe_names() {
  std::vector<std::string> out;
  for (const RecipeName& r : kRecipes) out.emplace_back(r.name);
  return out;
}

const GgufRecipe* gguf_recipe_of(std::uint32_t file_type) {
  for (const GgufRecipe& recipe : recipes())
    if (recipe.file_type == file_type) return &recipe;
  return nullptr;
}

bool takes_recipe(const std::string& name, const Shape& shape) {
  const auto wide = std::count_if(shape.begin(), shape.end() - 1, [](auto d) { return d > 1; });
  return wide > 0 && name.ends_with("weight") && name.find("_norm.weight") == std::string::npos &&
         name.find("position_embd") == std::string::npos &&
         name.find("token_types") == std::string::npos;
}

std::vector<const GgufTensorType*> choose_types(const GgufRecipe& recipe,
                                                const GgufNetworkFacts& network,
                                                const std::vector<GgufTensorFacts>& tensors) {
  std::vector<std::size_t> order(tensors.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return layer_of(tensors[a].name) < layer_of(tensors[b].name);
  });
  Chooser chooser(recipe, network, tensors);
  std::vector<const GgufTensorType*> types(tensors.size());
  for (const std::size_t i : order) types[i] = chooser.choose(tensors[i]);
  return types;
}

}  // namespace lathe::weights
