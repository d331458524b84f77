// Documents in training order, as ids.
//
// Which document comes next is a pure function of the seed and of how many documents and tokens
// each source has given: no draw depends on chance, time or threads, and going to any place costs
// one document.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "lathe/data/document_index.h"
#include "lathe/data/encoding.h"
#include "lathe/data/token_cache.h"

namespace lathe::data {

/// How far a source is.
struct SourceCursor {
  std::int64_t draws = 0;   // records given, over all epochs
  std::int64_t tokens = 0;  // ids in them

  void add(std::int64_t ids) {
    ++draws;
    tokens += ids;
  }
};

/// One record: ids of its text, with bos and eos where the document begins and ends.
struct EncodedDocument {
  std::vector<std::int32_t> ids;
  std::uint32_t source = 0;
  std::uint64_t record = 0;  // in the index of the source
};

/// A source ready to be read.
struct StreamSource {
  std::string name;
  double weight = 1;  // relative to the others; > 0
  DocumentIndex index;
  std::unique_ptr<TokenCache> cache;  // may be null
};

enum class Order {
  kShuffled,    // sources mixed by weight, each a new permutation every epoch, without end
  kSequential,  // every record once, source after source
};

/// Not to be shared between threads.
class DocumentStream {
 public:
  /// Throws kInvalidArgument for a weight that is not positive, kCorrupt for a source without
  /// documents.
  DocumentStream(std::vector<StreamSource> sources, Encoding encoding, Order order,
                 std::uint64_t seed);

  /// The next record; false at the end (kSequential only). Throws what DocumentIndex::read and the
  /// encoder throw; kCorrupt when a whole round gives no token.
  bool next(EncodedDocument& document);

  /// Goes to the place where the sources had given this much.
  void seek(std::vector<SourceCursor> cursors);

  /// Record number of draw `draw` of source s.
  std::uint64_t record_at(std::size_t s, std::int64_t draw) const;

  /// Appends the ids of a record, from the cache or by encoding it.
  void ids_of(std::size_t s, std::uint64_t record, std::vector<std::int32_t>& ids);

  const std::vector<StreamSource>& sources() const { return sources_; }
  const Encoding& encoding() const { return encoding_; }

 private:
  std::size_t choose() const;
  void check_ids(std::size_t s, const std::vector<std::int32_t>& ids) const;

  std::vector<StreamSource> sources_;
  std::vector<double> shares_;  // weights, of sum 1
  Encoding encoding_;
  Order order_;
  std::uint64_t seed_;
  std::vector<SourceCursor> cursors_;
  std::uint64_t records_ = 0;       // of all sources
  std::uint64_t empty_in_row_ = 0;  // draws without an id
};

}  // namespace lathe::data
