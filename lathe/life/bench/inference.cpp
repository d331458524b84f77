#include "lathe/life/bench/inference.h"

#include <fmt/core.h>

#include <algorithm>

#include "lathe/base/cpu_memory.h"
#include "lathe/base/error.h"
#include "lathe/base/format.h"
#include "lathe/base/random.h"
#include "lathe/engine/ops/ops.h"
#include "lathe/life/generate/token_reader.h"

namespace lathe::bench {
namespace {

constexpr std::int64_t kChunk = 512;  // as TokenReader cuts a prompt

using Ids = std::vector<std::int32_t>;

/// Ids for one repetition; the first differs from that of the repetition before, so that nothing
/// of it is in the cache.
Ids draw(const model::LanguageModel& model, std::int64_t n, std::int64_t repetition) {
  const auto vocab = static_cast<std::uint64_t>(model.config().vocab);
  const RandomStream random(static_cast<std::uint64_t>(repetition), "bench");
  Ids ids;
  for (std::int64_t i = 0; i < n; ++i)
    ids.push_back(static_cast<std::int32_t>(random.below(vocab, static_cast<std::uint64_t>(i))));
  if (n > 0) ids[0] = static_cast<std::int32_t>(static_cast<std::uint64_t>(repetition) % vocab);
  return ids;
}

/// One text, read and continued the way that generation does it.
class OneRow {
 public:
  OneRow(model::LanguageModel& model, std::int64_t capacity) : reader_(model, capacity) {}

  void read(const Ids& ids, const StopToken& stop) {
    reader_.read(ids, stop);
    obey(stop);
    reader_.logits();
  }
  void decode(const Ids& before, const Ids& ids, const StopToken& stop) {
    std::size_t first = 0;
    if (before.empty()) read({ids[first++]}, stop);  // drops what was there
    for (std::size_t i = first; i < ids.size(); ++i) {
      obey(stop);
      reader_.push(ids[i]);
      reader_.logits();
    }
  }

 private:
  generate::TokenReader reader_;
};

/// Texts of equal length side by side.
class ManyRows {
 public:
  ManyRows(model::LanguageModel& model, std::int64_t rows, std::int64_t capacity)
      : model_(model), state_(model.make_state(rows, capacity)), rows_(rows), step_(model) {}

  void read(const Ids& ids, const StopToken& stop) {
    state_->truncate(0);
    for (std::size_t at = 0; at < ids.size(); at += kChunk) {
      obey(stop);
      const std::size_t end = std::min(ids.size(), at + static_cast<std::size_t>(kChunk));
      hidden({ids.begin() + static_cast<std::ptrdiff_t>(at),
              ids.begin() + static_cast<std::ptrdiff_t>(end)});
    }
  }
  void decode(const Ids& before, const Ids& ids, const StopToken& stop) {
    if (before.empty()) state_->truncate(0);
    for (const std::int32_t id : ids) {
      obey(stop);
      Ids column;
      for (std::int64_t row = 0; row < rows_; ++row) column.push_back(other_id(id, row));
      step_.run(*state_, column);
    }
  }

 private:
  /// Rows read other ids than those beside them.
  std::int32_t other_id(std::int32_t id, std::int64_t row) const {
    return static_cast<std::int32_t>((id + row * 7919) % model_.config().vocab);
  }
  void hidden(const Ids& ids) {
    std::vector<Ids> rows(static_cast<std::size_t>(rows_), ids);
    for (std::int64_t r = 0; r < rows_; ++r)
      for (std::int32_t& id : rows[static_cast<std::size_t>(r)]) id = other_id(id, r);
    model_.hidden(model::TokenBatch::plain(rows, state_->length()), state_.get(),
                  model::Wanted::last);
  }

  model::LanguageModel& model_;
  std::unique_ptr<model::ModelState> state_;
  std::int64_t rows_;
  generate::DecodeStep step_;
};

void check_room(const Cost& cost, const Shape& s) {
  const double needed = cost.kv_bytes() * static_cast<double>(s.batch * (s.depth + s.tokens));
  const auto free = static_cast<double>(available_memory_bytes());
  if (free > 0 && needed > 0.9 * free)
    fail(
        ErrorCode::kOutOfMemory,
        "bench: the cache of {} would take {}, {} are free; a smaller --depth or --batch would fit",
        name(s), human_bytes(needed), human_bytes(free));
}

Work work_of(const Cost& cost, const Shape& s) {
  Work all;
  if (!s.decode) {
    for (std::int64_t at = 0; at < s.tokens; at += kChunk)
      all = all + cost.layers(s.batch, std::min(kChunk, s.tokens - at), s.depth + at,
                              model::Wanted::last);
    return all + cost.head(s.batch);
  }
  for (std::int64_t t = 0; t < s.tokens; ++t)
    all = all + cost.layers(s.batch, 1, s.depth + t) + cost.head(s.batch);
  return all;
}

/// Seconds of one repetition. What stands before is read aside.
template <typename Rows>
double one_run(Rows& rows, model::LanguageModel& model, const Shape& s, std::int64_t repetition,
               const Measuring& how) {
  Ids ids = draw(model, s.depth + s.tokens, repetition);
  const Ids before(ids.begin(), ids.begin() + s.depth);
  if (s.depth > 0) rows.read(before, how.stop);
  const double start = how.clock->seconds();
  if (s.decode) {
    ids.erase(ids.begin(), ids.begin() + s.depth);
    rows.decode(before, ids, how.stop);
  } else {
    rows.read(ids, how.stop);
  }
  return how.clock->seconds() - start;
}

template <typename Rows>
std::vector<double> all_runs(Rows&& rows, model::LanguageModel& model, const Shape& s,
                             const Measuring& how) {
  Shape warm_up = s;
  if (s.decode) warm_up.tokens = std::min<std::int64_t>(s.tokens, 8);
  if (s.decode) warm_up.depth = 0;
  one_run(rows, model, warm_up, 0, how);
  std::vector<double> seconds;
  for (std::int64_t i = 1; i <= how.repetitions; ++i)
    seconds.push_back(one_run(rows, model, s, i, how));
  return seconds;
}

}  // namespace

void obey(const StopToken& stop) {
  if (stop.requested()) fail(ErrorCode::kCancelled, "bench: stopped on request");
}

std::string name(const Shape& s) {
  std::string text = fmt::format("{}{}", s.decode ? "tg" : "pp", s.tokens);
  if (s.depth > 0) text += fmt::format(" @ d{}", s.depth);
  if (s.batch > 1) text += fmt::format(" x{}", s.batch);
  return text;
}

Row measure(model::LanguageModel& model, const Shape& s, const Measuring& how) {
  LATHE_CHECK(s.tokens > 0 && how.repetitions > 0 && (s.decode || s.batch == 1));
  check_room(Cost(model), s);
  model.encode_weights();  // what a process that goes on for a while does
  const std::int64_t capacity = s.depth + s.tokens;
  const std::vector<double> seconds =
      s.batch == 1 ? all_runs(OneRow(model, capacity), model, s, how)
                   : all_runs(ManyRows(model, s.batch, capacity), model, s, how);
  const Cost cost(model);  // of the weights as they are now
  Row row{.work = name(s), .weights = cost.weights(), .cache = cost.cache()};
  row.batch = s.batch, row.depth = s.depth;
  row.numbers = cost.numbers();
  set_speed(row, work_of(cost, s), seconds, *how.peaks);
  return row;
}

}  // namespace lathe::bench
