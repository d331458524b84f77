#include "lathe/life/train/checkpoint.h"

#include <algorithm>
#include <functional>

#include "lathe/base/error.h"
#include "lathe/base/hash.h"
#include "lathe/base/json.h"
#include "lathe/base/log.h"
#include "lathe/engine/ops/ops.h"
#include "lathe/model/weights/safetensors.h"

namespace lathe::train {
namespace {

constexpr const char* kFolder = "checkpoints";
constexpr const char* kTemporary = ".writing-";
constexpr const char* kManifest = "manifest.json";

struct ManifestFile {
  std::string name, sha256;
  std::int64_t bytes = 0;
  void fields(Fields& f) {
    f("name", name);
    f("bytes", bytes);
    f("sha256", sha256);
  }
};

struct Manifest {
  std::int64_t format = 1;
  std::int64_t step = 0;
  std::vector<ManifestFile> files;
  void fields(Fields& f) {
    f("format", format);
    f("step", step);
    f("files", files);
  }
};

/// Hashes what passes through, so that a checkpoint is not read back to be hashed.
class HashingWriter : public FileWriter {
 public:
  explicit HashingWriter(std::unique_ptr<FileWriter> under) : under_(std::move(under)) {}
  void write(std::string_view bytes) override {
    under_->write(bytes);
    hash_.update(bytes);
    bytes_ += static_cast<std::int64_t>(bytes.size());
  }
  void sync() override { under_->sync(); }
  void close() override { under_->close(); }

  ManifestFile entry(const std::string& name) { return {name, hash_.finish(), bytes_}; }

