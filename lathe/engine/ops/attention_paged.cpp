// Attention over a cache of pages (kernels/kv_pages.h), and writing into them.
#include "lathe/engine/kernels/kv_pages.h"
#include "lathe/engine/ops/infer.h"
#include "lathe/engine/ops/ops.h"

namespace lathe::ops {
namespace {

using kernels::KvType;

/// A page's type is part of what a plan is made for; where tokens lie is in tensors.
struct PagedAttrs {
  KvType type = KvType::f32;
  double scale = 1, soft_cap = 0;
  std::int64_t window = 0;
  void fields(Fields& f) {
    std::string text(kernels::name(type));
    f("type", text);
    f("scale", scale);
    f("soft_cap", soft_cap);
    f("window", window);
  }
};

/// Checks the tensors that tell where `tokens` tokens of each of `rows` rows are. Their values are
/// checked where they are there to read: a wrong entry would be memory of somebody else.
struct PagesCheck {
  const char* subject;
  const Tensor &pages, &table, &first;
  std::int64_t rows, tokens, kv_heads, size;
  std::int64_t window = -1;  // -1: only what is written

  void run(KvType type) const {
    if (size < 1 || size > kernels::kMaxHeadSize)
      fail(ErrorCode::kUnsupported, "{}: head size {} is outside 1 to {}", subject, size,
           kernels::kMaxHeadSize);
    if (!pages.defined() || pages.dtype() != DType::u8 || pages.rank() != 2)
      bad_shape(subject, "pages as u8 [P,bytes]", pages);
    expect_i32(subject, table);
    expect_i32(subject, first);
    const std::int64_t head = kernels::kv_layout(type, size).bytes;
    const std::int64_t bytes = kv_heads > 0 ? kv_heads * head : pages.dim(1) / head * head;
    if (pages.dim(1) != bytes || bytes == 0)
      fail(ErrorCode::kShapeMismatch,
           "{}: pages {} do not hold {} heads of size {}, which take {} bytes each", subject,
           describe(pages), kernels::name(type), size, head);
    if (table.rank() != 2 || table.dim(0) != rows) bad_shape(subject, "a table [B,N]", table);
    expect_shape(subject, "first", first, {rows});
    if (first.device() == Device::cpu && first.has_data() && table.has_data()) values();
  }

