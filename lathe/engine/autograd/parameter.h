// A trainable tensor: the f32 master, the value that ops read, and the f32 gradient accumulators.
// Where ops read bf16, master and value share their memory: the value is the master's upper half.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "lathe/engine/autograd/row_sum.h"
#include "lathe/engine/kernels/quant.h"
#include "lathe/engine/ops/ops.h"
#include "lathe/engine/tensor/tensor.h"

namespace lathe::autograd {

class Tape;

/// How a parameter starts. Draws are a function of (seed, parameter name, element), so a model's
/// start does not depend on the order in which it is built.
struct Init {
  enum class Kind : std::uint8_t { zeros, ones, normal } kind = Kind::zeros;
  double std = 0.02;

  static Init zeros() { return {Kind::zeros, 0}; }
  static Init ones() { return {Kind::ones, 0}; }
  static Init normal(double std) { return {Kind::normal, std}; }
};

/// What an optimizer needs to know: Muon takes matrices only, weight decay spares vectors.
enum class Role : std::uint8_t { matrix, embedding, head, vector };

/// A matrix that stays blocks of a quantised type.
struct Quantised {
  kernels::QuantType type = kernels::QuantType::q8_0;
  bool exact = false;  // multiply the dequantised f32 values instead of int8
};

class Parameter {
 public:
  Parameter() = default;
  Parameter(Shape shape, Role role, Init init) : shape_(shape), role_(role), init_(init) {}

  const std::string& name() const { return name_; }
  void set_name(std::string name) { name_ = std::move(name); }
  const Shape& shape() const { return shape_; }
  Role role() const { return role_; }
  bool trainable() const { return trainable_; }
  void set_trainable(bool trainable) {
    trainable_ = trainable;
    codes_ = {};
  }

  /// Whether layers multiply by it rounded to int8, on the fly; meant for matrices, while training
  /// (ops::linear_int8).
  bool int8() const { return int8_; }
  void set_int8(bool int8) { int8_ = int8; }

  /// How often the model reads it (tied embedding: 2). Each use has its own handle and its own
  /// sum of gradients, so that the order of additions does not depend on how a batch is split.
  void add_use() { ++uses_; }
  int uses() const { return uses_; }

  /// Allocates master and value; contents undefined. Vectors keep f32 as their value type. Compute:
  /// f32, bf16 or f64.
  void allocate(DType compute, Device device);
  /// Fills the master as init says, then the value. Stream: "init/<name>".
  void initialise(std::uint64_t seed);
  /// Zeroed f32 sums, one a use. Of an embedding that is read again (tied), use 0 keeps only the
  /// rows that a step touches; `tokens`: the most that it reads between two calls of
  /// clear_gradients (0: no limit is known).
  void allocate_gradients(std::int64_t tokens = 0);
  void clear_gradients();
  /// Puts all uses on `tape`, with their sums where there are any.
  void watch(Tape& tape) const;
  /// Adds the other uses to use 0, in graph order; once a step, before gradient() is read.
  void merge_uses();

  /// The truth that the optimizer updates, f32: the tensor itself, or a copy joined from its
  /// halves. Undefined after adopt and load_quantised.
  Tensor master() const { return state_.whole.defined() ? state_.whole : ops::join_master(state_); }
  /// Rewrites master and value. Takes f32, shape as it is.
  void set_master(const Tensor& master);
  /// The master as it is stored, for optimizers that update it in place.
  const ops::Master& state() const { return state_; }
  /// What ops read: the master itself, or its upper half.
  const Tensor& value(int use = 0) const { return handles_[static_cast<std::size_t>(use)]; }
  /// The sum of one use, f32; undefined where it is kept by rows.
  Tensor accumulator(int use) const {
    return accumulators_.empty() ? Tensor() : accumulators_[static_cast<std::size_t>(use)];
  }
  /// After merge_uses: the gradient of the step, f32.
  const Tensor& gradient() const { return accumulators_[rows_ ? 1 : 0]; }
  Device device() const { return handles_[0].device(); }
  /// Takes weights that lie in a mapped file out of this process until they are read again.
  void leave() const;
  bool has_gradients() const { return !accumulators_.empty(); }

  /// Copies weights of any float type: a start for training. Throws ShapeMismatch naming the
  /// parameter.
  void load(const Tensor& weights);
  /// Inference: reads weights where they lie, without a master. Converted are f16, f32 for a
  /// network that computes in bf16, and vectors that are not f32. Throws ShapeMismatch.
  void adopt(const Tensor& weights, DType compute);
  /// Inference: reads quantised blocks where they lie; value() is then the blocks, and whoever
  /// multiplies by it asks quantised() first. Rows are outputs, also for a weight that is otherwise
  /// [in,out]. Shapes: blocks u8 [N,row_bytes(type,K)]. Throws ShapeMismatch, and Unsupported for a
  /// vector.
  void load_quantised(const Tensor& blocks, kernels::QuantType type);
  const std::optional<Quantised>& quantised() const { return quantised_; }
  /// Whether layers multiply by its rows; else it is [in,out].
  bool rows_are_outputs() const { return rows_are_outputs_; }
  void set_rows_are_outputs(bool rows) { rows_are_outputs_ = rows; }
  /// Inference: makes codes() of a bf16 weight in a mapped file, for products from now on, and lets
  /// the file's pages go, which are more. Without effect where codes are of no use.
  void encode();
  /// ops::bf16_codes of the value, or undefined.
  const Tensor& codes() const { return codes_; }
  /// How quantised blocks are multiplied; no effect on other parameters.
  void set_exact(bool exact) {
    if (quantised_) quantised_->exact = exact;
  }

 private:
  void expect_shape(const Tensor& weights) const;
  void make_handles(const Tensor& value);

  std::string name_;
  Shape shape_;
  Role role_ = Role::matrix;
  Init init_;
  bool trainable_ = true;
  bool int8_ = false;
  bool rows_are_outputs_ = true;
  int uses_ = 1;
  std::optional<Quantised> quantised_;
  ops::Master state_;
  std::vector<Tensor> handles_;
  Tensor codes_;
  std::vector<Tensor> accumulators_;  // one a use
  std::unique_ptr<RowSum> rows_;      // instead of the first of them
};

}  // namespace lathe::autograd
