#include "lathe/engine/kernels/embedding.h"

#include "lathe/engine/kernels/rows_testing.h"

namespace lathe::kernels::testing {
namespace {

constexpr DType kTypes[] = {DType::f32, DType::bf16};

/// Repeated ids, and two outside the table of 11 rows.
Array ids_of(std::int64_t n) {
  Array ids(DType::i32, {n});
  for (std::int64_t i = 0; i < n; ++i) ids.set(i, static_cast<double>((i * i) % 11));
  if (n > 8) ids.set(3, -1), ids.set(7, 11);
  return ids;
}

std::vector<Array> gather(const Array& table, const Array& ids, DType out_type) {
  Array out(out_type, {ids.count(), table.view().dims[1]});
  out.fill(7);
  embedding({table.view(), ids.view(), out.view()});
  return {out};
}

std::vector<Array> accumulate(const Array& ids, const Array& dy, DType wide) {
  Array table = Array::random(wide, {11, dy.view().dims[1]}, 8);
  embedding_acc({ids.view(), dy.view(), table.view()});
  return {table};
}

TEST(Embedding, GivesTheReferencesBits) {
  for (const std::int64_t columns : odd_lengths())
    for (const std::int64_t n : {0, 1, 50})
      for (const DType type : kTypes)
        for (const DType out_type : kTypes) {
          const Array ids = ids_of(n), table = Array::random(type, {11, columns}, 1);
          expect_one_result("embedding", [&] { return gather(table, ids, out_type); });
          const Array dy = Array::random(type, {n, columns}, 2);
          expect_one_result("embedding_acc", [&] { return accumulate(ids, dy, DType::f32); });
        }
}

TEST(Embedding, TakesRowsAndZerosOutside) {
  const Array table = Array::random(DType::f32, {11, 3}, 1), ids = ids_of(10);
  const Array out = gather(table, ids, DType::f32)[0];
  for (int n = 0; n < 10; ++n)
    for (int i = 0; i < 3; ++i) {
      const int id = static_cast<int>(ids.at(n));
      EXPECT_EQ(out.at(n * 3 + i), id < 0 || id >= 11 ? 0.0 : table.at(id * 3 + i));
    }
}

TEST(Embedding, GradientIsTheTranspose) {
  const Array ids = ids_of(20), dy = Array::random(DType::f64, {20, 5}, 2);
  const Array table = Array::random(DType::f64, {11, 5}, 1);
  Array gradient = accumulate(ids, dy, DType::f64)[0];
  const Array start = Array::random(DType::f64, {11, 5}, 8);
  for (int i = 0; i < 55; ++i) gradient.set(i, gradient.at(i) - start.at(i));
  EXPECT_NEAR(dot(gather(table, ids, DType::f64)[0], dy), dot(table, gradient), 1e-12);
}

}  // namespace
}  // namespace lathe::kernels::testing
