#include "lathe/data/batch_source.h"

#include <algorithm>

#include "lathe/base/error.h"
#include "lathe/base/json.h"
#include "lathe/data/digest.h"

namespace lathe::data {
namespace {

constexpr std::int64_t kLargest = std::int64_t{1} << 52;  // exact in a double
constexpr std::int32_t kPadding = 0;                      // any id: it is never attended to

std::string digest_of(const Encoding& encoding) {
  return Digest()
      .add(encoding.key)
      .add(static_cast<std::uint64_t>(encoding.eos.value_or(-1)))
      .add(static_cast<std::uint64_t>(encoding.bos.value_or(-1)))
      .hex();
}

std::string hex(std::uint64_t value) { return fmt::format("{:016x}", value); }

Constraint count() { return in_range(0, static_cast<double>(kLargest)); }

}  // namespace

void Position::Source::fields(Fields& f) {
  f("fingerprint", fingerprint, "of the texts");
  f("draws", draws, "records finished", count());
  f("tokens", tokens, "ids in them", count());
}

void Position::fields(Fields& f) {
  f("version", version, "of this format", in_range(1, 1));
  f("seed", seed, "of the order");
  f("encoding", encoding, "digest of tokenizer, eos and bos");
  f("sources", sources, "how far each source is");
  f("offset", offset, "pairs taken from the open document", count());
  f("rows", rows, "given so far", count());
  f("supervised", supervised, "targets given so far", count());
  f("bytes", bytes, "UTF-8 bytes that they stand for", count());
  f("dropped", dropped, "ids of documents with a single id", count());
}

std::string Position::to_json() const { return write_json(*this); }

Position Position::from_json(std::string_view text) try {
  Position position;
  read_json(text, "data position", position);
  if (position.sources.empty())
    fail(ErrorCode::kCorrupt, "data position: expected the place of each source, got none");
  return position;
} catch (const Error& e) {
  throw Error(ErrorCode::kCorrupt, e.message());
}

BatchSource::BatchSource(std::unique_ptr<DocumentStream> stream, BatchOptions options,
                         bool prefetch)
    : options_(std::move(options)),
      feed_(std::move(stream), prefetch),
      cursors_(feed_.sources().size()) {
  if (options_.width < 1 || options_.width > (std::int64_t{1} << 30))
    fail(ErrorCode::kInvalidArgument, "data: expected rows of 1 to 2^30 places, got {}",
         options_.width);
  const Encoding& encoding = feed_.stop().encoding();
  bytes_of_id_ = encoding.bytes_of_id;
  encoding_digest_ = digest_of(encoding);
}

Batch BatchSource::next(std::int64_t rows) {
  if (rows < 1 || rows > (std::int64_t{1} << 40) / options_.width)
    fail(ErrorCode::kInvalidArgument, "data: expected 1 row or more, got {}", rows);
  Batch batch;
  batch.width = options_.width;
  while (batch.rows < rows && !at_cap() && fill_row(batch, batch.rows)) {
    ++batch.rows;
    ++counters_.rows;
  }
  counters_.supervised += batch.supervised;
  counters_.bytes += batch.bytes;
  return batch;
}

bool BatchSource::at_cap() const {
  if (!options_.sequential || options_.max_tokens <= 0) return false;
  return counters_.rows >= std::max<std::int64_t>(1, options_.max_tokens / options_.width);
}

/// Appends a row to the batch; false where the data is at its end.
bool BatchSource::fill_row(Batch& batch, std::int64_t row) {
  if (!ensure_open()) return false;
  const auto size = static_cast<std::size_t>((row + 1) * batch.width);
  batch.tokens.resize(size, kPadding);
  batch.targets.resize(size, -1);
  batch.positions.resize(size);
  batch.document_starts.resize(size);
  batch.weights.resize(size, 0.0F);

  std::int64_t used = 0;
  while (used < batch.width && ensure_open()) {
    const std::int64_t left = static_cast<std::int64_t>(open_.ids.size()) - 1 - counters_.offset;
    const std::int64_t n = std::min(left, batch.width - used);
    place(batch, row * batch.width, n, used);
    used += n;
    counters_.offset += n;
    if (n == left) close_document();
  }
  for (std::int64_t t = used; t < batch.width; ++t) {  // one segment of padding
    const auto at = static_cast<std::size_t>(row * batch.width + t);
    batch.positions[at] = static_cast<std::int32_t>(t - used);
    batch.document_starts[at] = static_cast<std::int32_t>(used);
  }
  batch.padded += batch.width - used;
  return true;
}

/// The next n pairs of the open document, from place `start` of the row that begins at `first`.
void BatchSource::place(Batch& batch, std::int64_t first, std::int64_t n, std::int64_t start) {
  const std::int32_t* ids = open_.ids.data() + counters_.offset;
  for (std::int64_t i = 0; i < n; ++i) {
    const auto at = static_cast<std::size_t>(first + start + i);
    batch.tokens[at] = ids[i];
    batch.targets[at] = ids[i + 1];
    batch.positions[at] = static_cast<std::int32_t>(i);
    batch.document_starts[at] = static_cast<std::int32_t>(start);
    batch.weights[at] = 1.0F;
    if (!bytes_of_id_.empty()) batch.bytes += bytes_of_id_[static_cast<std::size_t>(ids[i + 1])];
  }
  batch.supervised += n;
}

/// Makes open_ a document with pairs left; false at the end of the data.
bool BatchSource::ensure_open() {
  while (!has_open_ && !ended_) {
    if (!feed_.next(open_)) {
      ended_ = true;
      break;
    }
    has_open_ = true;
    counters_.offset = 0;
    if (open_.ids.size() >= 2) break;
    counters_.dropped += static_cast<std::int64_t>(open_.ids.size());
    close_document();
  }
  return has_open_;
}

void BatchSource::close_document() {
  cursors_[open_.source].add(static_cast<std::int64_t>(open_.ids.size()));
  counters_.offset = 0;
  has_open_ = false;
}

Position BatchSource::position() const {
  Position position = counters_;
  position.seed = options_.seed;
  position.encoding = encoding_digest_;
  for (std::size_t s = 0; s < cursors_.size(); ++s) {
    position.sources.push_back({.fingerprint = hex(feed_.sources()[s].index.fingerprint()),
                                .draws = cursors_[s].draws,
                                .tokens = cursors_[s].tokens});
  }
  return position;
}

void BatchSource::check(const Position& p) const {
  if (p.seed != options_.seed)
    fail(ErrorCode::kInvalidArgument, "data position: expected seed {}, got {}", options_.seed,
         p.seed);
  if (p.encoding != encoding_digest_)
    fail(ErrorCode::kInvalidArgument,
         "data position: expected the tokenizer, eos and bos it was made with, got others");
  if (p.sources.size() != cursors_.size())
    fail(ErrorCode::kInvalidArgument, "data position: expected {} sources, got {}", cursors_.size(),
         p.sources.size());
  for (std::size_t s = 0; s < cursors_.size(); ++s) {
    const StreamSource& source = feed_.sources()[s];
    const Position::Source& at = p.sources[s];
    if (at.fingerprint != hex(source.index.fingerprint())) {
      fail(ErrorCode::kInvalidArgument,
           "data '{}': expected the texts that the position was made with (fingerprint {}), got "
           "others ({:016x}); files were changed, added or removed since",
           source.name, at.fingerprint, source.index.fingerprint());
    }
    if (at.draws < 0 || at.draws > kLargest || at.tokens < 0 || at.tokens > kLargest)
      fail(ErrorCode::kCorrupt, "data position: expected counts of at least 0, got others");
  }
}

void BatchSource::seek(const Position& p) {
  check(p);
  for (std::size_t s = 0; s < cursors_.size(); ++s)
    cursors_[s] = {.draws = p.sources[s].draws, .tokens = p.sources[s].tokens};
  feed_.seek(cursors_);
  counters_ = p;
  counters_.sources.clear();
  has_open_ = ended_ = false;
  if (p.offset == 0) return;
  has_open_ = feed_.next(open_);
  if (!has_open_ || p.offset < 0 || p.offset >= static_cast<std::int64_t>(open_.ids.size()) - 1) {
    fail(ErrorCode::kCorrupt, "data position: expected an offset inside its document, got {}",
         p.offset);
  }
}

void BatchSource::rewind() {
  Position start = position();
  start.offset = start.rows = start.supervised = start.bytes = start.dropped = 0;
  for (Position::Source& s : start.sources) s.draws = s.tokens = 0;
  seek(start);
}

std::vector<SourceUse> BatchSource::use() const {
  std::vector<SourceUse> use;
  for (std::size_t s = 0; s < cursors_.size(); ++s) {
    const StreamSource& source = feed_.sources()[s];
    const auto documents = static_cast<std::int64_t>(source.index.size());
    use.push_back(
        {.name = source.name,
         .documents = documents,
         .draws = cursors_[s].draws,
         .tokens = cursors_[s].tokens,
         .epochs = static_cast<double>(cursors_[s].draws) / static_cast<double>(documents)});
  }
  return use;
}

Report BatchSource::report() const {
  Report report;
  for (const StreamSource& source : feed_.sources()) report.add(source.index.report());
  return report;
}

}  // namespace lathe::data
