#include "lathe/data/survey.h"

#include <cmath>

namespace lathe::data {
namespace {

struct Sample {
  std::int64_t records = 0, tokens = 0, supervised = 0, dropped = 0;
};

/// The first records of source s in the order of its first epoch.
Sample sample(DocumentStream& stream, std::size_t s, std::int64_t tokens) {
  Sample sum;
  std::vector<std::int32_t> ids;
  const auto n = static_cast<std::int64_t>(stream.sources()[s].index.size());
  while (sum.records < n && sum.tokens < tokens) {
    ids.clear();
    stream.ids_of(s, stream.record_at(s, sum.records), ids);
    const auto count = static_cast<std::int64_t>(ids.size());
    ++sum.records;
    sum.tokens += count;
    if (count >= 2) sum.supervised += count - 1;
    if (count == 1) sum.dropped += 1;
  }
  return sum;
}

void add_source(DocumentStream& stream, std::size_t s, std::int64_t sample_tokens, Survey& total) {
  const DocumentIndex& index = stream.sources()[s].index;
  const Sample found = sample(stream, s, sample_tokens);
  const Report& report = index.report();
  total.documents += report.documents;
  total.parts += report.parts;
  total.text_bytes += report.text_bytes;
  total.skipped += report.skipped();
  const bool exact = found.records == static_cast<std::int64_t>(index.size());
  total.exact = total.exact && exact;
  const double scale =
      exact ? 1.0 : static_cast<double>(index.size()) / static_cast<double>(found.records);
  total.tokens += std::llround(scale * static_cast<double>(found.tokens));
  total.supervised += std::llround(scale * static_cast<double>(found.supervised));
  total.dropped += std::llround(scale * static_cast<double>(found.dropped));
}

}  // namespace

Survey survey(BatchSource& source, std::int64_t sample_tokens) {
  return source.with_stream([&](DocumentStream& stream) {
    Survey total;
    for (std::size_t s = 0; s < stream.sources().size(); ++s)
      add_source(stream, s, sample_tokens, total);
    const std::int64_t width = source.width();
    if (source.is_sequential()) total.padded = (width - total.supervised % width) % width;
    return total;
  });
}

}  // namespace lathe::data
