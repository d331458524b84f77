// Checkpoints: the whole training state in a folder, written aside, fsynced and renamed, with a
// manifest of hashes. A kill at any moment leaves the older ones untouched.
//
//   checkpoints/step-00000120/ weights.safetensors optimizer.safetensors config.toml state.json
//                              tokenizer.json manifest.json
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "lathe/base/fields.h"
#include "lathe/base/files.h"
#include "lathe/life/optim/optimizer.h"
#include "lathe/model/model.h"

namespace lathe::train {

/// Version of the meaning of our arithmetic: a change that gives other bits raises it, and a
/// checkpoint of another version is not resumed.
constexpr std::int64_t kNumericsVersion = 2;  // 2: bf16 values of masters round ties away from zero

/// Where a run stands between two steps: the loop's part of state.json.
struct LoopState {
  std::int64_t step = 0;      // steps done, skipped ones included
  std::int64_t tokens = 0;    // tokens seen
  std::int64_t updates = 0;   // optimizer updates done (the k of bias correction)
  double seconds = 0;         // of training, all sessions
  double best_valid_bpb = 0;  // 0: none yet
  std::int64_t best_step = 0;
  std::string data_position;    // the batch source's own words
  std::string compute;          // resolved type of products
  std::string instruction_set;  // bf16 products differ between processors; f32 ones do not
  std::int64_t numerics = kNumericsVersion;

  void fields(Fields& f);
};

/// What is written. Texts are stored as they are.
struct CheckpointParts {
  const model::LanguageModel* model = nullptr;
  const optim::Optimizer* optimizer = nullptr;  // null: weights only (the best by validation)
  LoopState state;
  std::string config_toml;
  std::string tokenizer_json;  // empty: none
};

/// Writes `folder/name` (for example "step-00000120"). On any error the half-written folder is
/// removed and nothing else has changed. Throws Io with what failed.
void write_checkpoint(FileSystem& files, const std::string& folder, const std::string& name,
                      const CheckpointParts& parts);

/// Checks the manifest: every file there, of its size and hash. Returns what is wrong, or nothing.
std::optional<std::string> check_checkpoint(const FileSystem& files, const std::string& path);

/// Paths of the checkpoints of a run folder, newest first; `prefix` is "step-" or "best-".
std::vector<std::string> list_checkpoints(const FileSystem& files, const std::string& run_folder,
                                          const std::string& prefix = "step-");

/// The newest valid checkpoint; broken ones are warned about and passed over. Empty: none.
std::string newest_checkpoint(const FileSystem& files, const std::string& run_folder,
                              const std::string& prefix = "step-");

/// MODEL of the command line as a checkpoint: a checkpoint itself, or the newest one of a run
/// folder. Throws NotFound or Corrupt and says what was looked for.
std::string resolve_checkpoint(const FileSystem& files, const std::string& path);

LoopState read_state(const FileSystem& files, const std::string& checkpoint);
void load_weights(const FileSystem& files, const std::string& checkpoint,
                  model::LanguageModel& model);
void load_optimizer(const FileSystem& files, const std::string& checkpoint,
                    const optim::Optimizer& optimizer);

/// Removes all but the newest `keep` checkpoints, and what killed writers left behind.
void prune_checkpoints(FileSystem& files, const std::string& run_folder, std::int64_t keep,
                       const std::string& prefix = "step-");

/// "step-00000120".
std::string checkpoint_name(const std::string& prefix, std::int64_t step);

}  // namespace lathe::train
