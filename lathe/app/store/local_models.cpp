#include "lathe/app/store/local_models.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cstdlib>

#include "lathe/base/error.h"
#include "lathe/base/json.h"
#include "lathe/base/log.h"
#include "lathe/base/nearest.h"

namespace lathe::store {
namespace {

constexpr const char* kRecord = "lathe.json";
constexpr const char* kIncoming = ".incoming";
constexpr std::int64_t kFormat = 1;

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  return out;
}

/// What follows the last '/' of a repository, the "pypi:" of a package.
std::string short_name(const std::string& name) {
  const std::size_t end = name.find_first_of("@:", name.starts_with("pypi:") ? 5 : 0);
  const std::size_t begin = name.substr(0, end).find_last_of("/:");
  return begin == std::string::npos ? name : name.substr(begin + 1);
}

/// "owner/name" of "owner/name@revision:file"; "pypi:package" of "pypi:package==version".
std::string bare_name(const std::string& name) {
  const std::size_t begin = name.starts_with("pypi:") ? 5 : 0;
  return name.substr(0, name.find_first_of("@:=", begin));
}

/// All names that a model answers to, the most exact first.
std::vector<std::string> names_of(const LocalModel& model) {
  const std::string& name = model.record.name;
  return {name, file_name(model.folder), bare_name(name), short_name(name),
          short_name(bare_name(name))};
}

std::vector<LocalModel> matching(const std::vector<LocalModel>& models, const std::string& name,
                                 bool any_case) {
  const std::string wanted = any_case ? lower(name) : name;
  std::vector<LocalModel> found;
  for (std::size_t rank = 0; rank < 5 && found.empty(); ++rank)
    for (const LocalModel& model : models) {
      const std::string known = names_of(model)[rank];
      if ((any_case ? lower(known) : known) == wanted) found.push_back(model);
    }
  return found;
}

std::string quoted_names(const std::vector<LocalModel>& models) {
  std::vector<std::string> names;
  for (const LocalModel& model : models) names.push_back("'" + model.record.name + "'");
  return fmt::format("{}", fmt::join(names, ", "));
}

/// As much of a record as a program may act on without trusting who wrote it.
void check_record(const ModelRecord& record) {
  if (record.format != kFormat)
    fail(ErrorCode::kUnsupported, "format {}: expected {}; a newer Lathe wrote it", record.format,
         kFormat);
  if (record.name.empty()) fail(ErrorCode::kCorrupt, "name: expected one, got \"\"");
  if (!record.weights.empty()) check_file_path(record.weights);
  for (const StoredFile& file : record.files) check_file_path(file.path);
}

std::string missing_file(const FileSystem& files, const LocalModel& model) {
  for (const StoredFile& file : model.record.files) {
    const std::string path = join_path(model.folder, file.path);
    if (!files.exists(path)) return fmt::format("{} is missing", file.path);
    const std::uint64_t size = files.size(path);
    if (size != static_cast<std::uint64_t>(file.size))
      return fmt::format("{}: expected {} bytes, found {}", file.path, file.size, size);
  }
  return "";
}

}  // namespace

std::int64_t ModelRecord::size() const {
  std::int64_t sum = 0;
  for (const StoredFile& file : files) sum += file.size;
  return sum;
}

std::string LocalModel::path() const {
  return record.weights.empty() ? folder : join_path(folder, record.weights);
}

std::string default_models_folder() {
  if (const std::string home = environment("LATHE_HOME"); !home.empty())
    return join_path(home, "models");
  if (const std::string data = environment("XDG_DATA_HOME"); !data.empty())
    return join_path(data, "lathe/models");
  const std::string home = environment("HOME");
  if (home.empty())
    fail(ErrorCode::kNotFound, "models: no home folder is known to keep them in; set LATHE_HOME");
  return join_path(home, ".local/share/lathe/models");
}

LocalModel ModelStore::read(const std::string& folder_name) const {
  LocalModel model{.folder = join_path(folder_, folder_name)};
  const std::string path = join_path(model.folder, kRecord);
  try {
    read_json(files_.read_all(path), path, model.record);
    check_record(model.record);
    model.problem = missing_file(files_, model);
  } catch (const Error& error) {
    model.record = {.name = folder_name};
    model.problem = error.message();
  }
  return model;
}

