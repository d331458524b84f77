#include "lathe/data/document_stream.h"

#include <cmath>

#include "lathe/base/error.h"
#include "lathe/base/random.h"

namespace lathe::data {

DocumentStream::DocumentStream(std::vector<StreamSource> sources, Encoding encoding, Order order,
                               std::uint64_t seed)
    : sources_(std::move(sources)),
      encoding_(std::move(encoding)),
      order_(order),
      seed_(seed),
      cursors_(sources_.size()) {
  if (sources_.empty())
    fail(ErrorCode::kInvalidArgument, "data: expected at least one source, got none");
  double sum = 0;
  for (const StreamSource& s : sources_) {
    if (!(s.weight > 0) || !std::isfinite(s.weight)) {
      fail(ErrorCode::kInvalidArgument, "data '{}': expected a weight above 0, got {}", s.name,
           s.weight);
    }
    if (s.index.size() == 0) {
      fail(ErrorCode::kCorrupt, "data '{}': expected documents, got none ({} left out)", s.name,
           s.index.report().skipped());
    }
    sum += s.weight;
    records_ += s.index.size();
  }
  for (const StreamSource& s : sources_) shares_.push_back(s.weight / sum);
}

void DocumentStream::seek(std::vector<SourceCursor> cursors) {
  LATHE_CHECK(cursors.size() == sources_.size());
  cursors_ = std::move(cursors);
  empty_in_row_ = 0;
}

/// The source that is furthest behind its share of the tokens so far; the first one of equals.
std::size_t DocumentStream::choose() const {
  if (order_ == Order::kSequential) {
    std::size_t s = 0;
    while (s < sources_.size() &&
           static_cast<std::uint64_t>(cursors_[s].draws) >= sources_[s].index.size()) {
      ++s;
    }
    return s;
  }
  double total = 0;
  for (const SourceCursor& c : cursors_) total += static_cast<double>(c.tokens);
  std::size_t best = 0;
  double most = -1e300;
  for (std::size_t s = 0; s < cursors_.size(); ++s) {
    const double behind = shares_[s] * total - static_cast<double>(cursors_[s].tokens);
    if (behind > most) best = s, most = behind;
  }
  return best;
}

std::uint64_t DocumentStream::record_at(std::size_t s, std::int64_t draw) const {
  const std::uint64_t n = sources_[s].index.size();
  const std::uint64_t d = static_cast<std::uint64_t>(draw);
  if (order_ == Order::kSequential) return d;
  const RandomStream epochs(seed_, fmt::format("data/order/{}", s));
  return permute(d % n, n, epochs.word(d / n));
}

bool DocumentStream::next(EncodedDocument& document) {
  const std::size_t s = choose();
  if (s == sources_.size()) return false;
  document.source = static_cast<std::uint32_t>(s);
  document.record = record_at(s, cursors_[s].draws);
  document.ids.clear();
  ids_of(s, document.record, document.ids);
  cursors_[s].add(static_cast<std::int64_t>(document.ids.size()));
  empty_in_row_ = document.ids.empty() ? empty_in_row_ + 1 : 0;
  if (order_ == Order::kShuffled && empty_in_row_ > records_) {
    fail(ErrorCode::kCorrupt, "data '{}': expected tokens, got none from any document",
         sources_[s].name);
  }
  return true;
}

void DocumentStream::ids_of(std::size_t s, std::uint64_t record, std::vector<std::int32_t>& ids) {
  StreamSource& source = sources_[s];
  if (source.cache != nullptr && source.cache->get(record, ids)) return;
  std::vector<std::int32_t> made;
  const bool begins = record == 0 || !source.index.continues(record - 1);
  if (encoding_.bos && begins) made.push_back(*encoding_.bos);
  encoding_.encode(source.index.read(record), made);
  if (encoding_.eos && !source.index.continues(record)) made.push_back(*encoding_.eos);
  check_ids(s, made);
  if (source.cache != nullptr) source.cache->put(record, made);
  ids.insert(ids.end(), made.begin(), made.end());
}

void DocumentStream::check_ids(std::size_t s, const std::vector<std::int32_t>& ids) const {
  for (const std::int32_t id : ids) {
    if (id >= 0 && id < encoding_.vocab_size) continue;
    fail(ErrorCode::kInvalidArgument, "data '{}': expected ids below the vocabulary of {}, got {}",
         sources_[s].name, encoding_.vocab_size, id);
  }
}

}  // namespace lathe::data
