#include "lathe/text/tokenize/word_counts.h"

#include <algorithm>
#include <exception>
#include <mutex>

#include "lathe/base/parallel.h"
#include "lathe/text/tokenize/unicode.h"

namespace lathe::tokenize {
namespace {

constexpr std::size_t kBatchBytes = 8 << 20;
constexpr std::int64_t kChunksPerThread = 8;

class CountSink final : public SpanSink {
 public:
  CountSink(std::string_view text, WordCounts& counts) : text_(text), counts_(counts) {}

 protected:
  void take(std::span<const Span> spans) override {
    for (const Span span : spans) counts_.add(text_.substr(span.begin, span.end - span.begin));
  }

 private:
  std::string_view text_;
  WordCounts& counts_;
};

/// Bytes that are not UTF-8 are words of their own, as in encoding.
void count_text(std::string_view text, const Splitter& splitter, WordCounts& counts) {
  while (!text.empty()) {
    const std::size_t valid = valid_prefix(text);
    CountSink sink(text.substr(0, valid), counts);
    if (valid != 0) splitter.split(text.substr(0, valid), sink);
    text.remove_prefix(valid);
    const std::size_t invalid = invalid_prefix(text);
    if (invalid != 0) counts.add(text.substr(0, invalid));
    text.remove_prefix(invalid);
  }
}

}  // namespace

void WordCounts::add(std::string_view word, std::int64_t count) {
  if (count == 0) return;
  const std::uint64_t hash = hash_word(word);
  for (std::size_t i = hash & mask_;; i = (i + 1) & mask_) {
    Slot& slot = slots_[i];
    if (slot.count == 0) {
      slot = {hash, bytes_.size(), count, word.size()};
      bytes_ += word;
      if (++used_ * 2 > slots_.size()) grow();
      return;
    }
    if (slot.hash == hash && slot.size == word.size() &&
        same_bytes(bytes_.data() + slot.offset, word.data(), word.size())) {
      slot.count += count;
      return;
    }
  }
}

void WordCounts::grow() {
  std::vector<Slot> old(slots_.size() * 2);
  old.swap(slots_);
  mask_ = slots_.size() - 1;
  for (const Slot& slot : old) {
    if (slot.count == 0) continue;
    std::size_t i = slot.hash & mask_;
    while (slots_[i].count != 0) i = (i + 1) & mask_;
    slots_[i] = slot;
  }
}

std::vector<WordCounts::Entry> WordCounts::sorted() const {
  std::vector<Entry> entries;
  entries.reserve(used_);
  for (const Slot& slot : slots_)
    if (slot.count != 0)
      entries.push_back({std::string_view(bytes_).substr(slot.offset, slot.size), slot.count});
  std::sort(entries.begin(), entries.end(),
            [](const Entry& a, const Entry& b) { return a.word < b.word; });
  return entries;
}

void WordCounts::add_all(const WordCounts& other) {
  for (const Slot& slot : other.slots_)
    add(std::string_view(other.bytes_).substr(slot.offset, slot.size), slot.count);
}

ParallelWordCounter::ParallelWordCounter(const Splitter& splitter)
    : splitter_(splitter), by_thread_(static_cast<std::size_t>(thread_count())) {}

void ParallelWordCounter::add(std::string_view text) {
  batch_ += text;
  ends_.push_back(batch_.size());
  bytes_ += static_cast<std::int64_t>(text.size());
  if (batch_.size() >= kBatchBytes) count_batch();
}

void ParallelWordCounter::count_batch() {
  std::mutex mutex;
  std::exception_ptr error;  // whichever came first: any of them ends the training
  const auto texts = static_cast<std::int64_t>(ends_.size());
  const std::int64_t grain =
      std::max<std::int64_t>(1, texts / (kChunksPerThread * std::ssize(by_thread_)));
  parallel_for(texts, grain, [&](std::int64_t begin, std::int64_t end) {
    try {
      WordCounts& counts = by_thread_[static_cast<std::size_t>(thread_index())];
      for (std::int64_t i = begin; i < end; ++i) {
        const std::size_t from = i == 0 ? 0 : ends_[static_cast<std::size_t>(i - 1)];
        const std::size_t to = ends_[static_cast<std::size_t>(i)];
        count_text(std::string_view(batch_).substr(from, to - from), splitter_, counts);
      }
    } catch (...) {
      const std::lock_guard<std::mutex> lock(mutex);
      if (!error) error = std::current_exception();
    }
  });
  batch_.clear();
  ends_.clear();
  if (error) std::rethrow_exception(error);
}

WordCounts ParallelWordCounter::finish() {
  count_batch();
  WordCounts all = std::move(by_thread_[0]);
  for (std::size_t i = 1; i < by_thread_.size(); ++i) {
    all.add_all(by_thread_[i]);
    by_thread_[i] = WordCounts();
  }
  return all;
}

}  // namespace lathe::tokenize
