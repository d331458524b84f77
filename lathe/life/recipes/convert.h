// A model from one container into another: Hugging Face folders, GGUF files, run folders.
#pragma once

#include <string>
#include <vector>

#include "lathe/base/files.h"
#include "lathe/base/stop.h"

namespace lathe::recipes {

struct ConvertOptions {
  /// A type or mixture of weights/gguf_recipe.h for GGUF; f32, f16 or bf16 for a folder. Empty: as
  /// the source has it.
  std::string type;
  FileSystem* files = &real_files();
  StopToken stop;
};

struct ConvertReport {
  std::string type;  // as written: "Q4_K_M", "bf16", ...
  std::int64_t tensors = 0;
  std::uint64_t bytes = 0;  // of all files written
  /// What other programs will not take from the file as it is meant, and what was left out.
  std::vector<std::string> notes;
};

/// Reads `source` (a run folder, a checkpoint, a Hugging Face folder, a GGUF file) and writes
/// `target`: a GGUF file where the name ends in ".gguf", else a Hugging Face folder. Everything is
/// written aside and renamed when it is whole, so `target` is never half of anything; a GGUF file
/// is replaced, a folder with something in it is refused. One tensor is in memory at a time.
///
/// GGUF to GGUF keeps all metadata, understood or not, and the names and order of tensors. Types
/// that are not quantised come back exactly from a way through the other container and back.
/// Throws NotFound, Corrupt, Unsupported, Io, InvalidArgument; Cancelled where options.stop is.
ConvertReport convert(const std::string& source, const std::string& target,
                      const ConvertOptions& options);

}  // namespace lathe::recipes
