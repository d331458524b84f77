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
    tokens_ = with_product(all[0], [](const auto& p) { return p.tokens(); });
    direct_ = std::all_of(all.begin(), all.end(), [](const LinearQuantisedArgs& args) {
      return with_product(args, [](const auto& p) { return p.is_direct(); });
    });
    side_by_side_ =
        all[0].after && std::all_of(all.begin(), all.end(), [&](const auto& args) {
          return args.type == all[0].type && rows_of(args.blocks) == rows_of(all[0].blocks);
        });
    for (std::size_t i = 0; i < all.size(); ++i) {
      parts_[i].groups =
          with_product(all[first_of_type(i)], [](const auto& p) { return p.groups(); });
      with_product(all[i], [&](const auto& p) {
        parts_[i].panels = p.panels();
        parts_[i].bytes = p.weight_bytes();
        parts_[i].tasks = direct_ ? 0 : p.tasks();
        multiplications_ += p.multiplications();
      });
      bytes_ += parts_[i].bytes;
      count_ += parts_[i].tasks;
    }
    if (side_by_side_) count_ = parts_[0].tasks;
    if (direct_) count_ = direct_tasks();
  }

  void run() const {
    const View& x = all_[0].x;
    parallel_for(rows_of(x), row_grain(columns_of(x)), [this](std::int64_t m, std::int64_t end) {
      all_[0].before(m, end);
      for (; m < end; ++m) prepare(m);
    });
    const std::int64_t grain = multiplications_ < kSmallProduct ? count_ : 1;
    parallel_for(count_, grain, [this](std::int64_t i, std::int64_t end) {
      for (; i < end; ++i) side_by_side_ ? run_tasks(task_at(i)) : run_task(task_at(i));
    });
    if (!side_by_side_) finish();
  }

 private:
  struct Part {
    GroupBuffer groups;
    std::int64_t panels = 0, bytes = 0, tasks = 0;
  };

  /// body(product i, with the tokens of the first and what the first of its type has derived).
  template <typename Body>
  void with(std::size_t i, const Body& body) const {
    with_product(all_[i], [&](auto p) {
      p.take_tokens(tokens_);
      p.take_groups(parts_[i].groups);
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

  /// Where rows are read directly, the weights of all products are cut into pieces of one size, as
  /// many for each thread: what one thread reads at the end alone, it reads slowly.
  std::int64_t direct_tasks() const {
    const std::int64_t threads = thread_count(), most = bytes_ / kLeastTaskBytes;
    if (most < threads) return std::max<std::int64_t>(1, most);
    const std::int64_t rounds = std::max<std::int64_t>(2, ceil_div(bytes_, threads * kTaskBytes));
    return threads * std::min(rounds, most / threads);
  }

  /// The task that is begun as the i-th. Where rows are read directly, each thread begins with a
  /// part of its own, as read_soon() expects.
  std::int64_t task_at(std::int64_t i) const {
    const std::int64_t threads = thread_count();
    if (!direct_ || count_ % threads != 0) return i;
    return i % threads * (count_ / threads) + i / threads;
  }

  /// The first panel of product i that belongs to task t or a later one.
  std::int64_t first_panel(std::size_t i, std::int64_t t) const {
    const Part& part = parts_[i];
    if (side_by_side_) return part.panels * t / count_;
    std::int64_t before = 0;
    for (std::size_t j = 0; j < i; ++j) before += parts_[j].bytes;
    const std::int64_t at = bytes_ / count_ * t - before;  // the last task takes what is left
    if (t == count_ || at >= part.bytes) return part.panels;
    return std::max<std::int64_t>(0, at) * part.panels / part.bytes;
  }

  void run_task(std::int64_t i) const {
    if (direct_) {
      for (std::size_t which = 0; which < all_.size(); ++which) run_panels(which, i);
      return;
    }
    std::size_t which = 0;
    for (; i >= parts_[which].tasks; ++which) i -= parts_[which].tasks;
    with(which, [&](const auto& p) { p.run_task(i); });
  }

  OutputTile run_panels(std::size_t which, std::int64_t task) const {
    OutputTile tile;
    const std::int64_t first = first_panel(which, task), end = first_panel(which, task + 1);
    if (first == end) return tile;
    const std::uint8_t* then = read_after(which, task);
    with(which, [&](const auto& p) { tile = p.run_panels(first, end, then); });
    return tile;
  }

  /// What is likely to be read after the panels of product i that belong to a task, or null.
  const std::uint8_t* read_after(std::size_t i, std::int64_t task) const {
    if (++i == all_.size()) i = 0, ++task;
    for (; task < count_; i = 0, ++task) {
      for (; i < all_.size(); ++i) {
        const std::int64_t first = first_panel(i, task);
        if (first == first_panel(i, task + 1)) continue;
        return with_product(all_[i], [&](const auto& p) { return p.rows_at(first); });
      }
    }
    return nullptr;
  }

  /// The same columns of all products, and what is fused behind them.
  void run_tasks(std::int64_t i) const {
    OutputTile tile;
    for (std::size_t which = 0; which < all_.size(); ++which) {
      if (direct_) {
        tile = run_panels(which, i);
      } else {
        with(which, [&](const auto& p) { tile = p.run_task(i); });
      }
    }
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
  std::array<Part, kMostJoined> parts_;
  std::int64_t bytes_ = 0, multiplications_ = 0, count_ = 0;
  bool direct_ = false;        // all are read where they lie
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
