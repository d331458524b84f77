#include "lathe/life/generate/beam_search.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "lathe/base/error.h"
#include "lathe/engine/ops/ops.h"
#include "lathe/life/generate/decode_step.h"
#include "lathe/life/generate/token_reader.h"

namespace lathe::generate {
namespace {

struct Running {
  std::vector<std::int32_t> ids;
  float sum = 0;  // of log-probabilities
};

struct Continuation {
  std::int32_t beam, id;
  float sum;
};

bool better(const Continuation& a, const Continuation& b) {
  if (a.sum != b.sum) return a.sum > b.sum;
  return a.beam != b.beam ? a.beam < b.beam : a.id < b.id;
}

class Search {
 public:
  Search(model::LanguageModel& model, std::span<const std::int32_t> prompt, const BeamOptions& o)
      : model_(model),
        options_(o),
        prompt_(static_cast<std::int64_t>(prompt.size())),
        state_(model.make_state(o.width, prompt_ + std::max<std::int64_t>(o.tokens - 1, 0))),
        step_(model) {
    state_->select_rows(std::array{0});
    read_prompt(prompt);
  }

  std::vector<Beam> run() {
    while (!options_.cancel.requested() && length() < options_.tokens) {
      const std::vector<Continuation> best = continuations();
      const bool last = length() + 1 == options_.tokens;
      finish(best, last);
      if (last) break;
      follow(best);
      if (!can_improve()) break;
      advance_all();
    }
    return take();
  }

 private:
  std::int64_t length() const { return static_cast<std::int64_t>(running_.front().ids.size()); }

  bool stops(std::int32_t id) const {
    return std::find(options_.stop_ids.begin(), options_.stop_ids.end(), id) !=
           options_.stop_ids.end();
  }

  double penalised(double sum, std::int64_t count) const {
    return sum / std::pow(static_cast<double>(count), options_.length_penalty);
  }

  /// One beam begins; those that follow it share what the cache holds of the prompt.
  void read_prompt(std::span<const std::int32_t> prompt) {
    constexpr std::int64_t kChunk = 256;
    Tensor last;  // [1,C]
    for (std::int64_t begin = 0; begin < prompt_; begin += kChunk) {
      const auto part = prompt.subspan(static_cast<std::size_t>(begin),
                                       static_cast<std::size_t>(std::min(kChunk, prompt_ - begin)));
      last = advance(model_, *state_, part, model::Wanted::last);
    }
    logits_ = model_.logits(last);
    running_.resize(1);
  }

  /// The best next steps over all beams, enough that `width` of them go on, best first.
  std::vector<Continuation> continuations() {
    const Tensor logprobs = ops::log_softmax(logits_);
    const std::int64_t vocab = logprobs.dim(-1);
    std::vector<Continuation> all;
    all.reserve(static_cast<std::size_t>(logprobs.count()));
    for (std::size_t b = 0; b < running_.size(); ++b) {
      const float* row = logprobs.data<float>() + static_cast<std::int64_t>(b) * vocab;
      for (std::int64_t id = 0; id < vocab; ++id)
        all.push_back({static_cast<std::int32_t>(b), static_cast<std::int32_t>(id),
                       row[id] + running_[b].sum});
    }
    const std::size_t wanted = static_cast<std::size_t>(options_.width) *
                               std::max<std::size_t>(2, 1 + options_.stop_ids.size());
    const auto kept = static_cast<std::ptrdiff_t>(std::min(wanted, all.size()));
    std::partial_sort(all.begin(), all.begin() + kept, all.end(), better);
    all.resize(static_cast<std::size_t>(kept));
    return all;
  }

  /// Texts that end now, if they are among the best `width`, join the finished ones.
  void finish(const std::vector<Continuation>& best, bool last) {
    if (options_.early_stopping && full()) return;
    for (std::size_t i = 0; i < best.size() && i < static_cast<std::size_t>(options_.width); ++i) {
      const Continuation& c = best[i];
      const bool stop = stops(c.id);
      if (!stop && !last) continue;
      Beam beam{.ids = running_[static_cast<std::size_t>(c.beam)].ids};
      if (stop) {
        beam.stop_id = c.id;
      } else {
        beam.ids.push_back(c.id);
      }
      beam.score = penalised(c.sum, length() + 1);
      finished_.push_back(std::move(beam));
    }
    std::stable_sort(finished_.begin(), finished_.end(),
                     [](const Beam& a, const Beam& b) { return a.score > b.score; });
    if (full()) finished_.resize(static_cast<std::size_t>(options_.width));
  }

  bool full() const { return static_cast<std::int64_t>(finished_.size()) >= options_.width; }

  /// The best steps that do not end become the beams; rows of the cache move with them.
  void follow(const std::vector<Continuation>& best) {
    std::vector<Running> next;
    std::vector<std::int32_t> rows;
    for (const Continuation& c : best) {
      if (stops(c.id) || static_cast<std::int64_t>(next.size()) == options_.width) continue;
      next.push_back({running_[static_cast<std::size_t>(c.beam)].ids, c.sum});
      next.back().ids.push_back(c.id);
      rows.push_back(c.beam);
    }
    running_ = std::move(next);
    if (running_.empty()) return;
    state_->select_rows(rows);
  }

  /// Whether a beam can still become better than the worst finished text, judged as if no token
  /// made it less probable.
  bool can_improve() const {
    if (running_.empty()) return false;
    if (!full()) return true;
    if (options_.early_stopping) return false;
    return penalised(running_.front().sum, length()) > finished_.back().score;
  }

  void advance_all() {
    std::vector<std::int32_t> ids;
    for (const Running& r : running_) ids.push_back(r.ids.back());
    logits_ = step_.run(*state_, ids);
  }

  /// Where the search was cut short, beams stand as they are.
  std::vector<Beam> take() {
    for (Running& r : running_) {
      if (full() || r.ids.empty()) break;
      finished_.push_back({.ids = r.ids, .score = penalised(r.sum, length())});
    }
    return std::move(finished_);
  }

  model::LanguageModel& model_;
  const BeamOptions& options_;
  std::int64_t prompt_;
  std::unique_ptr<model::ModelState> state_;
  DecodeStep step_;
  Tensor logits_;  // [beams,V]
  std::vector<Running> running_;
  std::vector<Beam> finished_;
};

}  // namespace

std::vector<Beam> beam_search(model::LanguageModel& model, std::span<const std::int32_t> prompt,
                              const BeamOptions& options) {
  check_ids(model, prompt);
  if (options.width < 1 || options.tokens < 1)
    fail(ErrorCode::kInvalidArgument, "beam search: expected a width and a length from 1 on");
  return Search(model, prompt, options).run();
}

}  // namespace lathe::generate
