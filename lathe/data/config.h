// The [data] table of a recipe.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "lathe/base/fields.h"
#include "lathe/data/source.h"

namespace lathe::data {

/// One source; a plain string in TOML stands for its path.
struct SourceConfig {
  std::string path;
  double weight = 1;
  std::string field = "text";
  std::string format = "auto";
  std::string split = "file";

  void fields(Fields& f) {
    f("path", path,
      "a file, a folder (searched for .txt and .jsonl, also .gz, .xz, .zst) or a glob");
    f("weight", weight, "share of the tokens, relative to the other sources; only for training",
      in_range(1e-9, 1e9));
    f("field", field, "name of the text in a JSONL object");
    f("format", format, "of the files; auto goes by their names", one_of({"auto", "txt", "jsonl"}));
    f("split", split, "what one document of a .txt file is", one_of({"file", "paragraph", "line"}));
  }
};

struct DataConfig {
  std::vector<SourceConfig> train;
  std::vector<SourceConfig> valid;
  std::string policy = "fail";
  std::string notices = "convert";
  std::int64_t max_line_bytes = SourceOptions{}.max_line_bytes;
  std::string cache;
  bool token_cache = true;
  bool eos = true;
  bool bos = false;
  bool prefetch = true;

  void fields(Fields& f) {
    f("train", train, "sources to train on, mixed by weight: paths, globs or {path, weight}");
    f("valid", valid, "sources to validate on, read in order, never mixed or shuffled");
    f("policy", policy,
      "a faulty document (bad UTF-8 or JSON, field missing, no string or there twice, empty, line "
      "too long) or an empty file: fail with file and line, or skip it and count",
      one_of({"fail", "skip"}));
    f("notices", notices, "CR LF line ends and byte order marks: convert them and count, or fail",
      one_of({"convert", "fail"}));
    f("max_line_bytes", max_line_bytes, "longest JSONL line, in bytes",
      in_range(1, static_cast<double>(std::int64_t{1} << 30)));
    f("cache", cache,
      "folder for offset indexes, decompressed files and tokens; empty: cache in the run folder");
    f("token_cache", token_cache, "keep the ids of documents on disk once they are tokenised");
    f("eos", eos, "put the end-of-text token after each document, as a target");
    f("bos", bos, "put the beginning-of-text token before each document, as a first input");
    f("prefetch", prefetch, "read and tokenise ahead on a thread of its own");
  }

  /// The options of one source under these policies.
  SourceOptions options_of(const SourceConfig& source) const {
    return {.format = source.format,
            .field = source.field,
            .split = source.split,
            .policy = policy,
            .notices = notices,
            .max_line_bytes = max_line_bytes};
  }
};

}  // namespace lathe::data
