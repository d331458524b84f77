// A model that has read a text: its cache, and what comes next.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "lathe/base/stop.h"
#include "lathe/life/generate/decode_step.h"
#include "lathe/model/model.h"

namespace lathe::generate {

/// Throws InvalidArgument for an empty text and for ids outside the vocabulary.
void check_ids(const model::LanguageModel& model, std::span<const std::int32_t> ids);

/// Hidden states of ids that follow what the state holds. Shapes: [n,C], or [1,C] of the last.
Tensor advance(model::LanguageModel& model, model::ModelState& state,
               std::span<const std::int32_t> ids, model::Wanted wanted = model::Wanted::all);

/// Reads texts one after another through one cache: what two texts have in common at their
/// beginning is computed once. Logits are those of reading from the start, bit for bit.
class TokenReader {
 public:
  /// `capacity`: the longest text in tokens.
  TokenReader(model::LanguageModel& model, std::int64_t capacity);

  /// From now on the text is `ids`; returns how many tokens had to be computed. A request to stop
  /// is obeyed between chunks: then the text is what was read until then, and whole() is false.
  /// Throws InvalidArgument where they do not fit or are no ids.
  std::int64_t read(std::span<const std::int32_t> ids, const StopToken& cancel = {});

  /// Appends one token.
  void push(std::int32_t id);

  /// Whether the last read() came to its end, so that logits() are those after its last token.
  bool whole() const { return whole_; }
  /// Logits of the token that comes next, [V]; until the next call. REQUIRES: whole().
  std::span<const float> logits();

  const std::vector<std::int32_t>& ids() const { return ids_; }
  std::int64_t capacity() const { return state_->capacity(); }
  std::int64_t room() const { return capacity() - static_cast<std::int64_t>(ids_.size()); }

 private:
  void feed(std::span<const std::int32_t> part);

  model::LanguageModel& model_;
  std::unique_ptr<model::ModelState> state_;
  std::unique_ptr<DecodeStep> step_;
  std::vector<std::int32_t> ids_;
  Tensor last_, logits_;  // [1,C] until it is asked for its logits, [1,V]
  bool whole_ = false;
};

}  // namespace lathe::generate
