// Five fixed pieces of work, one a run: counted NAME. check.py runs them under callgrind, which
// counts the instructions inside counted_work(): on one thread, on the AVX2 kernels.
#include <fmt/core.h>
#include <gnu/libc-version.h>

#include <cstring>
#include <functional>
#include <map>
#include <string>

#include "lathe/base/error.h"
#include "lathe/base/parallel.h"
#include "lathe/engine/kernels/isa.h"
#include "lathe/life/bench/scratch.h"
#include "lathe/life/generate/token_reader.h"
#include "lathe/life/optim/optimizer.h"
#include "lathe/life/train/gradients.h"
#include "lathe/life/train/objectives/cross_entropy.h"

namespace {
std::function<void()> work;
}

/// The name that callgrind looks for. Not inlined, nor merged with its caller.
extern "C" __attribute__((noinline, noipa)) void counted_work() { work(); }

namespace lathe {
namespace {

constexpr std::int64_t kVocabulary = 1024;

model::ModelConfig config() {
  model::ModelConfig c;
  c.vocab = kVocabulary;
  c.context = 512;
  c.layers = 2;
  c.width = 256;
  c.heads = 4;
  c.kv_heads = 2;
  c.hidden = 512;
  c.resolve();
  return c;
}

std::vector<std::int32_t> ids(std::int64_t n) {
  std::vector<std::int32_t> out;
  for (std::int64_t i = 0; i < n; ++i)
    out.push_back(static_cast<std::int32_t>((i * 7919 + 13) % kVocabulary));
  return out;
}

/// Cheap to make and alike for every row: what the values are changes no count.
Tensor values(const Shape& shape, float scale) {
  const Tensor t = Tensor::empty(shape, DType::f32);
  for (std::int64_t i = 0; i < t.count(); ++i)
    t.data<float>()[i] = scale * (static_cast<float>((i * 40503) % 1009) / 1009.0f - 0.5f);
  return t;
}

std::unique_ptr<model::LanguageModel> quantised_model(kernels::QuantType type) {
  auto network = model::build_empty(config(), DType::f32);
  for (autograd::Parameter* p : network->parameters()) {
    if (p->shape().rank() != 2) {
      p->adopt(values(p->shape(), 1.0f), DType::f32);
      continue;
    }
    const std::int64_t rows = p->shape()[0], columns = p->shape()[1];
    const std::int64_t bytes = kernels::row_bytes(type, columns);
    const Tensor blocks = Tensor::empty({rows, bytes}, DType::u8);
    auto* out = blocks.data<std::uint8_t>();
    kernels::quantise_row(type, values({columns}, 0.1f).data<float>(), out, columns);
    for (std::int64_t r = 1; r < rows; ++r)
      std::memcpy(out + r * bytes, out, static_cast<std::size_t>(bytes));
    p->load_quantised(blocks, type);
  }
  return network;
}

void prefill() {
  const auto network = quantised_model(kernels::QuantType::q8_0);
  generate::TokenReader reader(*network, 256);
  work = [&] {
    reader.read(ids(256));
    reader.logits();
  };
  counted_work();
}

void decode() {
  const auto network = quantised_model(kernels::QuantType::q4_k);
  generate::TokenReader reader(*network, 64);
  reader.read(ids(16));
  work = [&] {
    for (const std::int32_t id : ids(48)) {
      reader.push(id);
      reader.logits();
    }
  };
  counted_work();
}

data::Batch batch(std::int64_t rows, std::int64_t width) {
  data::Batch b{.rows = rows, .width = width};
  const auto n = static_cast<std::size_t>(rows * width);
  b.tokens = ids(rows * width);
  b.targets = b.tokens;
  for (std::size_t i = 0; i < n; ++i)
    b.positions.push_back(static_cast<std::int32_t>(i % static_cast<std::size_t>(width)));
  b.document_starts.assign(n, 0);
  b.weights.assign(n, 1.0f);
  b.supervised = rows * width;
  return b;
}

void training_step() {
  const auto network = model::build(config(), DType::f32);
  for (autograd::Parameter* p : network->parameters()) p->set_master(values(p->shape(), 0.04f));
  train::Gradients gradients(network->parameters());
  const auto optimizer = optim::make_optimizer({}, network->parameters());
  train::CrossEntropy objective(0);
  const data::Batch rows = batch(2, 128);
  work = [&] {
    train::LossSums sums;
    gradients.begin_step();
    objective.train(*network, rows, sums);
    gradients.end_step();
    optim::gradient_norm(network->parameters());
    optimizer->step({.schedule = 1, .gradient_scale = 1 / sums.weight, .count = 1});
  };
  counted_work();
}

void encoding() {
  const auto tokenizer = bench::generated_tokenizer(1000);
  const std::string text = bench::generated_text(1'000'000);
  work = [&] { tokenizer->encode(text); };
  counted_work();
}

void tokenizer_training() {
  work = [] { bench::generated_tokenizer(2000); };
  counted_work();
}

const std::map<std::string, void (*)()> kWorks = {{"prefill_q8_0", prefill},
                                                  {"decode_q4_k", decode},
                                                  {"training_step", training_step},
                                                  {"encoding", encoding},
                                                  {"tokenizer_training", tokenizer_training}};

/// Without a name: what the counts depend on, and the names.
int run(const std::string& name) {
  if (name.empty()) {
    fmt::print("compiler g++ {}\nglibc {}\n", __VERSION__, gnu_get_libc_version());
    for (const auto& [work_name, _] : kWorks) fmt::print("work {}\n", work_name);
    return 0;
  }
  set_thread_count(1);
  kernels::set_isa(kernels::Isa::avx2);
  const auto found = kWorks.find(name);
  if (found == kWorks.end()) fail(ErrorCode::kInvalidArgument, "counted: no work '{}'", name);
  found->second();
  return 0;
}

}  // namespace
}  // namespace lathe

int main(int argc, char** argv) {
  try {
    return lathe::run(argc > 1 ? argv[1] : "");
  } catch (const lathe::Error& error) {
    fmt::print(stderr, "{}\n", error.message());
    return 1;
  }
}
