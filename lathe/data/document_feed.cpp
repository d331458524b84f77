#include "lathe/data/document_feed.h"

namespace lathe::data {
namespace {
constexpr std::size_t kAhead = 1 << 20;  // ids, 4 MiB
}

DocumentFeed::DocumentFeed(std::unique_ptr<DocumentStream> stream, bool background)
    : stream_(std::move(stream)), background_(background) {}

bool DocumentFeed::next(EncodedDocument& document) {
  if (!background_) return stream_->next(document);
  if (!thread_.joinable()) start();
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return !queue_.empty() || ended_ || failure_ != nullptr; });
  if (!queue_.empty()) {
    document = std::move(queue_.front());
    queue_.pop_front();
    queued_ids_ -= document.ids.size();
    changed_.notify_all();
    return true;
  }
  if (failure_ != nullptr) std::rethrow_exception(failure_);
  return false;
}

void DocumentFeed::seek(std::vector<SourceCursor> cursors) { stop().seek(std::move(cursors)); }

DocumentStream& DocumentFeed::stop() {
  if (thread_.joinable()) {
    thread_.request_stop();
    thread_.join();
  }
  queue_.clear();
  queued_ids_ = 0;
  ended_ = false;
  failure_ = nullptr;
  return *stream_;
}

void DocumentFeed::start() {
  thread_ = std::jthread([this](std::stop_token stopped) { run(stopped); });
}

void DocumentFeed::run(std::stop_token stopped) {
  std::exception_ptr failure;
  try {
    EncodedDocument document;
    while (!stopped.stop_requested() && stream_->next(document)) {
      std::unique_lock lock(mutex_);
      queued_ids_ += document.ids.size();
      queue_.push_back(std::move(document));
      document = {};
      changed_.notify_all();
      changed_.wait(lock, stopped, [&] { return queued_ids_ < kAhead; });
    }
  } catch (...) {
    failure = std::current_exception();
  }
  const std::lock_guard lock(mutex_);
  failure_ = failure;
  ended_ = true;
  changed_.notify_all();
}

}  // namespace lathe::data
