// What becomes of matches and of the text between them: the behaviours of Split and Punctuation.
#pragma once

#include "lathe/text/tokenize/splitter.h"

namespace lathe::tokenize {

/// Takes stretches of a text in order, each a match or not, and adds the pieces they make to a
/// sink.
class MatchJoiner {
 public:
  MatchJoiner(MatchUse use, SpanSink& sink) : use_(use), sink_(sink) {}

  void put(Span stretch, bool is_match) {
    switch (use_) {
      case MatchUse::kIsolated:
        return emit(stretch);
      case MatchUse::kRemoved:
        if (!is_match) emit(stretch);
        return;
      case MatchUse::kContiguous:
        return put_joined(stretch, is_match, is_match == after_match_);
      case MatchUse::kMergedWithPrevious:
        return put_joined(stretch, is_match, is_match && !after_match_);
      case MatchUse::kMergedWithNext:
        return put_joined(stretch, is_match, !is_match && after_match_);
    }
  }

  /// To be called once, behind the last stretch. Flushes the sink.
  void finish() {
    if (waits_) emit(waiting_);
    sink_.flush();
  }

 private:
  void emit(Span piece) {
    if (piece.begin != piece.end) sink_.add(piece.begin, piece.end);
  }

  void put_joined(Span stretch, bool is_match, bool joins) {
    after_match_ = is_match;
    if (waits_ && joins) {
      waiting_.end = stretch.end;
      return;
    }
    if (waits_) emit(waiting_);
    waiting_ = stretch;
    waits_ = true;
  }

  MatchUse use_;
  SpanSink& sink_;
  Span waiting_{0, 0};
  bool waits_ = false, after_match_ = false;
};

}  // namespace lathe::tokenize
