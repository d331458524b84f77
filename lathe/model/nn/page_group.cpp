#include "lathe/model/nn/page_group.h"

#include <algorithm>
#include <cstring>
#include <functional>
#include <numeric>

#include "lathe/base/error.h"

namespace lathe::nn {
namespace {

using kernels::kKvPage;

Tensor empty_table(std::int64_t rows, std::int64_t blocks) {
  Tensor table = Tensor::empty({rows, blocks}, DType::i32);
  std::fill_n(table.data<std::int32_t>(), rows * blocks, -1);
  return table;
}

}  // namespace

PageGroup::PageGroup(const PageGroupShape& shape)
    : shape_(shape), blocks_((shape.capacity + kKvPage - 1) / kKvPage) {
  const std::int64_t pages = shape.rows * blocks_;
  const std::int64_t bytes = kernels::kv_page_bytes(shape.type, shape.kv_heads, shape.head_size);
  all_ = Tensor::over(Storage::reserve(static_cast<std::size_t>(pages * shape.layers * bytes)), 0,
                      {pages, shape.layers, bytes}, DType::u8);
  const std::int64_t strides[] = {shape.layers * bytes, 1};
  for (std::int64_t i = 0; i < shape.layers; ++i)
    layers_.push_back(all_.alias({pages, bytes}, strides, i * bytes));
  table_ = empty_table(shape.rows, blocks_);
  users_.assign(static_cast<std::size_t>(pages), 0);
  free_.resize(static_cast<std::size_t>(pages));
  std::iota(free_.begin(), free_.end(), 0);
}

std::int32_t& PageGroup::entry(std::int64_t row, std::int64_t block) {
  return table_.data<std::int32_t>()[row * blocks_ + block];
}

std::int32_t PageGroup::take() {
  LATHE_CHECK(!free_.empty());  // never more than a row's blocks for each row
  std::pop_heap(free_.begin(), free_.end(), std::greater<>());
  const std::int32_t page = free_.back();
  free_.pop_back();
  users_[static_cast<std::size_t>(page)] = 1;
  return page;
}

void PageGroup::give_back(std::int32_t& page) {
  if (page < 0) return;
  if (--users_[static_cast<std::size_t>(page)] == 0) {
    free_.push_back(page);
    std::push_heap(free_.begin(), free_.end(), std::greater<>());
  }
  page = -1;
}

void PageGroup::make_own(std::int32_t& page) {
  if (users_[static_cast<std::size_t>(page)] == 1) return;
  const std::int32_t own = take();
  const auto bytes = static_cast<std::size_t>(page_bytes());
  std::memcpy(all_.bytes_begin() + static_cast<std::size_t>(own) * bytes,
              all_.bytes_begin() + static_cast<std::size_t>(page) * bytes, bytes);
  give_back(page);
  page = own;
}

void PageGroup::open(std::int64_t length, std::int64_t tokens) {
  const std::int64_t rows = table_.dim(0);
  if (shape_.window > 0) {
    const std::int64_t seen = std::max<std::int64_t>(0, length - shape_.window + 1 - kRewind);
    for (; first_block_ < seen / kKvPage; ++first_block_)
      for (std::int64_t row = 0; row < rows; ++row) give_back(entry(row, first_block_));
  }
  for (std::int64_t row = 0; row < rows; ++row)
    for (std::int64_t x = length / kKvPage; x * kKvPage < length + tokens; ++x) {
      std::int32_t& page = entry(row, x);
      if (page < 0) {
        page = take();
      } else {
        make_own(page);
      }
    }
}

bool PageGroup::reaches(std::int64_t n) const {
  return std::max<std::int64_t>(0, n - shape_.window + 1) >= first_block_ * kKvPage;
}

void PageGroup::truncate(std::int64_t n) {
  const std::int64_t keep = (n + kKvPage - 1) / kKvPage;
  for (std::int64_t row = 0; row < table_.dim(0); ++row)
    for (std::int64_t x = keep; x < blocks_; ++x) give_back(entry(row, x));
  first_block_ = std::min(first_block_, keep);
}

void PageGroup::select_rows(std::span<const std::int32_t> rows) {
  const auto count = static_cast<std::int64_t>(rows.size());
  LATHE_CHECK(count <= shape_.rows);
  const Tensor old = table_;
  const auto before = [&](std::int64_t row) { return old.data<std::int32_t>() + row * blocks_; };
  Tensor next = empty_table(count, blocks_);
  for (std::int64_t i = 0; i < count; ++i)
    for (std::int64_t x = 0; x < blocks_; ++x) {
      const std::int32_t page = before(rows[static_cast<std::size_t>(i)])[x];
      next.data<std::int32_t>()[i * blocks_ + x] = page;
      if (page >= 0) ++users_[static_cast<std::size_t>(page)];
    }
  for (std::int64_t row = 0; row < old.dim(0); ++row)
    for (std::int64_t x = 0; x < blocks_; ++x) give_back(before(row)[x]);
  if (count != old.dim(0)) {
    table_ = next;
  } else {
    std::copy_n(next.data<std::int32_t>(), count * blocks_, table_.data<std::int32_t>());
  }
}

std::int64_t PageGroup::pages_in_use() const {
  return static_cast<std::int64_t>(users_.size() - free_.size());
}

}  // namespace lathe::nn
