// One meaning of a row: prefill, decode, any chunk of queries, any batch, packed or alone give the
// same bits, and no document sees another. On every instruction set, native bf16 included.
#include <bit>
#include <limits>

#include "lathe/engine/kernels/attention_testing.h"

namespace lathe::kernels {
namespace {

using namespace testing;

/// Runs `law` for f32 and bf16 on every instruction set of this machine.
template <typename Law>
void on_every_isa(Law law) {
  const RestoreSettings restore;
  for (const Isa level : {Isa::reference, Isa::avx2, Isa::avx512, Isa::avx512_bf16})
    for (const DType dtype : {DType::f32, DType::bf16}) {
      if (!set_isa(level)) continue;
      SCOPED_TRACE(fmt::format("{} {}", name(level), name(dtype)));
      for (const int threads : {1, 3}) {
        if (level == Isa::reference && threads == 1) continue;  // slow, and one row a task anyway
        set_thread_count(threads);
        law(dtype);
      }
    }
}

/// The bits of tokens [from, from + count) of a view, in order.
std::vector<std::uint64_t> rows(const View& v, std::int64_t b, std::int64_t from,
                                std::int64_t count) {
  std::vector<std::uint64_t> all;
  for (std::int64_t t = from; t < from + count; ++t)
    for (std::int64_t h = 0; h < v.dims[2]; ++h)
      for (const double x : row(v, b, t, h)) all.push_back(std::bit_cast<std::uint64_t>(x));
  return all;
}

/// Copies batch row `from` of a, tokens [first, ...), into batch row `to` of b.
void copy_tokens(const Array& a, std::int64_t from, std::int64_t first, Array& b, std::int64_t to) {
  const View x = a.view(), y = b.view();
  const std::int64_t token = x.dims[2] * x.dims[3];
  for (std::int64_t i = 0; i < y.dims[1] * token; ++i)
    b.set(to * y.strides[0] + i, a.at(from * x.strides[0] + first * token + i));
}

TEST(AttentionLaws, PrefillEqualsAnyChunkingAndDecode) {
  on_every_isa([](DType dtype) {
    for (const std::int64_t window : {0, 40}) {
      Problem p{.batch = 1,
                .queries = 203,
                .keys = 203,
                .heads = 3,
                .kv_heads = 1,
                .size = 24,
                .dtype = dtype,
                .starts = packed(1, 203, {5, 198}),
                .window = window,
                .wide = true,
                .seed = 11};
      AttentionData whole(p);
      whole.forward();
      for (const std::int64_t chunk : {1, 7, 65})
        for (std::int64_t first = 0; first < p.queries; first += chunk) {
          Problem part = p;
          part.queries = std::min(chunk, p.queries - first);
          part.keys = first + part.queries;  // what the cache holds by then
          part.offset = first, part.seed = 0;
          part.starts.assign(p.starts.begin() + first, p.starts.begin() + first + part.queries);
          AttentionData x(part);
          copy_tokens(whole.fused, 0, 0, x.fused, 0);  // keys and values at their own places
          const View source = whole.q(whole.fused);
          const View to = x.q(x.fused);
          for (std::int64_t i = 0; i < part.queries; ++i)
            std::memcpy(
                static_cast<char*>(to.data) + i * to.strides[1] * size_of(dtype),
                static_cast<char*>(source.data) + (first + i) * source.strides[1] * size_of(dtype),
                static_cast<std::size_t>(p.heads * p.size) * size_of(dtype));
          x.forward();
          ASSERT_EQ(rows(x.out.view(), 0, 0, part.queries),
                    rows(whole.out.view(), 0, first, part.queries))
              << "chunk " << chunk << " at " << first;
        }
    }
  });
}

TEST(AttentionLaws, PackedEqualsAloneForwardAndBackward) {
  on_every_isa([](DType dtype) {
    const std::vector<std::int64_t> lengths = {1, 67, 3, 130, 20};
    Problem p{.batch = 2,
              .queries = 221,
              .keys = 221,
              .heads = 6,
              .kv_heads = 2,
              .size = 20,
              .dtype = dtype,
              .starts = packed(2, 221, lengths),
              .wide = true,
              .seed = 12};
    AttentionData all(p);
    all.forward().backward();
    for (std::int64_t b = 0; b < 2; ++b) {
      std::int64_t first = 0;
      for (const std::int64_t length : lengths) {
        Problem one = p;
        one.batch = 1, one.queries = one.keys = length, one.starts.clear(), one.seed = 0;
        AttentionData x(one);
        copy_tokens(all.fused, b, first, x.fused, 0);
        copy_tokens(all.dout, b, first, x.dout, 0);
        x.forward().backward();
        ASSERT_EQ(rows(x.out.view(), 0, 0, length), rows(all.out.view(), b, first, length));
        ASSERT_EQ(rows(x.gradient.view(), 0, 0, length),
                  rows(all.gradient.view(), b, first, length))
            << "document of " << length << " at " << first;
        first += length;
      }
    }
  });
}

TEST(AttentionLaws, DecodeIsTheSameInAnyBatchAndKeepsOffTheUnwrittenCache) {
  on_every_isa([](DType dtype) {
    Problem p{.batch = 5,
              .queries = 2,
              .keys = 333,
              .heads = 4,
              .kv_heads = 2,
              .size = 48,
              .dtype = dtype,
              .offsets = {0, 331, 63, 64, 200},
              .wide = true,
              .seed = 13};
    AttentionData all(p);
    for (std::int64_t b = 0; b < p.batch; ++b)  // what lies behind each sequence is not a number
      for (std::int64_t t = p.offsets[static_cast<std::size_t>(b)] + p.queries; t < p.keys; ++t)
        for (std::int64_t i = 0; i < 8 * 48; ++i)
          all.fused.set((b * p.keys + t) * 8 * 48 + i, std::numeric_limits<double>::quiet_NaN());
    all.forward();
    for (std::int64_t b = 0; b < p.batch; ++b) {
      Problem one = p;
      one.batch = 1, one.offset = p.offsets[static_cast<std::size_t>(b)], one.offsets.clear();
      one.keys = one.offset + one.queries, one.seed = 0;
      AttentionData x(one);
      copy_tokens(all.fused, b, 0, x.fused, 0);
      x.forward();
      ASSERT_EQ(rows(x.out.view(), 0, 0, 2), rows(all.out.view(), b, 0, 2)) << "row " << b;
    }
  });
}

// Queries whose output gradient is zero add nothing: the later ones alone give the same gradients,
// although they begin in the middle of a document (and of a pair of rows).
TEST(AttentionLaws, LaterQueriesAloneGiveTheSameGradients) {
  on_every_isa([](DType dtype) {
    for (const std::int64_t first : {1, 7, 65}) {
      Problem p{.batch = 1,
                .queries = 90,
                .keys = 90,
                .heads = 3,
                .kv_heads = 1,
                .size = 16,
                .dtype = dtype,
                .wide = true,
                .seed = 16};
      AttentionData all(p);
      for (std::int64_t i = 0; i < first * 3 * 16; ++i) all.dout.set(i, 0);
      all.forward().backward();
      Problem rest = p;
      rest.queries = 90 - first, rest.offset = first, rest.seed = 0;
      AttentionData x(rest);
      AttentionBackwardArgs a = x.args();
      copy_tokens(all.fused, 0, 0, x.fused, 0);
      copy_tokens(all.dout, 0, first, x.dout, 0);
      const View q = all.q(all.fused);
      for (std::int64_t i = 0; i < rest.queries; ++i)
        std::memcpy(static_cast<char*>(a.q.data) + i * a.q.strides[1] * size_of(dtype),
                    static_cast<char*>(q.data) + (first + i) * q.strides[1] * size_of(dtype),
                    static_cast<std::size_t>(3 * 16) * size_of(dtype));
      x.forward().backward();
      ASSERT_EQ(rows(x.k(x.gradient), 0, 0, 90), rows(all.k(all.gradient), 0, 0, 90)) << first;
      ASSERT_EQ(rows(x.v(x.gradient), 0, 0, 90), rows(all.v(all.gradient), 0, 0, 90)) << first;
      ASSERT_EQ(rows(x.q(x.gradient), 0, 0, rest.queries),
                rows(all.q(all.gradient), 0, first, rest.queries));
    }
  });
}

// Document 1 turns into NaN and infinity; document 2 keeps its bits, gradients included.
TEST(AttentionLaws, NothingLeaksBetweenDocumentsOrFromTheFuture) {
  on_every_isa([](DType dtype) {
    for (const std::int64_t first : {1, 37, 64, 65}) {
      Problem p{.batch = 1,
                .queries = 170,
                .keys = 170,
                .heads = 3,
                .kv_heads = 1,
                .size = 17,
                .dtype = dtype,
                .starts = packed(1, 170, {first, 170 - first}),
                .wide = true,
                .seed = 14};
      AttentionData clean(p), dirty(p);
      const std::int64_t token = 5 * 17;
      for (std::int64_t i = 0; i < first * token; ++i)
        dirty.fused.set(i, i % 2 ? std::numeric_limits<double>::quiet_NaN()
                                 : std::numeric_limits<double>::infinity());
      for (std::int64_t i = 0; i < first * 3 * 17; ++i)
        dirty.dout.set(i, std::numeric_limits<double>::quiet_NaN());
      clean.forward().backward();
      dirty.forward().backward();
      const std::int64_t rest = 170 - first;
      ASSERT_EQ(rows(clean.out.view(), 0, first, rest), rows(dirty.out.view(), 0, first, rest));
      ASSERT_EQ(rows(clean.gradient.view(), 0, first, rest),
                rows(dirty.gradient.view(), 0, first, rest));
      // And the second document does not reach the first.
      AttentionData late(p);
      for (std::int64_t i = first * token; i < 170 * token; ++i)
        late.fused.set(i, std::numeric_limits<double>::quiet_NaN());
      late.forward().backward();
      ASSERT_EQ(rows(clean.out.view(), 0, 0, first), rows(late.out.view(), 0, 0, first));
      ASSERT_EQ(rows(clean.gradient.view(), 0, 0, first), rows(late.gradient.view(), 0, 0, first));
    }
  });
}

// A NaN in the last token of a document must not reach the tokens before it.
TEST(AttentionLaws, TheFutureIsNotSeen) {
  on_every_isa([](DType dtype) {
    for (const std::int64_t t : {2, 64, 65, 66}) {
      Problem p{.batch = 1,
                .queries = t,
                .keys = t,
                .heads = 2,
                .kv_heads = 1,
                .size = 16,
                .dtype = dtype,
                .wide = true,
                .seed = 15};
      AttentionData clean(p), dirty(p);
      for (std::int64_t i = (t - 1) * 4 * 16; i < t * 4 * 16; ++i)
        dirty.fused.set(i, std::numeric_limits<double>::quiet_NaN());
      clean.forward();
      dirty.forward();
      ASSERT_EQ(rows(clean.out.view(), 0, 0, t - 1), rows(dirty.out.view(), 0, 0, t - 1));
    }
  });
}

}  // namespace
}  // namespace lathe::kernels
