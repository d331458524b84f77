// Products of matrices of numbers, and the output projection with its cross entropy.
#include "bench/kernel_bench.h"
#include "lathe/engine/kernels/bf16_codes.h"
#include "lathe/engine/kernels/linear_cross_entropy.h"
#include "lathe/engine/kernels/linear_int8.h"
#include "lathe/engine/kernels/matmul.h"

namespace lathe::bench {
namespace {

using namespace kernels;

/// y [tokens, out] = x [tokens, in] W^T, W [out, in], and its gradients.
struct Layer {
  const char* name;
  std::int64_t tokens, out, in;

  double flops() const { return 2.0 * static_cast<double>(tokens * out * in); }
  std::string text(const std::string& kind) const {
    return kind + "/" + name + "_" + std::to_string(tokens);
  }
};

constexpr Layer kTraining[] = {{"q", kTokens, kWidth, kWidth},
                               {"k", kTokens, kKvHeads* kHeadSize, kWidth},
                               {"up", kTokens, kHidden, kWidth},
                               {"down", kTokens, kWidth, kHidden},
                               {"head", 256, kVocabulary, kWidth}};
constexpr Layer kDecoding[] = {
    {"up", 1, kHidden, kWidth}, {"up", 8, kHidden, kWidth}, {"head", 1, kVocabulary, kWidth}};

struct Types {
  DType x, w;
  std::string text() const {
    return std::string(name(x)) + (x == w ? "" : "_by_" + std::string(name(w)));
  }
};
constexpr Types kTypes[] = {
    {DType::f32, DType::f32}, {DType::f32, DType::bf16}, {DType::bf16, DType::bf16}};

Call product(Arrays& a, MatmulArgs args, double flops) {
  args.workspace_bytes = matmul_workspace(args);
  args.workspace = a.workspace(args.workspace_bytes);
  return {
      .run = [=] { matmul(args); }, .bytes = bytes_of({args.a, args.b, args.c}), .flops = flops};
}

void add_forward(const Layer& n, const Types& t) {
  add(n.text("matmul/forward") + "/" + t.text(), [=](Arrays& a) {
    const View x = a.normal(t.x, {n.tokens, n.in}), w = a.normal(t.w, {n.out, n.in}, 0.05);
    const View y = a.zeros(t.x, {n.tokens, n.out});
    return product(a, {.a = x, .b = turned(w), .c = y}, n.flops());
  });
}

void add_input_gradient(const Layer& n, const Types& t) {
  add(n.text("matmul/input_gradient") + "/" + t.text(), [=](Arrays& a) {
    const View dy = a.normal(t.x, {n.tokens, n.out}), w = a.normal(t.w, {n.out, n.in}, 0.05);
    return product(a, {.a = dy, .b = w, .c = a.zeros(t.x, {n.tokens, n.in})}, n.flops());
  });
}

void add_weight_gradient(const Layer& n, DType dtype) {
  add(with(n.text("matmul/weight_gradient"), dtype), [=](Arrays& a) {
    const View dy = a.normal(dtype, {n.tokens, n.out}), x = a.normal(dtype, {n.tokens, n.in});
    const View dw = a.zeros(DType::f32, {n.out, n.in});
    return product(a, {.a = turned(dy), .b = x, .c = dw, .accumulate = true}, n.flops());
  });
}

/// Weights that were packed before, as for inference.
void add_packed(const Layer& n, DType dtype) {
  const auto pack = [=](Arrays& a, const View& w) {
    void* panels = a.workspace(packed_bytes(turned(w)));
    pack_b(turned(w), panels);
    return panels;
  };
  add(with(n.text("matmul/packed"), dtype), [=](Arrays& a) {
    const View x = a.normal(dtype, {n.tokens, n.in}), w = a.normal(dtype, {n.out, n.in}, 0.05);
    MatmulArgs args{.a = x, .b = turned(w), .c = a.zeros(dtype, {n.tokens, n.out})};
    args.b_panels = pack(a, w);
    return product(a, args, n.flops());
  });
}

View codes_of(Arrays& a, const View& w) {
  const View codes =
      a.zeros(DType::u8, {Bf16Codes::records(w.dims[0]), Bf16Codes{w.dims[1]}.record_bytes()});
  encode_bf16(w, codes.data);
  return codes;
}

/// bf16 weights at twelve bits.
void add_coded(const Layer& n) {
  add(n.text("matmul/coded") + "/f32_by_bf16", [=](Arrays& a) {
    const View w = a.normal(DType::bf16, {n.out, n.in}, 0.05);
    const MatmulArgs args{.a = a.normal(DType::f32, {n.tokens, n.in}),
                          .b = turned(w),
                          .c = a.zeros(DType::f32, {n.tokens, n.out}),
                          .b_codes = codes_of(a, w)};
    Call call = product(a, args, n.flops());
    call.bytes = bytes_of({args.a, args.b_codes, args.c});
    return call;
  });
}

void add_encode() {
  add("bf16_codes/encode", [=](Arrays& a) -> Call {
    const View w = a.normal(DType::bf16, {kHidden, kWidth}, 0.05), codes = codes_of(a, w);
    return {.run = [=] { encode_bf16(w, codes.data); }, .bytes = bytes_of({w, codes})};
  });
}

void add_pack(DType dtype) {
  add(with("matmul/pack_b", dtype), [=](Arrays& a) -> Call {
    const View w = a.normal(dtype, {kHidden, kWidth});
    void* panels = a.workspace(packed_bytes(turned(w)));
    return {.run = [=] { pack_b(turned(w), panels); },
            .bytes = bytes_of({w}) + static_cast<double>(packed_bytes(turned(w)))};
  });
}

/// back: the product with the transposed weights, which gives gradients of inputs.
void add_int8(const Layer& n, const Types& t, bool back) {
  const std::string kind = back ? "linear_int8/input_gradient" : "linear_int8/forward";
  add(n.text(kind) + "/" + t.text(), [=](Arrays& a) -> Call {
    const std::int64_t from = back ? n.out : n.in, to = back ? n.in : n.out;
    const View x = a.normal(t.x, {n.tokens, from}), w = a.normal(t.w, {n.out, n.in}, 0.05);
    LinearInt8Args args{.x = x, .w = back ? turned(w) : w, .y = a.zeros(t.x, {n.tokens, to})};
    args.workspace_bytes = linear_int8_workspace(args);
    args.workspace = a.workspace(args.workspace_bytes);
    return {.run = [=] { linear_int8(args); },
            .bytes = bytes_of({args.x, args.w, args.y}),
            .flops = n.flops()};
  });
}

void add_loss(const Types& t, bool gradients) {
  const std::string kind = gradients ? "forward_backward/" : "forward/";
  add("linear_cross_entropy/" + kind + t.text(), [=](Arrays& a) -> Call {
    const Layer n{"head", 256, kVocabulary, kWidth};
    LinearCrossEntropyArgs args{.x = a.normal(t.x, {n.tokens, n.in}),
                                .weight = a.normal(t.w, {n.out, n.in}, 0.05),
                                .targets = a.ids({n.tokens}, n.out),
                                .nll = a.zeros(DType::f32, {n.tokens})};
    if (gradients) args.dx = a.zeros(t.x, {n.tokens, n.in});
    if (gradients) args.weight_acc = a.zeros(DType::f32, {n.out, n.in});
    args.workspace_bytes = linear_cross_entropy_workspace(args);
    args.workspace = a.workspace(args.workspace_bytes);
    return {.run = [=] { linear_cross_entropy(args); }, .flops = (gradients ? 3 : 1) * n.flops()};
  });
}

}  // namespace

void add_products() {
  for (const Types& t : kTypes) {
    for (const Layer& n : kTraining) add_forward(n, t), add_input_gradient(n, t);
    for (const Layer& n : kDecoding) add_forward(n, t);
    if (t.x == t.w) {
      for (const Layer& n : kTraining) add_weight_gradient(n, t.x);
      for (const Layer& n : kDecoding) add_packed(n, t.x);
      add_pack(t.x);
    }
    for (const Layer& n : kTraining)
      if (n.out < kVocabulary) add_int8(n, t, false), add_int8(n, t, true);
    add_loss(t, false), add_loss(t, true);
  }
  if (!reads_bf16_codes()) return;
  for (const Layer& n : kDecoding) add_coded(n);
  add_coded({"up", 512, kHidden, kWidth});
  add_encode();
}

}  // namespace lathe::bench
