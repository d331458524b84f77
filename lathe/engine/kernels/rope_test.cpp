#include "lathe/engine/kernels/rope.h"

#include "lathe/engine/kernels/rows_testing.h"

namespace lathe::kernels::testing {
namespace {

constexpr DType kTypes[] = {DType::f32, DType::bf16};

struct Tables {
  Array cosine, sine, positions;
  Tables(DType wide, std::int64_t positions_count, std::int64_t pairs)
      : cosine(wide, {positions_count, pairs}),
        sine(wide, {positions_count, pairs}),
        positions(DType::i32, {2, 5}) {
    for (std::int64_t p = 0; p < positions_count; ++p)
      for (std::int64_t i = 0; i < pairs; ++i) {
        const double angle = static_cast<double>(p) *
                             std::pow(1e4, -static_cast<double>(i) / static_cast<double>(pairs));
        cosine.set(p * pairs + i, std::cos(angle)), sine.set(p * pairs + i, std::sin(angle));
      }
    for (int k = 0; k < 10; ++k) positions.set(k, (k * 3) % 8);
  }
};

Array rotated(const Array& x, const Tables& t, DType y_type, bool interleaved, bool inverse) {
  const View v = x.view();
  Array y(y_type, {v.dims[0], v.dims[1], v.dims[2], v.dims[3]});
  rope({x.view(), t.cosine.view(), t.sine.view(), t.positions.view(), y.view(), interleaved,
        inverse});
  return y;
}

TEST(Rope, GivesTheReferencesBits) {
  for (const std::int64_t size : {2, 6, 32, 34, 64, 80, 128})
    for (const std::int64_t rotary : {std::int64_t{0}, size / 4 * 2, size})
      for (const DType x_type : kTypes)
        for (const DType y_type : kTypes)
          for (const bool interleaved : {false, true})
            for (const bool inverse : {false, true}) {
              const Tables tables(DType::f32, 8, rotary / 2);
              const Array x = Array::random(x_type, {2, 5, 3, size}, 1);
              expect_one_result("rope", [&] {
                return std::vector<Array>{rotated(x, tables, y_type, interleaved, inverse)};
              });
            }
}

TEST(Rope, InPlaceAndStridedAgree) {
  const Tables tables(DType::f32, 8, 16);
  const Array x = Array::random(DType::f32, {2, 5, 3, 40}, 1);
  for (const bool interleaved : {false, true}) {
    const Array y = rotated(x, tables, DType::f32, interleaved, false);
    Array in_place = x;
    rope({in_place.view(), tables.cosine.view(), tables.sine.view(), tables.positions.view(),
          in_place.view(), interleaved, false});
    EXPECT_EQ(y.first_difference(in_place), -1);
    Array heads_first(DType::f32, {2, 3, 5, 40});  // written as [B,H,T,D]
    View out = heads_first.view();
    std::swap(out.dims[1], out.dims[2]);
    std::swap(out.strides[1], out.strides[2]);
    rope({x.view(), tables.cosine.view(), tables.sine.view(), tables.positions.view(), out,
          interleaved, false});
    for (int b = 0; b < 2; ++b)
      for (int t = 0; t < 5; ++t)
        for (int h = 0; h < 3; ++h)
          for (int i = 0; i < 40; ++i)
            ASSERT_EQ(heads_first.at(((b * 3 + h) * 5 + t) * 40 + i),
                      y.at(((b * 5 + t) * 3 + h) * 40 + i));
  }
}

TEST(Rope, PositionsAndTablesMayBeStrided) {
  const Tables tables(DType::f32, 8, 16);
  const Array x = Array::random(DType::f32, {2, 5, 3, 40}, 1);
  const Array y = rotated(x, tables, DType::f32, false, false);
  Array turned(DType::i32, {5, 2}), wide(DType::f32, {8, 50});
  for (int b = 0; b < 2; ++b)
    for (int t = 0; t < 5; ++t) turned.set(t * 2 + b, tables.positions.at(b * 5 + t));
  for (int p = 0; p < 8; ++p)
    for (int i = 0; i < 16; ++i) {
      wide.set(p * 50 + i, tables.cosine.at(p * 16 + i));
      wide.set(p * 50 + 20 + i, tables.sine.at(p * 16 + i));
    }
  View positions = turned.view(), cosine = wide.view(), sine = wide.view();
  std::swap(positions.dims[0], positions.dims[1]);
  std::swap(positions.strides[0], positions.strides[1]);
  cosine.dims[1] = sine.dims[1] = 16;
  sine.data = sine.as<float>() + 20;
  expect_one_result("rope", [&] {
    Array out(DType::f32, {2, 5, 3, 40});
    rope({x.view(), cosine, sine, positions, out.view()});
    EXPECT_EQ(y.first_difference(out), -1);
    return std::vector<Array>{out};
  });
}

TEST(Rope, InverseUndoesTheRotationAndIsItsTranspose) {
  const Tables tables(DType::f64, 8, 8);
  const Array x = Array::random(DType::f64, {2, 5, 2, 20}, 1);
  const Array dy = Array::random(DType::f64, {2, 5, 2, 20}, 2);
  for (const bool interleaved : {false, true}) {
    const Array y = rotated(x, tables, DType::f64, interleaved, false);
    expect_close(rotated(y, tables, DType::f64, interleaved, true), x, 1e-14, "undone");
    const Array dx = rotated(dy, tables, DType::f64, interleaved, true);
    EXPECT_NEAR(dot(dx, x), dot(dy, y), 1e-12);
  }
}

TEST(Rope, MatchesTheFormula) {
  const Tables tables(DType::f64, 8, 4);
  const Array x = Array::random(DType::f64, {2, 5, 1, 8}, 1);
  const Array halves = rotated(x, tables, DType::f64, false, false);
  const Array pairs = rotated(x, tables, DType::f64, true, false);
  for (int token = 0; token < 10; ++token)
    for (int i = 0; i < 4; ++i) {
      const double angle = tables.positions.at(token) * std::pow(1e4, -i / 4.0);
      const auto turn = [&](double a, double b) {
        return a * std::cos(angle) - b * std::sin(angle);
      };
      const auto at = [&](int k) { return x.at(token * 8 + k); };
      EXPECT_NEAR(halves.at(token * 8 + i), turn(at(i), at(i + 4)), 1e-14);
      EXPECT_NEAR(pairs.at(token * 8 + 2 * i), turn(at(2 * i), at(2 * i + 1)), 1e-14);
    }
}

TEST(Rope, PositionsOutsideTheTableAreHeldInside) {
  Tables tables(DType::f32, 8, 4);
  tables.positions.set(0, -5), tables.positions.set(1, 99);
  const Array x = Array::random(DType::f32, {2, 5, 1, 8}, 1);
  expect_one_result(
      "outside", [&] { return std::vector<Array>{rotated(x, tables, DType::f32, false, false)}; });
}

}  // namespace
}  // namespace lathe::kernels::testing
