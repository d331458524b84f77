// Pages of the layers of a model that see equally far back: which page holds which tokens of which
// row.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "lathe/engine/kernels/kv_layout.h"
#include "lathe/engine/tensor/tensor.h"

namespace lathe::nn {

struct PageGroupShape {
  std::int64_t layers, rows, capacity;  // rows at most; capacity in tokens
  std::int64_t window;                  // keys that a query sees, itself included; 0: all
  kernels::KvType type;
  std::int64_t kv_heads, head_size;
};

/// A page holds 64 tokens of a row in all layers of the group. Rows share pages that are alike; one
/// that is to be written is copied first. Address space is taken for all pages, memory when they
/// are first written. The tensors stay the same ones while the number of rows does.
class PageGroup {
 public:
  explicit PageGroup(const PageGroupShape& shape);

  /// Tokens behind the window whose pages are kept, so that a text can be shortened by so many.
  static constexpr std::int64_t kRewind = 512;

  /// Room for tokens [length, length + tokens) of every row; pages that no query from `length` on
  /// can see, even after a rewind, are given back.
  void open(std::int64_t length, std::int64_t tokens);
  /// Whether all is there that queries from token n on can see.
  bool reaches(std::int64_t n) const;
  /// Gives back what holds only tokens from n on.
  void truncate(std::int64_t n);
  /// Row i becomes what row rows[i] was; there may be more or fewer than before.
  void select_rows(std::span<const std::int32_t> rows);

  /// Shapes: u8 [pages, bytes of a page of one layer].
  const Tensor& pages(std::int64_t layer) const { return layers_[static_cast<std::size_t>(layer)]; }
  /// Shapes: i32 [rows, pages of a row]; -1: none.
  const Tensor& table() const { return table_; }
  std::int64_t pages_in_use() const;
  std::int64_t page_bytes() const { return all_.dim(1) * all_.dim(2); }

 private:
  std::int32_t& entry(std::int64_t row, std::int64_t block);
  std::int32_t take();
  void give_back(std::int32_t& page);
  void make_own(std::int32_t& page);

  PageGroupShape shape_;
  std::int64_t blocks_;           // of a row
  std::int64_t first_block_ = 0;  // those before were given back
  Tensor all_, table_;            // u8 [pages, layers, bytes]
  std::vector<Tensor> layers_;
  std::vector<std::int32_t> users_;  // rows of each page
  std::vector<std::int32_t> free_;   // a heap, smallest first, so that memory stays dense
};

}  // namespace lathe::nn
