// Kernels that work on rows: norms, softmax, activations, embedding, rotation, cross entropy.
#include <utility>

#include "bench/kernel_bench.h"
#include "lathe/engine/kernels/activation.h"
#include "lathe/engine/kernels/cross_entropy.h"
#include "lathe/engine/kernels/embedding.h"
#include "lathe/engine/kernels/layer_norm.h"
#include "lathe/engine/kernels/rms_norm.h"
#include "lathe/engine/kernels/rope.h"
#include "lathe/engine/kernels/row_places.h"
#include "lathe/engine/kernels/softmax.h"

namespace lathe::bench {
namespace {

using namespace kernels;

/// x is the residual stream and f32; what the norm gives has the type of the products.
void add_norms(DType dtype) {
  add(with("rms_norm/forward", dtype), [=](Arrays& a) -> Call {
    const RmsNormArgs args{.x = a.normal(DType::f32, {kTokens, kWidth}),
                           .weight = a.normal(DType::f32, {kWidth}),
                           .y = a.zeros(dtype, {kTokens, kWidth}),
                           .inverse_rms = a.zeros(DType::f32, {kTokens})};
    return {.run = [=] { rms_norm(args); }, .bytes = bytes_of({args.x, args.y})};
  });
  add(with("rms_norm/backward", dtype), [=](Arrays& a) -> Call {
    const View x = a.normal(DType::f32, {kTokens, kWidth}), w = a.normal(DType::f32, {kWidth});
    const View inverse = a.zeros(DType::f32, {kTokens});
    rms_norm({.x = x, .weight = w, .y = a.zeros(dtype, {kTokens, kWidth}), .inverse_rms = inverse});
    const RmsNormBackwardArgs args{.x = x,
                                   .weight = w,
                                   .inverse_rms = inverse,
                                   .dy = a.normal(dtype, {kTokens, kWidth}),
                                   .add_to = a.normal(DType::f32, {kTokens, kWidth}),
                                   .dx = a.zeros(DType::f32, {kTokens, kWidth}),
                                   .dweight_acc = a.zeros(DType::f32, {kWidth})};
    return {.run = [=] { rms_norm_backward(args); },
            .bytes = bytes_of({x, args.dy, args.add_to, args.dx})};
  });
}

void add_layer_norms(DType dtype) {
  const auto forward = [=](Arrays& a) {
    const View w = a.normal(DType::f32, {kWidth});
    return LayerNormArgs{.x = a.normal(DType::f32, {kTokens, kWidth}),
                         .weight = w,
                         .bias = w,
                         .y = a.zeros(dtype, {kTokens, kWidth}),
                         .mean = a.zeros(DType::f32, {kTokens}),
                         .inverse_std = a.zeros(DType::f32, {kTokens})};
  };
  add(with("layer_norm/forward", dtype), [=](Arrays& a) -> Call {
    const LayerNormArgs args = forward(a);
    return {.run = [=] { layer_norm(args); }, .bytes = bytes_of({args.x, args.y})};
  });
  add(with("layer_norm/backward", dtype), [=](Arrays& a) -> Call {
    const LayerNormArgs f = forward(a);
    layer_norm(f);
    const LayerNormBackwardArgs args{.x = f.x,
                                     .weight = f.weight,
                                     .mean = f.mean,
                                     .inverse_std = f.inverse_std,
                                     .dy = a.normal(dtype, {kTokens, kWidth}),
                                     .add_to = a.normal(DType::f32, {kTokens, kWidth}),
                                     .dx = a.zeros(DType::f32, {kTokens, kWidth}),
                                     .dweight_acc = a.zeros(DType::f32, {kWidth}),
                                     .dbias_acc = a.zeros(DType::f32, {kWidth})};
    return {.run = [=] { layer_norm_backward(args); },
            .bytes = bytes_of({args.x, args.dy, args.add_to, args.dx})};
  });
}

struct SoftmaxKind {
  const char* name;
  void (*forward)(const SoftmaxArgs&);
  void (*backward)(const SoftmaxBackwardArgs&);
};

/// Rows of a hidden state and rows of a vocabulary.
void add_softmax(const SoftmaxKind& kind, DType dtype) {
  const std::string name = kind.name;
  for (const auto& [rows, columns] :
       {std::pair{kTokens, kWidth}, {std::int64_t{64}, kVocabulary}}) {
    const std::int64_t r = rows, c = columns;
    const std::string types = with(std::to_string(c), dtype);
    add(name + "/forward/" + types, [=](Arrays& a) -> Call {
      const View x = a.normal(dtype, {r, c}), y = a.zeros(dtype, {r, c});
      return {.run = [=] { kind.forward({x, y}); }, .bytes = bytes_of({x, y})};
    });
    add(name + "/backward/" + types, [=](Arrays& a) -> Call {
      const View y = a.zeros(dtype, {r, c});
      kind.forward({a.normal(dtype, {r, c}), y});
      const View dy = a.normal(dtype, {r, c}), dx = a.zeros(dtype, {r, c});
      return {.run = [=] { kind.backward({y, dy, dx}); }, .bytes = bytes_of({y, dy, dx})};
    });
  }
}

void add_activation(const std::string& name, Activation kind, DType dtype) {
  const std::string types = with("/" + name, dtype);
  const auto hidden = [=](Arrays& a) { return a.normal(dtype, {kTokens, kHidden}); };
  add("activation" + types, [=](Arrays& a) -> Call {
    const View x = hidden(a), y = hidden(a);
    return {.run = [=] { activation({x, y, kind}); }, .bytes = bytes_of({x, y})};
  });
  add("activation_backward" + types, [=](Arrays& a) -> Call {
    const View x = hidden(a), dy = hidden(a), dx = hidden(a);
    return {.run = [=] { activation_backward({x, dy, dx, kind}); }, .bytes = bytes_of({x, dy, dx})};
  });
  add("gated" + types, [=](Arrays& a) -> Call {
    const View gate = hidden(a), up = hidden(a), y = hidden(a);
    return {.run = [=] { gated({gate, up, y, kind}); }, .bytes = bytes_of({gate, up, y})};
  });
  add("gated_backward" + types, [=](Arrays& a) -> Call {
    const View gate = hidden(a), up = hidden(a), dy = hidden(a), dgate = hidden(a), dup = hidden(a);
    return {.run =
                [=] {
                  gated_backward({gate, up, dy, dgate, dup, kind});
                },
            .bytes = bytes_of({gate, up, dy, dgate, dup})};
  });
}

void add_rope(DType dtype, bool interleaved) {
  add(with(interleaved ? "rope/interleaved" : "rope/halves", dtype), [=](Arrays& a) -> Call {
    RopeArgs args{.x = a.normal(dtype, {1, kTokens, kHeads, kHeadSize}),
                  .cosine = a.uniform(DType::f32, {kTokens, kHeadSize / 2}, -1, 1),
                  .sine = a.uniform(DType::f32, {kTokens, kHeadSize / 2}, -1, 1),
                  .positions = a.zeros(DType::i32, {1, kTokens}),
                  .y = a.zeros(dtype, {1, kTokens, kHeads, kHeadSize}),
                  .interleaved = interleaved};
    for (std::int64_t t = 0; t < kTokens; ++t)
      args.positions.as<std::int32_t>()[t] = static_cast<std::int32_t>(t);
    return {.run = [=] { rope(args); },
            .bytes = bytes_of({args.x, args.y, args.cosine, args.sine})};
  });
}

void add_embedding(DType dtype) {
  add(with("embedding", dtype), [=](Arrays& a) -> Call {
    const View table = a.normal(dtype, {kVocabulary, kWidth}), ids = a.ids({kTokens}, kVocabulary);
    const View out = a.zeros(dtype, {kTokens, kWidth});
    return {.run = [=] { embedding({table, ids, out}); }, .bytes = bytes_of({out, out})};
  });
  add(with("embedding_acc", dtype), [=](Arrays& a) -> Call {
    const View table = a.zeros(DType::f32, {kVocabulary, kWidth});
    const View ids = a.ids({kTokens}, kVocabulary), dy = a.normal(dtype, {kTokens, kWidth});
    return {.run =
                [=] {
                  embedding_acc({ids, dy, table});
                },
            .bytes = bytes_of({dy}) + 8.0 * static_cast<double>(dy.count())};
  });
}

/// The gradient of a table as sums of the rows that a batch meets, new for each batch.
void add_row_places() {
  add("row_places", [](Arrays& a) -> Call {
    const View place = a.zeros(DType::i32, {kVocabulary}), at = a.zeros(DType::i32, {kTokens});
    for (std::int64_t i = 0; i < kVocabulary; ++i) place.as<std::int32_t>()[i] = -1;
    const View row_ids = a.zeros(DType::i32, {kTokens}), used = a.zeros(DType::i32, {1});
    const View sums = a.zeros(DType::f32, {kTokens, kWidth}), ids = a.ids({kTokens}, kVocabulary);
    const auto run = [=] {
      place_rows({ids, place, row_ids, used, sums, at});
      forget_rows({place, row_ids, used});
    };
    return {.run = run, .bytes = bytes_of({sums})};
  });
}

void add_cross_entropy(DType logits, DType gradient) {
  const View none;
  for (const bool backward : {false, true}) {
    const std::string kind = backward ? "forward_backward" : "forward";
    add(with("cross_entropy/" + kind, logits) + "_to_" + std::string(name(gradient)),
        [=](Arrays& a) -> Call {
          constexpr std::int64_t kRows = 64;
          const CrossEntropyArgs args{
              .logits = a.normal(logits, {kRows, kVocabulary}, 3.0),
              .targets = a.ids({kRows}, kVocabulary),
              .nll = a.zeros(DType::f32, {kRows}),
              .dlogits = backward ? a.zeros(gradient, {kRows, kVocabulary}) : none};
          return {.run = [=] { cross_entropy(args); },
                  .bytes = bytes_of({args.logits}) + (backward ? bytes_of({args.dlogits}) : 0)};
        });
  }
}

}  // namespace

void add_rows() {
  constexpr SoftmaxKind kSoftmax[] = {{"softmax", softmax, softmax_backward},
                                      {"log_softmax", log_softmax, log_softmax_backward}};
  constexpr std::pair<const char*, Activation> kActivations[] = {
      {"silu", Activation::silu},
      {"gelu_tanh", Activation::gelu_tanh},
      {"gelu_erf", Activation::gelu_erf},
      {"relu", Activation::relu},
      {"relu_squared", Activation::relu_squared}};
  for (const DType dtype : {DType::f32, DType::bf16}) {
    add_norms(dtype), add_layer_norms(dtype);
    for (const SoftmaxKind& kind : kSoftmax) add_softmax(kind, dtype);
    for (const auto& [name, kind] : kActivations) add_activation(name, kind, dtype);
    add_rope(dtype, false), add_rope(dtype, true);
    add_embedding(dtype);
    add_cross_entropy(DType::f32, dtype);
  }
  add_row_places();
}

}  // namespace lathe::bench
