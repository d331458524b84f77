#include "lathe/engine/kernels/cross_entropy.h"

#include "lathe/engine/kernels/rows_testing.h"

namespace lathe::kernels::testing {
namespace {

constexpr DType kTypes[] = {DType::f32, DType::bf16};

struct Options {
  float z_loss = 0, soft_cap = 0;
  bool weights = true, gradient = true, in_place = false;
  DType gradient_type = DType::f32;
};

Array targets_of(std::int64_t rows, std::int64_t vocabulary) {
  Array targets(DType::i32, {rows});
  for (std::int64_t r = 0; r < rows; ++r)
    targets.set(r, r % 5 == 4
                       ? -1
                       : static_cast<double>((r * 7919) % std::max<std::int64_t>(1, vocabulary)));
  return targets;
}

/// nll, lse, gradient.
std::vector<Array> loss(const Array& given, const Array& targets, const Options& o) {
  Array logits = given;
  const std::int64_t rows = logits.view().dims[0], vocabulary = logits.view().dims[1];
  const DType wide = logits.dtype() == DType::f64 ? DType::f64 : DType::f32;
  Array nll(wide, {rows}), lse(wide, {rows}), gradient(o.gradient_type, {rows, vocabulary});
  const Array weights = Array::random(wide, {rows}, 9);
  View out = o.gradient ? gradient.view() : View{};
  if (o.in_place) out = logits.view();
  cross_entropy({.logits = logits.view(),
                 .targets = targets.view(),
                 .weights = o.weights ? weights.view() : View{},
                 .nll = nll.view(),
                 .lse = lse.view(),
                 .dlogits = out,
                 .z_loss = o.z_loss,
                 .soft_cap = o.soft_cap});
  return {nll, lse, o.in_place ? logits : gradient};
}

TEST(CrossEntropy, GivesTheReferencesBits) {
  for (const std::int64_t vocabulary : odd_lengths())
    for (const DType type : kTypes)
      for (const DType gradient_type : kTypes)
        for (const float cap : {0.0f, 20.0f}) {
          const Array logits = Array::random(type, {23, vocabulary}, 1, 6.0);
          const Array targets = targets_of(23, vocabulary);
          const Options o{.z_loss = 1e-3f, .soft_cap = cap, .gradient_type = gradient_type};
          expect_one_result("cross_entropy", [&] { return loss(logits, targets, o); });
        }
}

TEST(CrossEntropy, AgreesWithoutOptionalPartsAndInPlace) {
  const Array targets = targets_of(6, 50);
  for (const DType type : kTypes)
    for (const float cap : {0.0f, 5.0f}) {
      const Array logits = Array::random(type, {6, 50}, 1, 4.0);
      Options o{.soft_cap = cap, .weights = false, .gradient_type = type};
      const auto full = loss(logits, targets, o);
      o.in_place = true;
      const auto in_place = loss(logits, targets, o);
      o.in_place = o.gradient = false;
      const auto alone = loss(logits, targets, o);
      EXPECT_EQ(full[0].first_difference(alone[0]), -1);
      EXPECT_EQ(full[0].first_difference(in_place[0]), -1);
      EXPECT_EQ(full[2].first_difference(in_place[2]), -1);
    }
}

TEST(CrossEntropy, RowDoesNotDependOnItsNeighbours) {
  const Array logits = Array::random(DType::f32, {8, 97}, 1, 4.0);
  const Array targets = targets_of(8, 97);
  const auto all = loss(logits, targets, {.weights = false});
  for (int r = 0; r < 8; ++r) {
    Array one(DType::f32, {1, 97}), target(DType::i32, {1});
    for (int i = 0; i < 97; ++i) one.set(i, logits.at(r * 97 + i));
    target.set(0, targets.at(r));
    const auto single = loss(one, target, {.weights = false});
    EXPECT_EQ(single[0].at(0), all[0].at(r));
    for (int i = 0; i < 97; ++i) ASSERT_EQ(single[2].at(i), all[2].at(r * 97 + i));
  }
}

TEST(CrossEntropy, RefusesTargetsOutsideTheVocabulary) {
  const Array logits = Array::random(DType::f32, {3, 10}, 1);
  Array targets(DType::i32, {3});
  targets.set(0, 10), targets.set(1, -2), targets.set(2, -1);
  expect_one_result("bad targets", [&] { return loss(logits, targets, {}); });
  const auto out = loss(logits, targets, {});
  EXPECT_TRUE(std::isnan(out[0].at(0)) && std::isnan(out[0].at(1)));
  EXPECT_EQ(out[0].at(2), 0.0);
  for (int i = 0; i < 30; ++i) EXPECT_EQ(out[2].at(i), 0.0);
}

TEST(CrossEntropy, MatchesTheFormulaAndItsDifferences) {
  const Array targets = targets_of(7, 33), weights = Array::random(DType::f64, {7}, 9);
  for (const float cap : {0.0f, 3.0f}) {
    const Options o{.z_loss = 0.01f, .soft_cap = cap, .gradient_type = DType::f64};
    const Array logits = Array::random(DType::f64, {7, 33}, 1, 2.0);
    const auto out = loss(logits, targets, o);
    const auto total = [&](const Array& x) {  // written afresh, not by the kernel
      double sum = 0;
      for (int r = 0; r < 7; ++r) {
        const int target = static_cast<int>(targets.at(r));
        if (target < 0) continue;
        const auto z = [&](int i) {
          const double v = x.at(r * 33 + i);
          return cap > 0 ? cap * std::tanh(v / cap) : v;
        };
        double exponentials = 0;
        for (int i = 0; i < 33; ++i) exponentials += std::exp(z(i));
        const double lse = std::log(exponentials), nll = lse - z(target);
        if (&x == &logits) {
          EXPECT_NEAR(out[0].at(r), nll, 1e-12);
          EXPECT_NEAR(out[1].at(r), lse, 1e-12);
        }
        sum += weights.at(r) * (nll + double{o.z_loss} * lse * lse);
      }
      return sum;
    };
    total(logits);
    expect_gradient(logits, out[2], "dlogits", total);
    const auto single = loss(logits.as(DType::f32), targets,
                             {.z_loss = o.z_loss, .soft_cap = cap, .gradient_type = DType::f32});
    for (int k = 0; k < 3; ++k) expect_close(single[k], out[k], 1e-6, "f32");
  }
}

}  // namespace
}  // namespace lathe::kernels::testing
