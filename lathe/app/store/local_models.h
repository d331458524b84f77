// The models that were pulled: where they lie, what is known of them, how a name finds one.
//
//   <home>/models/<owner>--<name>/    the files, and lathe.json, the record; there only when whole
//   <home>/models/.incoming/<same>/   what is being pulled, kept when a pull is interrupted
//   <home>/models/.incoming/<same>.lock
// <home> is $LATHE_HOME, else $XDG_DATA_HOME/lathe, else ~/.local/share/lathe.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "lathe/app/store/model_name.h"
#include "lathe/base/fields.h"
#include "lathe/base/files.h"

namespace lathe::store {

struct StoredFile {
  std::string path;  // inside the model's folder
  std::int64_t size = 0;
  std::string sha256;

  void fields(Fields& f) {
    f("path", path);
    f("size", size);
    f("sha256", sha256);
  }
};

/// lathe.json of a pulled model.
struct ModelRecord {
  std::int64_t format = 1;
  std::string name;      // ModelName::text()
  std::string source;    // address of the repository or package
  std::string revision;  // commit, or version of the package
  std::string licence;   // as its card or package tells; may be empty
  std::string kind;      // "safetensors", "GGUF Q4_K_M"
  std::string weights;   // file to open, in the folder; empty: the folder itself
  std::string pulled;    // UTC timestamp
  std::vector<StoredFile> files;

  std::int64_t size() const;

  void fields(Fields& f) {
    f("format", format);
    f("name", name);
    f("source", source);
    f("revision", revision);
    f("licence", licence);
    f("kind", kind);
    f("weights", weights);
    f("pulled", pulled);
    f("files", files);
  }
};

struct LocalModel {
  ModelRecord record;
  std::string folder;   // its path
  std::string problem;  // why it cannot be used (record unreadable, file missing), or ""

  /// What other verbs open: a GGUF file, or the folder.
  std::string path() const;
};

/// Throws kNotFound where no home folder is known (set LATHE_HOME).
std::string default_models_folder();

/// The pulled models below one folder. Two processes may use the same folder.
class ModelStore {
 public:
  ModelStore(FileSystem& files, std::string folder) : files_(files), folder_(std::move(folder)) {}

  /// Sorted by name. Damaged ones too, with their problem.
  std::vector<LocalModel> list() const;

  /// By its name, its folder's name, or the last part of either where that is no other model's.
  /// Letter case is ignored where nothing matches exactly. Throws kNotFound with near names,
  /// kInvalidArgument with the candidates where several match.
  LocalModel find(const std::string& name) const;

  /// The model of exactly this name, damaged or not; its record is empty where there is none.
  LocalModel at(const ModelName& name) const;

  /// Takes a model away, whole: it is renamed first. Throws kIo where it is being pulled.
  void remove(const LocalModel& model);

  /// Keeps others from pulling or removing this model. Throws kIo with the process that does.
  std::unique_ptr<FileLock> lock(const std::string& folder_name);

  /// Where the files of a pull are collected; made where absent.
  std::string incoming(const ModelName& name);

  /// Makes what was collected the model of this name: writes the record, syncs, renames. An older
  /// model of this name is there until then and gone afterwards; a process that has it open keeps
  /// it.
  LocalModel install(const ModelName& name, const ModelRecord& record);

  /// Brings back a model that a crash in install() left aside.
  void recover(const ModelName& name);

  const std::string& folder() const { return folder_; }

 private:
  LocalModel read(const std::string& folder_name) const;
  std::string staging(const std::string& folder_name) const;

  FileSystem& files_;
  std::string folder_;
};

/// MODEL of a command line: an existing path as it is; otherwise the path of the pulled model of
/// this name. Throws kNotFound or kInvalidArgument as ModelStore::find does.
std::string resolve_model(const std::string& name, FileSystem& files = real_files());

}  // namespace lathe::store
