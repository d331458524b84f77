#include "lathe/base/error.h"
#include "lathe/base/log.h"
#include "lathe/data/batch_source.h"
#include "lathe/data/digest.h"

namespace lathe::data {
namespace {

void log_report(const std::string& name, const Report& report) {
  const std::vector<std::string> lines = report.lines();
  log::info("data '{}': {}", name, lines.front());
  for (std::size_t i = 1; i < lines.size(); ++i) {
    if (report.skipped() > 0) {
      log::warning("data '{}': {}", name, lines[i]);
    } else {
      log::info("data '{}': {}", name, lines[i]);
    }
  }
}

std::unique_ptr<TokenCache> open_tokens(const StreamSource& source, const Encoding& encoding,
                                        const std::string& cache_folder) {
  Digest key(1);
  key.add(source.index.fingerprint()).add(source.index.size()).add(encoding.key);
  key.add(static_cast<std::uint64_t>(encoding.eos.value_or(-1)));
  key.add(static_cast<std::uint64_t>(encoding.bos.value_or(-1)));
  return TokenCache::open(join_path(cache_folder, "tokens/" + key.hex()), source.index.size(),
                          encoding.vocab_size);
}

}  // namespace

std::unique_ptr<BatchSource> open_batches(const std::vector<SourceConfig>& sources,
                                          const DataConfig& config, const Encoding& encoding,
                                          const BatchOptions& options) {
  const std::string cache = config.cache.empty() ? options.cache_folder : config.cache;
  if (cache.empty()) fail(ErrorCode::kInvalidArgument, "data.cache: expected a folder, got none");
  std::vector<StreamSource> opened;
  for (const SourceConfig& source : sources) {
    StreamSource s{.name = source.path,
                   .weight = source.weight,
                   .index = DocumentIndex::open(source.path, config.options_of(source), cache),
                   .cache = nullptr};
    log_report(s.name, s.index.report());
    if (config.token_cache) s.cache = open_tokens(s, encoding, cache);
    opened.push_back(std::move(s));
  }
  const Order order = options.sequential ? Order::kSequential : Order::kShuffled;
  auto stream = std::make_unique<DocumentStream>(std::move(opened), encoding, order,
                                                 static_cast<std::uint64_t>(options.seed));
  return std::make_unique<BatchSource>(std::move(stream), options, config.prefetch);
}

}  // namespace lathe::data