std::vector<LocalModel> ModelStore::list() const {
  std::vector<LocalModel> models;
  if (!files_.exists(folder_)) return models;
  for (const std::string& name : files_.list(folder_)) {
    const bool model = !name.starts_with('.') && files_.is_directory(join_path(folder_, name));
    if (model) models.push_back(read(name));
  }
  std::sort(models.begin(), models.end(),
            [](const LocalModel& a, const LocalModel& b) { return a.record.name < b.record.name; });
  return models;
}

LocalModel ModelStore::find(const std::string& name) const {
  const std::vector<LocalModel> models = list();
  std::vector<LocalModel> found = matching(models, name, false);
  if (found.empty()) found = matching(models, name, true);
  if (found.size() == 1) return found.front();
  if (found.size() > 1)
    fail(ErrorCode::kInvalidArgument, "'{}' can be {}; give the whole name", printable(name),
         quoted_names(found));
  std::vector<std::string> known;
  for (const LocalModel& model : models) {
    const std::vector<std::string> names = names_of(model);
    known.insert(known.end(), names.begin(), names.end());
  }
  constexpr std::size_t kShown = 20;
  const std::vector<LocalModel> first(models.begin(),
                                      models.begin() + std::min(models.size(), kShown));
  fail(ErrorCode::kNotFound, "'{}': no such file or folder, and no pulled model of this name{}; {}",
       printable(name), did_you_mean(name, known),
       models.empty() ? "none is pulled yet: 'lathe pull NAME' brings one"
                      : fmt::format("there {} {}{}; 'lathe pull NAME' brings another",
                                    first.size() == 1 ? "is" : "are", quoted_names(first),
                                    models.size() > kShown ? " and more ('lathe models')" : ""));
}

LocalModel ModelStore::at(const ModelName& name) const {
  const std::string folder_name = name.folder();
  return files_.exists(join_path(folder_, folder_name)) ? read(folder_name) : LocalModel{};
}

std::string ModelStore::staging(const std::string& folder_name) const {
  return join_path(join_path(folder_, kIncoming), folder_name);
}

std::unique_ptr<FileLock> ModelStore::lock(const std::string& folder_name) {
  files_.make_directories(join_path(folder_, kIncoming));
  return files_.lock(staging(folder_name) + ".lock");
}

std::string ModelStore::incoming(const ModelName& name) {
  const std::string path = staging(name.folder());
  files_.make_directories(path);
  return path;
}

void ModelStore::remove(const LocalModel& model) {
  const std::string folder_name = file_name(model.folder);
  const auto held = lock(folder_name);
  const std::string aside = staging(folder_name) + ".removed";
  files_.remove_all(aside);
  files_.rename(model.folder, aside);
  files_.sync_directory(folder_);
  files_.remove_all(aside);
  files_.remove_all(staging(folder_name));
}

void ModelStore::recover(const ModelName& name) {
  const std::string aside = staging(name.folder()) + ".old";
  if (!files_.exists(aside)) return;
  const std::string place = join_path(folder_, name.folder());
  if (files_.exists(place)) return files_.remove_all(aside);
  files_.rename(aside, place);
  files_.sync_directory(folder_);
}

LocalModel ModelStore::install(const ModelName& name, const ModelRecord& record) {
  const std::string from = incoming(name), place = join_path(folder_, name.folder());
  const std::string aside = from + ".old";
  write_file_atomically(files_, join_path(from, kRecord), write_json(record, 2) + "\n");
  // A folder cannot replace a full one in one step: recover() mends what a crash in between leaves.
  if (files_.exists(place)) files_.rename(place, aside);
  try {
    files_.rename(from, place);
  } catch (const Error&) {
    if (files_.exists(aside)) files_.rename(aside, place);
    throw;
  }
  files_.sync_directory(folder_);
  files_.remove_all(aside);
  return read(name.folder());
}

std::string resolve_model(const std::string& name, FileSystem& files) {
  if (files.exists(name)) return name;
  // Something like ./model.gguf or /models/x can only be a path that is not there.
  if (name.starts_with('/') || name.starts_with("./") || name.starts_with("../"))
    fail(ErrorCode::kNotFound, "'{}': no such file or folder", name);
  const LocalModel model = ModelStore(files, default_models_folder()).find(name);
  if (!model.problem.empty())
    fail(ErrorCode::kCorrupt, "{}: {}; bring it again with 'lathe pull {}'", model.record.name,
         model.problem, model.record.name);
  return model.path();
}

}  // namespace lathe::store