 private:
  std::unique_ptr<FileWriter> under_;
  Sha256 hash_;
  std::int64_t bytes_ = 0;
};

/// The files of a checkpoint, manifest last, each fsynced.
void write_files(FileSystem& files, const std::string& folder, const CheckpointParts& parts) {
  Manifest manifest;
  manifest.step = parts.state.step;
  const auto save = [&](const char* name, const std::function<void(FileWriter&)>& fill) {
    HashingWriter writer(files.open_for_write(join_path(folder, name)));
    fill(writer);
    writer.sync();
    writer.close();
    manifest.files.push_back(writer.entry(name));
  };
  const auto save_text = [&](const char* name, const std::string& text) {
    save(name, [&](FileWriter& writer) { writer.write(text); });
  };
  const auto save_tensors = [&](const char* name, const auto& tensors) {
    save(name, [&](FileWriter& writer) {
      weights::write_safetensors(writer, join_path(folder, name), tensors, {{"format", "pt"}});
    });
  };

  // Masters in two halves are joined one by one: the step's activations, now idle, make room.
  release_cached_memory();
  std::vector<weights::TensorSource> masters;
  for (const autograd::Parameter* p : parts.model->parameters())
    masters.push_back({p->name(), DType::f32, p->shape(), [p] { return p->master(); }});
  save_tensors("weights.safetensors", masters);
  if (parts.optimizer != nullptr) {
    weights::NamedTensors tensors;
    parts.optimizer->state(
        [&](const std::string& name, const Tensor& t) { tensors.emplace_back(name, t); });
    save_tensors("optimizer.safetensors", tensors);
  }
  save_text("config.toml", parts.config_toml);
  save_text("state.json", write_json(parts.state, 2) + "\n");
  if (!parts.tokenizer_json.empty()) save_text("tokenizer.json", parts.tokenizer_json);
  const std::string text = write_json(manifest, 2) + "\n";
  save_text(kManifest, text);
  files.sync_directory(folder);
}

bool starts_with(const std::string& text, const std::string& prefix) {
  return text.compare(0, prefix.size(), prefix) == 0;
}

}  // namespace

void LoopState::fields(Fields& f) {
  f("step", step);
  f("tokens", tokens);
  f("updates", updates);
  f("seconds", seconds);
  f("best_valid_bpb", best_valid_bpb);
  f("best_step", best_step);
  f("data_position", data_position);
  f("compute", compute);
  f("instruction_set", instruction_set);
  f("numerics", numerics);
}

std::string checkpoint_name(const std::string& prefix, std::int64_t step) {
  return fmt::format("{}{:08d}", prefix, step);
}

void write_checkpoint(FileSystem& files, const std::string& run_folder, const std::string& name,
                      const CheckpointParts& parts) {
  const std::string folder = join_path(run_folder, kFolder);
  const std::string aside = join_path(folder, kTemporary + name), final = join_path(folder, name);
  try {
    files.make_directories(folder);
    files.remove_all(aside);
    files.make_directories(aside);
    files.sync_directory(run_folder);
    files.sync_directory(folder);
    write_files(files, aside, parts);
    files.remove_all(final);  // the same step again, after a resume from an older one
    files.rename(aside, final);
    files.sync_directory(folder);
  } catch (Error& e) {
    try {
      files.remove_all(aside);
    } catch (const Error&) {  // a read-only folder cannot be cleaned either
    }
    e.within("checkpoint " + final + " could not be written (older ones are untouched)");
    throw;
  }
}

std::optional<std::string> check_checkpoint(const FileSystem& files, const std::string& path) {
  try {
    Manifest manifest;
    const std::string manifest_path = join_path(path, kManifest);
    read_json(files.read_all(manifest_path), manifest_path, manifest);
    if (manifest.format != 1)
      return fmt::format("format {} is not known to this version", manifest.format);
    for (const ManifestFile& f : manifest.files) {
      const std::string file = join_path(path, f.name);
      if (static_cast<std::int64_t>(files.size(file)) != f.bytes)
        return fmt::format("{}: expected {} bytes, found {}", file, f.bytes, files.size(file));
      if (sha256_file(files, file) != f.sha256)
        return fmt::format("{}: its contents do not match the manifest", file);
    }
    return {};
  } catch (const Error& e) {
    return e.message();
  }
}

std::vector<std::string> list_checkpoints(const FileSystem& files, const std::string& run_folder,
                                          const std::string& prefix) {
  const std::string folder = join_path(run_folder, kFolder);
  std::vector<std::string> paths;
  if (!files.is_directory(folder)) return paths;
  for (const std::string& name : files.list(folder))
    if (starts_with(name, prefix)) paths.push_back(join_path(folder, name));
  // Numbers grow beyond eight digits: longer names are newer.
  std::sort(paths.begin(), paths.end(), [](const std::string& a, const std::string& b) {
    return a.size() != b.size() ? a.size() > b.size() : a > b;
  });
  return paths;
}

std::string newest_checkpoint(const FileSystem& files, const std::string& run_folder,
                              const std::string& prefix) {
  for (const std::string& path : list_checkpoints(files, run_folder, prefix)) {
    const auto problem = check_checkpoint(files, path);
    if (!problem) return path;
    log::warning("{}: not a valid checkpoint, looking for an older one: {}", path, *problem);
  }
  return "";
}

std::string resolve_checkpoint(const FileSystem& files, const std::string& path) {
  if (files.exists(join_path(path, kManifest))) {
    if (const auto problem = check_checkpoint(files, path))
      fail(ErrorCode::kCorrupt, "{}: not a valid checkpoint: {}", path, *problem);
    return path;
  }
  const std::string newest = newest_checkpoint(files, path);
  if (!newest.empty()) return newest;
  if (!files.exists(path)) fail(ErrorCode::kNotFound, "{}: there is no such file or folder", path);
  fail(ErrorCode::kNotFound,
       "{}: expected a run folder with checkpoints/step-*, or a checkpoint with manifest.json; "
       "found "
       "neither",
       path);
}

LoopState read_state(const FileSystem& files, const std::string& checkpoint) {
  LoopState state;
  const std::string path = join_path(checkpoint, "state.json");
  read_json(files.read_all(path), path, state);
  return state;
}

void load_weights(const FileSystem& files, const std::string& checkpoint,
                  model::LanguageModel& model) {
  const auto file =
      weights::SafetensorsFile::open(join_path(checkpoint, "weights.safetensors"), files);
  for (autograd::Parameter* p : model.parameters()) p->load(file.tensor(p->name()));
  for (const std::string& name : file.names())
    if (model.find(name) == nullptr)
      fail(ErrorCode::kCorrupt, "{}: the weights have a tensor '{}' that the model does not know",
           checkpoint, name);
}

void load_optimizer(const FileSystem& files, const std::string& checkpoint,
                    const optim::Optimizer& optimizer) {
  const std::string path = join_path(checkpoint, "optimizer.safetensors");
  const auto file = weights::SafetensorsFile::open(path, files);
  std::size_t seen = 0;
  optimizer.state([&](const std::string& name, const Tensor& t) {
    const Tensor stored = file.tensor(name);
    if (stored.shape() != t.shape())
      fail(ErrorCode::kCorrupt, "{}: '{}': expected {}, found {}", path, name, to_string(t.shape()),
           to_string(stored.shape()));
    ops::copy_(t, stored);
    ++seen;
  });
  if (seen != file.names().size())
    fail(ErrorCode::kCorrupt, "{}: expected {} tensors of state, found {}; another optimizer?",
         path, seen, file.names().size());
}

void prune_checkpoints(FileSystem& files, const std::string& run_folder, std::int64_t keep,
                       const std::string& prefix) {
  const std::string folder = join_path(run_folder, kFolder);
  if (!files.is_directory(folder)) return;
  for (const std::string& name : files.list(folder))
    if (starts_with(name, kTemporary)) files.remove_all(join_path(folder, name));
  const auto paths = list_checkpoints(files, run_folder, prefix);
  for (std::size_t i = static_cast<std::size_t>(keep); i < paths.size(); ++i)
    files.remove_all(paths[i]);
}

}  // namespace lathe::train
