// Products with quantised weights by type, and several of them in one parallel region.
#pragma once

#include <array>
#include <span>

#include "lathe/engine/kernels/cpu/linear_quantised_driver.h"

namespace lathe::kernels::LATHE_ISA {

/// body(product) with the product of the type.
template <typename Body>
auto with_product(const LinearQuantisedArgs& args, const Body& body) {
  switch (args.type) {
#define LATHE_CASE(type) \
  case QuantType::type:  \
    return body(QuantProduct<QuantType::type>(args))
    LATHE_CASE(q4_0);
    LATHE_CASE(q4_1);
    LATHE_CASE(q5_0);
    LATHE_CASE(q5_1);
    LATHE_CASE(q2_k);
    LATHE_CASE(q3_k);
    LATHE_CASE(q4_k);
    LATHE_CASE(q5_k);
    LATHE_CASE(q6_k);
    LATHE_CASE(iq4_nl);
    LATHE_CASE(mxfp4);
    default:
      LATHE_CASE(q8_0);
#undef LATHE_CASE
  }
}

inline std::int64_t workspace_of_product(const LinearQuantisedArgs& args) {
  if (args.x.count() == 0 || args.blocks.count() == 0) return 0;
  return with_product(args, [](const auto& product) { return product.workspace_bytes(); });
}

/// Products, none of which reads what another writes, in one region. Those with the activations of
/// the first share what is quantised.
class JoinedProducts {
 public:
  explicit JoinedProducts(std::span<const LinearQuantisedArgs> all) : all_(all) {
    std::int64_t multiplications = 0;
    tokens_ = with_product(all[0], [](const auto& p) { return p.tokens(); });
    for (const LinearQuantisedArgs& args : all) {
      with_product(args, [&](const auto& p) {
        bytes_ += p.weight_bytes();
        multiplications += p.multiplications();
      });
    }
    for (std::size_t i = 0; i < all.size(); ++i) {
      groups_[i] = with_product(all[first_of_type(i)], [](const auto& p) { return p.groups(); });
      count_ += tasks_[i] = with_product(all[i], [this](const auto& p) { return p.tasks(bytes_); });
    }
    side_by_side_ =
        all[0].after && std::all_of(all.begin(), all.end(), [&](const auto& args) {
          return args.type == all[0].type && rows_of(args.blocks) == rows_of(all[0].blocks);
        });
    if (side_by_side_) count_ = tasks_[0];
    grain_ = multiplications < kSmallProduct ? count_ : 1;
  }

  void run() const {
    const View& x = all_[0].x;
    parallel_for(rows_of(x), row_grain(columns_of(x)), [this](std::int64_t m, std::int64_t end) {
      all_[0].before(m, end);
      for (; m < end; ++m) prepare(m);
    });
    parallel_for(count_, grain_, [this](std::int64_t i, std::int64_t end) {
      for (; i < end; ++i) side_by_side_ ? run_tasks(i) : run_task(i);
    });
    if (!side_by_side_) finish();
  }

 private:
  /// body(product i, with the tokens of the first and what the first of its type has derived).
  template <typename Body>
  void with(std::size_t i, const Body& body) const {
    with_product(all_[i], [&](auto p) {
      p.take_tokens(tokens_);
      p.take_groups(groups_[i]);
      body(p);
    });
  }

  void prepare(std::int64_t m) const {
    if (all_[0].exact) return;
    quantise_token(all_[0].x, m, tokens_);
    for (std::size_t i = 0; i < all_.size(); ++i)
      if (first_of_type(i) == i) with(i, [&](const auto& p) { p.derive(m); });
  }

  /// The first product of the type of product i.
  std::size_t first_of_type(std::size_t i) const {
    std::size_t first = 0;
    while (all_[first].type != all_[i].type) ++first;
    return first;
  }

  void run_task(std::int64_t i) const {
    std::size_t which = 0;
    for (; i >= tasks_[which]; ++which) i -= tasks_[which];
    with(which, [&](const auto& p) { p.run_task(i, bytes_); });
  }

  /// The same columns of all products, and what is fused behind them.
  void run_tasks(std::int64_t i) const {
    OutputTile tile;
    for (std::size_t which = 0; which < all_.size(); ++which)
      with(which, [&](const auto& p) { tile = p.run_task(i, bytes_); });
    all_[0].after(tile);
  }

  /// What is fused behind products whose tasks have other columns each.
  void finish() const {
    const View& y = all_[0].y;
    if (!all_[0].after) return;
    parallel_for(rows_of(y), row_grain(columns_of(y)), [&](std::int64_t m, std::int64_t end) {
      all_[0].after({m, end - m, 0, columns_of(y)});
    });
  }

  std::span<const LinearQuantisedArgs> all_;
  TokenBuffer tokens_;
  std::array<GroupBuffer, kMostJoined> groups_;
  std::array<std::int64_t, kMostJoined> tasks_{};
  std::int64_t bytes_ = 0, count_ = 0, grain_ = 1;
  bool side_by_side_ = false;  // a task is the same columns of all products
};

inline bool has_work(const LinearQuantisedArgs& args) {
  return args.x.count() > 0 && args.blocks.count() > 0 &&
         args.workspace_bytes >= workspace_of_product(args);
}

/// Whether both multiply the same activations, in the same way.
inline bool share_tokens(const LinearQuantisedArgs& a, const LinearQuantisedArgs& b) {
  return a.x.data == b.x.data && a.x.dtype == b.x.dtype && rows_of(a.x) == rows_of(b.x) &&
         columns_of(a.x) == columns_of(b.x) && a.exact == b.exact;
}

inline void run_products(std::span<const LinearQuantisedArgs> all) {
  const auto joins = [&](const LinearQuantisedArgs& args) {
    return has_work(args) && share_tokens(args, all[0]);
  };
  if (std::all_of(all.begin(), all.end(), joins)) return JoinedProducts(all).run();
  run_apart(all, [](const LinearQuantisedArgs& args) {
    if (!has_work(args)) return reference::linear_quantised(args);
    JoinedProducts({&args, 1}).run();
  });
}

}  // namespace lathe::kernels::LATHE_ISA
