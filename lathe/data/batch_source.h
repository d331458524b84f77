// Documents packed into rows, with a position that can be saved and gone back to.
//
//   auto train = open_batches(config.train, config, encoding, {.width = 512, .seed = 1, ...});
//   Batch batch = train->next(8);
//   std::string place = train->position().to_json();   // into the checkpoint
//   train->seek(Position::from_json(place));           // the next batch is the same again
//
// Packing: a document of ids x0 .. xn gives the pairs (x0 -> x1) .. (xn-1 -> xn), in order; rows
// are filled with pairs from one document after another. A document that crosses the end of a row
// goes on in the next row as a new segment. So every id is a target exactly once, but for the first
// of each document, and no place is lost to padding; the last id is never an input.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "lathe/data/batch.h"
#include "lathe/data/config.h"
#include "lathe/data/document_feed.h"

namespace lathe::data {

/// A place in the stream of pairs, independent of how it is cut into rows and batches.
struct Position {
  struct Source {
    std::string fingerprint;  // of the texts
    std::int64_t draws = 0;   // records finished
    std::int64_t tokens = 0;  // ids in them
    void fields(Fields& f);
  };

  std::int64_t version = 1;
  std::int64_t seed = 0;
  std::string encoding;         // digest of tokenizer, eos and bos
  std::vector<Source> sources;  // before the open document
  std::int64_t offset = 0;      // pairs taken from the open document
  std::int64_t rows = 0;        // given so far
  std::int64_t supervised = 0;  // targets given so far
  std::int64_t bytes = 0;       // that they stand for
  std::int64_t dropped = 0;     // ids of documents with a single id: nothing to predict

  void fields(Fields& f);
  std::string to_json() const;
  /// Throws kCorrupt where the text is not what to_json() writes.
  static Position from_json(std::string_view text);
};

struct BatchOptions {
  std::int64_t width = 512;     // places in a row
  std::int64_t seed = 0;        // of the order
  bool sequential = false;      // validation: every document once, in order
  std::int64_t max_tokens = 0;  // sequential: end after this many places; 0: all
  std::string cache_folder;     // used where the configuration names none
};

/// How much of a source was used.
struct SourceUse {
  std::string name;
  std::int64_t documents = 0;  // in one epoch (records)
  std::int64_t draws = 0;
  std::int64_t tokens = 0;
  double epochs = 0;  // draws / documents
};

/// Not to be shared between threads.
class BatchSource {
 public:
  BatchSource(std::unique_ptr<DocumentStream> stream, BatchOptions options, bool prefetch);

  /// The next `rows` rows: always full ones for training; at the end of sequential data fewer, the
  /// last one padded, then none. next(a), next(b) hold the rows of next(a + b). rows >= 1.
  /// After an exception the place is undefined until seek(). Throws what the sources throw.
  Batch next(std::int64_t rows);

  /// The place of the next pair.
  Position position() const;

  /// Goes to a place; reads one document at most. Throws kInvalidArgument where the position is of
  /// other data, another tokenizer or another seed (and stays where it is), kCorrupt where it makes
  /// no sense.
  void seek(const Position& position);

  /// To the start.
  void rewind();

  std::int64_t width() const { return options_.width; }
  bool is_sequential() const { return options_.sequential; }
  std::vector<SourceUse> use() const;

  /// What was found when the sources were indexed.
  Report report() const;

  /// For surveys: stops reading ahead and goes back to the present place when `visit` returns.
  template <typename Visit>
  auto with_stream(const Visit& visit) {
    const Position here = position();
    auto result = visit(feed_.stop());
    seek(here);
    return result;
  }

 private:
  bool ensure_open();
  void close_document();
  bool fill_row(Batch& batch, std::int64_t row);
  void place(Batch& batch, std::int64_t first, std::int64_t n, std::int64_t start);
  void check(const Position& position) const;
  bool at_cap() const;

  BatchOptions options_;
  DocumentFeed feed_;
  std::vector<std::int32_t> bytes_of_id_;
  std::string encoding_digest_;
  std::vector<SourceCursor> cursors_;  // before the open document
  EncodedDocument open_;
  bool has_open_ = false;
  bool ended_ = false;
  Position counters_;  // offset, rows, supervised, bytes, dropped
};

/// Opens (and where needed indexes) the sources of a [data] table. Logs what was left out.
std::unique_ptr<BatchSource> open_batches(const std::vector<SourceConfig>& sources,
                                          const DataConfig& config, const Encoding& encoding,
                                          const BatchOptions& options);

}  // namespace lathe::data