 private:
  void values() const {
    for (std::int64_t b = 0; b < rows; ++b) {
      const std::int64_t begin = first.data<std::int32_t>()[b * first.stride(0)];
      const std::int64_t end = begin + tokens;
      if (end > table.dim(1) * kernels::kKvPage)
        fail(ErrorCode::kInvalidArgument,
             "{}: {} tokens behind {} do not fit the {} pages of row {}", subject, tokens, begin,
             table.dim(1), b);
      std::int64_t key = window < 0 ? begin : window == 0 ? 0 : begin - window + 1;
      key = std::max<std::int64_t>(0, key) / kernels::kKvPage;
      for (; key * kernels::kKvPage < end; ++key) {
        const std::int32_t page =
            table.data<std::int32_t>()[b * table.stride(0) + key * table.stride(1)];
        if (page < 0 || page >= pages.dim(0))
          fail(ErrorCode::kInvalidArgument, "{}: page {} of row {} is {}, expected 0 to {}",
               subject, key, b, page, pages.dim(0) - 1);
      }
    }
  }
};

// --- kv_write_(pages, k, v, table, first)
// ---------------------------------------------------------

void infer_write(Inputs in, const Attrs& attrs, std::vector<TensorSpec>&) {
  for (int i = 1; i < 3; ++i) {
    const Tensor& t = in[static_cast<std::size_t>(i)];
    if (!t.defined() || t.rank() != 4 || (t.dtype() != DType::f32 && t.dtype() != DType::bf16))
      bad_shape("kv_write_", "f32 or bf16 [B,T,K,D]", t);
  }
  expect_shape("kv_write_", "v", in[2], in[1].shape());
  PagesCheck{"kv_write_",  in[0],        in[3],        in[4],
             in[1].dim(0), in[1].dim(1), in[1].dim(2), in[1].dim(3)}
      .run(attrs.as<PagedAttrs>().type);
}

void cpu_write(const KernelCall& c) noexcept {
  const KvType type = c.attrs->as<PagedAttrs>().type;
  kernels::kv_write(
      {{.pages = c.in[0], .table = c.in[3], .first = c.in[4], .type = type}, c.in[1], c.in[2]});
}

// --- attention_paged(q, pages, table, first, document_start)
// --------------------------------------

void infer_attention(Inputs in, const Attrs& attrs, std::vector<TensorSpec>& out) {
  const Tensor& q = in[0];
  if (!q.defined() || q.rank() != 4 || (q.dtype() != DType::f32 && q.dtype() != DType::bf16))
    bad_shape("attention_paged", "q as f32 or bf16 [B,T,H,D]", q);
  const auto& a = attrs.as<PagedAttrs>();
  PagesCheck{"attention_paged", in[1], in[2], in[3], q.dim(0), q.dim(1), 0, q.dim(3), a.window}.run(
      a.type);
  const std::int64_t kv_heads = in[1].dim(1) / kernels::kv_layout(a.type, q.dim(3)).bytes;
  if (q.dim(2) % kv_heads != 0)
    fail(ErrorCode::kShapeMismatch, "attention_paged: {} heads of q do not share {} of the pages",
         q.dim(2), kv_heads);
  expect_i32("attention_paged", in[4]);
  expect_shape("attention_paged", "document_start", in[4], {q.dim(0), q.dim(1)});
  out.push_back({q.shape(), q.dtype()});
}

kernels::AttentionPagedArgs attention_args(const KernelCall& c) {
  const auto& a = c.attrs->as<PagedAttrs>();
  return {.q = c.in[0],
          .pages = {.pages = c.in[1], .table = c.in[2], .first = c.in[3], .type = a.type},
          .document_start = c.in[4],
          .out = c.out[0],
          .scale = static_cast<float>(a.scale),
          .soft_cap = static_cast<float>(a.soft_cap),
          .window = a.window,
          .workspace = c.workspace,
          .workspace_bytes = c.workspace_bytes};
}

std::int64_t workspace_attention(const KernelCall& c) noexcept {
  return kernels::attention_paged_workspace(attention_args(c));
}
void cpu_attention(const KernelCall& c) noexcept { kernels::attention_paged(attention_args(c)); }

/// Keys that come before the call's own, where the tensors tell it: else as many as fit.
std::int64_t keys_before(const Tensor& table, const Tensor& first, std::int64_t row,
                         std::int64_t tokens) {
  if (first.has_data()) return first.data<std::int32_t>()[row * first.stride(0)];
  return table.dim(1) * kernels::kKvPage - tokens;
}

double flops_attention(Inputs in, Inputs, const Attrs& attrs) {
  const Tensor& q = in[0];
  const std::int64_t window = attrs.as<PagedAttrs>().window;
  double pairs = 0;
  for (std::int64_t b = 0; b < q.dim(0); ++b) {
    const std::int64_t before = keys_before(in[2], in[3], b, q.dim(1));
    for (std::int64_t t = 0; t < q.dim(1); ++t) {
      const std::int64_t seen = std::max<std::int64_t>(0, before + t + 1);
      pairs += static_cast<double>(window > 0 ? std::min(seen, window) : seen);
    }
  }
  return 4.0 * pairs * static_cast<double>(q.dim(2) * q.dim(3));
}

/// Keys and values that are seen, each once, q and the result.
double bytes_attention(Inputs in, Inputs out, const Attrs& attrs) {
  const Tensor& q = in[0];
  const std::int64_t window = attrs.as<PagedAttrs>().window;
  double keys = 0;
  for (std::int64_t b = 0; b < q.dim(0); ++b) {
    const std::int64_t seen = keys_before(in[2], in[3], b, q.dim(1)) + q.dim(1);
    keys += static_cast<double>(
        std::max<std::int64_t>(0, window > 0 ? std::min(seen, window + q.dim(1) - 1) : seen));
  }
  const double key_bytes = static_cast<double>(in[1].dim(1)) / kernels::kKvPage;
  return keys * key_bytes + sum_of_bytes(in.first(1)) + sum_of_bytes(out);
}

double flops_write(Inputs in, Inputs, const Attrs&) {
  return static_cast<double>(in[1].count() + in[2].count());
}
/// What is read, and what pages keep of it.
double bytes_write(Inputs in, Inputs, const Attrs&) {
  const double tokens = static_cast<double>(in[1].dim(0) * in[1].dim(1));
  return sum_of_bytes(in.subspan(1, 2)) +
         tokens * static_cast<double>(in[0].dim(1)) / kernels::kKvPage;
}

// --- samples
// ------------------------------------------------------------------------------------

struct Case {
  std::int64_t rows, tokens, heads, kv_heads, size;
  std::vector<std::int32_t> first;
  PagedAttrs attrs;
};

std::vector<Case> cases() {
  std::vector<Case> all;
  for (const KvType type : {KvType::f32, KvType::bf16, KvType::q8_0}) {
    all.push_back({2, 3, 4, 2, 5, {0, 70}, {.type = type, .scale = 0.375}});
    all.push_back({3, 1, 3, 1, 40, {199, -1, 64}, {.type = type, .scale = 0.125}});
    all.push_back({1, 70, 2, 2, 8, {9}, {.type = type, .scale = 0.5, .soft_cap = 3, .window = 30}});
  }
  return all;
}

constexpr std::int64_t kPagesARow = 4;

/// Pages of all rows in turn, backwards.
void lay_out(const Case& c, Tensor& table, Tensor& first) {
  for (std::int64_t i = 0; i < table.count(); ++i)
    table.data<std::int32_t>()[i] = static_cast<std::int32_t>(table.count() - 1 - i);
  std::copy(c.first.begin(), c.first.end(), first.data<std::int32_t>());
}

Shape pages_shape(const Case& c) {
  return {c.rows * kPagesARow, kernels::kv_page_bytes(c.attrs.type, c.kv_heads, c.size)};
}

std::vector<Sample> samples_write() {
  std::vector<Sample> samples;
  for (const Case& c : cases()) {
    const Shape kv{c.rows, c.tokens, c.kv_heads, c.size};
    samples.push_back({.inputs = {{pages_shape(c), DType::u8},
                                  {kv, DType::f32},
                                  {kv, DType::f32},
                                  {{c.rows, kPagesARow}, DType::i32},
                                  {{c.rows}, DType::i32}},
                       .attrs = c.attrs,
                       .integer_below = 256,
                       .differentiable = 0,
                       .adjust = [c](std::vector<Tensor>& in) { lay_out(c, in[3], in[4]); }});
  }
  return samples;
}

/// Pages as another call has filled them with tokens from key 0 on.
std::vector<Sample> samples_attention() {
  std::vector<Sample> samples;
  for (const Case& c : cases()) {
    Sample s{.inputs = {{{c.rows, c.tokens, c.heads, c.size}, DType::f32},
                        {pages_shape(c), DType::u8},
                        {{c.rows, kPagesARow}, DType::i32},
                        {{c.rows}, DType::i32},
                        {{c.rows, c.tokens}, DType::i32}},
             .attrs = c.attrs,
             .differentiable = 0};
    s.adjust = [c](std::vector<Tensor>& in) {
      lay_out(c, in[2], in[3]);
      const std::int64_t keys = kPagesARow * kernels::kKvPage;
      std::vector<float> values(static_cast<std::size_t>(c.rows * keys * c.kv_heads * c.size));
      for (std::size_t i = 0; i < values.size(); ++i)
        values[i] = static_cast<float>((i * 2654435761u) % 2001) / 500.0f - 2.0f;
      const Tensor kv = Tensor::from(values, {c.rows, keys, c.kv_heads, c.size});
      const std::vector<std::int32_t> zeros(static_cast<std::size_t>(c.rows), 0);
      kv_write_(in[1], kv, neg(kv), {in[2], Tensor::from(zeros, {c.rows})}, c.attrs.type);
    };
    samples.push_back(std::move(s));
  }
  return samples;
}

}  // namespace

namespace defs {
extern const OpDef kv_write_{.name = "kv_write_",
                             .traits = kInPlace,
                             .writes = 1,
                             .layout = Layout::unit_last,
                             .infer = infer_write,
                             .cpu = cpu_write,
                             .flops = flops_write,
                             .bytes = bytes_write,
                             .samples = samples_write};
extern const OpDef attention_paged{.name = "attention_paged",
                                   .layout = Layout::unit_last,
                                   .infer = infer_attention,
                                   .cpu = cpu_attention,
                                   .workspace = workspace_attention,
                                   .flops = flops_attention,
                                   .bytes = bytes_attention,
                                   .samples = samples_attention};
}  // namespace defs

void kv_write_(const Tensor& pages, const Tensor& k, const Tensor& v, const PagedRows& rows,
               KvType type) {
  apply(defs::kv_write_, std::array{pages, k, v, rows.table, rows.first}, PagedAttrs{.type = type});
}

Tensor attention_paged(const Tensor& q, const PagedCache& cache, const Tensor& document_start,
                       const AttentionOptions& o) {
  // Kernels take both as f32; so does the meaning.
  const double scale = static_cast<float>(o.scale), cap = static_cast<float>(o.soft_cap);
  return apply_one(defs::attention_paged,
                   std::array{q, cache.pages, cache.rows.table, cache.rows.first, document_start},
                   PagedAttrs{cache.type, scale, cap, o.window});
}

}  // namespace lathe::ops
