// A DocumentStream that reads ahead.
#pragma once

#include <condition_variable>
#include <deque>
#include <exception>
#include <memory>
#include <mutex>
#include <thread>

#include "lathe/data/document_stream.h"

namespace lathe::data {

/// The documents of a stream in their order, made on a thread of its own when `background`; the
/// sequence is the same either way.
/// Invariants: 1. while the thread runs, only it touches the stream; 2. queue_, queued_ids_, ended_
/// and failure_ belong to mutex_; 3. the queue holds at most kAhead ids and one more document.
class DocumentFeed {
 public:
  DocumentFeed(std::unique_ptr<DocumentStream> stream, bool background);

  /// As DocumentStream::next. An error of the thread is thrown here when its turn comes, and again
  /// at each later call.
  bool next(EncodedDocument& document);

  /// As DocumentStream::seek; what was read ahead is dropped.
  void seek(std::vector<SourceCursor> cursors);

  /// The stream, with the thread stopped and what it read ahead dropped; follow with seek().
  DocumentStream& stop();

  const std::vector<StreamSource>& sources() const { return stream_->sources(); }

 private:
  void start();
  void run(std::stop_token stopped);

  std::unique_ptr<DocumentStream> stream_;
  bool background_;
  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::deque<EncodedDocument> queue_;
  std::size_t queued_ids_ = 0;
  bool ended_ = false;
  std::exception_ptr failure_;
  std::jthread thread_;  // last: it ends before what it uses
};

}  // namespace lathe::data
