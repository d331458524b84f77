#include "lathe/engine/autograd/row_sum.h"

#include <algorithm>
#include <span>

#include "lathe/base/error.h"
#include "lathe/engine/ops/ops.h"

namespace lathe::autograd {

RowSum::RowSum(const Shape& table, Device device)
    : vocab_(table[0]),
      width_(table[1]),
      device_(device),
      place_of_(static_cast<std::size_t>(vocab_), -1) {}

void RowSum::add(const Tensor& rows, const Tensor& ids) {
  const std::int64_t n = ids.count();
  if (n == 0) return;
  std::vector<std::int32_t> places(static_cast<std::size_t>(n));
  const Tensor dense = ops::contiguous(ids);
  for (std::int64_t i = 0; i < n; ++i) {
    const std::int32_t id = ids.has_data()
                                ? dense.data<std::int32_t>()[i]
                                : static_cast<std::int32_t>(ids_.size() % place_of_.size());
    places[static_cast<std::size_t>(i)] = static_cast<std::int32_t>(place(id));
  }
  make_room();
  const Tensor at = ids.has_data() ? Tensor::from(std::span<const std::int32_t>(places), {n})
                                   : Tensor::empty({n}, DType::i32, device_);
  ops::embedding_acc_(sums_, ops::reshape(rows, {n, width_}), at);
}

std::int64_t RowSum::place(std::int32_t id) {
  if (id < 0 || id >= vocab_)
    fail(ErrorCode::kInvalidArgument, "embedding gradient: expected an id below {}, got {}", vocab_,
         id);
  std::int32_t& place = place_of_[static_cast<std::size_t>(id)];
  if (place < 0) {
    place = static_cast<std::int32_t>(ids_.size());
    ids_.push_back(id);
  }
  return place;
}

void RowSum::make_room() {
  const auto used = static_cast<std::int64_t>(ids_.size());
  const std::int64_t have = sums_.defined() ? sums_.dim(0) : 0;
  if (used <= have) return;
  const Tensor wider =
      Tensor::zeros({std::min(vocab_, std::max(used, 2 * have)), width_}, DType::f32, device_);
  if (have > 0) ops::copy_(ops::slice(wider, 0, 0, have), sums_);
  sums_ = wider;
}

void RowSum::add_to(const Tensor& dense) const {
  if (ids_.empty()) return;
  const auto n = static_cast<std::int64_t>(ids_.size());
  const Tensor at = device_ == Device::meta ? Tensor::empty({n}, DType::i32, device_)
                                            : Tensor::from(std::span(ids_), {n});
  ops::embedding_acc_(dense, ops::slice(sums_, 0, 0, n), at);
}

void RowSum::clear() {
  if (sums_.defined() && !ids_.empty())
    ops::fill_(ops::slice(sums_, 0, 0, static_cast<std::int64_t>(ids_.size())), 0.0);
  for (const std::int32_t id : ids_) place_of_[static_cast<std::size_t>(id)] = -1;
  ids_.clear();
}

}  // namespace lathe::autograd
