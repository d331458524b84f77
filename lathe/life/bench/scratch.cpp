#include "lathe/life/bench/scratch.h"

#include <cerrno>
#include <cmath>
#include <vector>

#include "lathe/base/error.h"
#include "lathe/base/files.h"
#include "lathe/base/random.h"
#include "lathe/life/recipes/convert.h"
#include "lathe/model/hub/hf_config.h"
#include "lathe/model/weights/hf_folder.h"
#include "lathe/text/tokenize/bpe_train.h"

namespace lathe::bench {
namespace {

constexpr std::size_t kWords = 4000;
constexpr std::int64_t kVocabulary = 8192;

std::vector<std::string> invent_words() {
  static constexpr const char* kBegin[] = {"b",  "d", "f",  "k",  "l",  "m",  "n", "p",
                                           "pr", "r", "st", "th", "tr", "wh", "s", ""};
  static constexpr const char* kMiddle[] = {"a", "e", "i", "o", "u", "ea", "ou", "ie"};
  static constexpr const char* kEnd[] = {"", "n", "r", "s", "t", "ll", "nd", "ng"};
  const RandomStream random(1, "bench/words");
  std::vector<std::string> words;
  for (std::uint64_t i = 0; i < kWords; ++i) {
    std::string word;
    const std::uint64_t syllables = 1 + random.below(i < 200 ? 2 : 4, 4 * i);
    for (std::uint64_t s = 0; s < syllables; ++s) {
      const auto draw = random.block((i << 8) + s + (1u << 30));
      word += kBegin[draw[0] % 16];
      word += kMiddle[draw[1] % 8];
      word += kEnd[draw[2] % 8];
    }
    words.push_back(std::move(word));
  }
  return words;
}

model::ModelConfig random_model_config() {
  model::ModelConfig c;
  c.vocab = kVocabulary;
  c.context = 8192;
  c.layers = 8;
  c.width = 768;
  c.heads = 12;
  c.kv_heads = 4;
  c.hidden = 2048;
  c.resolve();
  return c;
}

/// Values as they are drawn are of no account; they only have to be ordinary numbers.
Tensor random_values(const autograd::Parameter& p) {
  Tensor values = Tensor::empty(p.shape(), DType::bf16);
  const RandomStream random(1, p.name());
  auto* out = values.data<bf16_t>();
  const bool vector = p.role() == autograd::Role::vector;
  for (std::int64_t i = 0; i < values.count(); i += 4) {
    const auto block = random.block(static_cast<std::uint64_t>(i));
    for (std::int64_t j = i; j < std::min(i + 4, values.count()); ++j)
      out[j] = to_bf16(vector ? 1.0f
                              : static_cast<float>(block[static_cast<std::size_t>(j - i)]) *
                                        0x1p-32f * 0.07f -
                                    0.035f);
  }
  return values;
}

}  // namespace

std::string generated_text(std::size_t bytes) {
  const std::vector<std::string> words = invent_words();
  const RandomStream random(2, "bench/text");
  std::string text;
  std::uint64_t draw = 0;
  while (text.size() < bytes) {
    const std::uint64_t length = 4 + random.below(16, draw++);
    for (std::uint64_t i = 0; i < length; ++i) {
      const double rank = std::pow(static_cast<double>(kWords), random.uniform(draw++)) - 1;
      std::string word = words[std::min(static_cast<std::size_t>(rank), kWords - 1)];
      if (i == 0) word[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(word[0])));
      text += word;
      const std::uint64_t mark = random.below(12, draw++);
      if (i + 1 < length) text += mark == 0 ? ", " : " ";
    }
    text += random.below(6, draw++) == 0 ? ".\n\n" : ". ";
  }
  return text;
}

std::unique_ptr<tokenize::Tokenizer> generated_tokenizer(std::int64_t vocabulary) {
  const std::string text = generated_text(1'000'000);
  return tokenize::train_bpe({.vocab_size = vocabulary},
                             [&](const auto& use) { use(std::string_view(text)); });
}

std::string write_random_model(const TemporaryFolder& scratch) {
  const auto network = model::build(random_model_config(), DType::bf16, Device::meta);
  std::vector<weights::TensorSource> tensors;
  for (const autograd::Parameter* p : network->parameters())
    tensors.push_back({p->name(), DType::bf16, p->shape(), [p] { return random_values(*p); }});
  FileSystem& files = real_files();
  const std::string folder = scratch / "random";
  files.make_directories(folder);
  write_hf_weights(files, folder, tensors);
  write_file_atomically(files, join_path(folder, "config.json"),
                        model::write_hf_config({.model = network->config(), .dtype = "bfloat16"}));
  tokenize::save_tokenizer(*generated_tokenizer(kVocabulary), join_path(folder, "tokenizer.json"));
  const std::string gguf = scratch / "random-57M-Q8_0.gguf";
  recipes::convert(folder, gguf, {.type = "q8_0"});
  files.remove_all(folder);
  return gguf;
}

}  // namespace lathe::bench
