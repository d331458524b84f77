#include "lathe/base/memory_files.h"

#include <cerrno>
#include <filesystem>

namespace lathe {
namespace {

/// One spelling a file: "./a//b/" and "a/b" are the same.
std::string normal(const std::string& path) {
  std::string text = std::filesystem::path(path).lexically_normal().string();
  while (text.size() > 1 && text.ends_with('/')) text.pop_back();
  return text.empty() ? "." : text;
}

bool is_root(const std::string& path) { return path == "." || path == "/"; }

bool is_inside(const std::string& path, const std::string& folder) {
  if (folder == ".") return !path.starts_with('/');
  if (folder == "/") return path.starts_with('/');
  return path.size() > folder.size() && path.starts_with(folder) && path[folder.size()] == '/';
}

std::string quoted(std::string_view verb, const std::string& path) {
  return fmt::format("{} '{}'", verb, path);
}

}  // namespace

class MemoryFiles::Writer final : public FileWriter {
 public:
  Writer(MemoryFiles& files, std::shared_ptr<Node> node) : files_(files), node_(std::move(node)) {}

  void write(std::string_view bytes) override {
    const std::lock_guard<std::mutex> lock(files_.mutex_);
    node_->bytes += bytes;
  }
  void sync() override {
    const std::lock_guard<std::mutex> lock(files_.mutex_);
    node_->durable_bytes = node_->bytes;
  }
  void close() override {}

 private:
  MemoryFiles& files_;
  std::shared_ptr<Node> node_;
};

class MemoryFiles::Lock final : public FileLock {
 public:
  Lock(std::shared_ptr<std::set<std::string>> held, std::string path)
      : held_(std::move(held)), path_(std::move(path)) {}
  ~Lock() override { held_->erase(path_); }

 private:
  std::shared_ptr<std::set<std::string>> held_;
  std::string path_;
};

std::shared_ptr<MemoryFiles::Node> MemoryFiles::find(const std::string& path,
                                                     std::string_view verb) const {
  if (is_root(normal(path))) {
    auto root = std::make_shared<Node>();
    root->folder = true;
    return root;
  }
  const auto entry = names_.find(normal(path));
  if (entry == names_.end()) fail_with_errno(ENOENT, quoted(verb, path));
  return entry->second;
}

std::shared_ptr<MemoryFiles::Node> MemoryFiles::file(const std::string& path,
                                                     std::string_view verb) const {
  auto node = find(path, verb);
  if (node->folder) fail_with_errno(EISDIR, quoted(verb, path));
  return node;
}

std::string MemoryFiles::read_all(const std::string& path) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return file(path, "read")->bytes;
}

MappedFile MemoryFiles::map(const std::string& path, EmptyFile empty) const {
  const auto bytes = std::make_shared<const std::string>(read_all(path));
  if (bytes->empty() && empty == EmptyFile::refused)
    fail(ErrorCode::kCorrupt, "read '{}': the file is empty", path);
  return {bytes->data(), bytes->size(), bytes};
}

bool MemoryFiles::exists(const std::string& path) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return is_root(normal(path)) || names_.contains(normal(path));
}

bool MemoryFiles::is_directory(const std::string& path) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (is_root(normal(path))) return true;
  const auto entry = names_.find(normal(path));
  return entry != names_.end() && entry->second->folder;
}

std::uint64_t MemoryFiles::size(const std::string& path) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return find(path, "read")->bytes.size();
}

std::vector<std::string> MemoryFiles::list(const std::string& path) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (!find(path, "list")->folder) fail_with_errno(ENOTDIR, quoted("list", path));
  std::vector<std::string> found;
  for (const auto& [name, node] : names_)
    if (parent_path(name) == normal(path)) found.push_back(file_name(name));
  return found;
}

std::unique_ptr<FileWriter> MemoryFiles::open_for_write(const std::string& path, WriteMode mode) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (!find(parent_path(path), "create")->folder) fail_with_errno(ENOTDIR, quoted("create", path));
  auto& node = names_[normal(path)];
  if (node == nullptr) node = std::make_shared<Node>();
  if (node->folder) fail_with_errno(EISDIR, quoted("create", path));
  if (mode == WriteMode::truncate) node->bytes.clear();
  return std::make_unique<Writer>(*this, node);
}

void MemoryFiles::rename(const std::string& from, const std::string& to) {
  const std::lock_guard<std::mutex> lock(mutex_);
  const std::string what = fmt::format("rename '{}' to '{}'", from, to);
  const std::string source = normal(from), target = normal(to);
  const auto node = find(from, "rename");
  find(parent_path(to), "rename");
  const auto old = names_.find(target);
  if (old != names_.end() && old->second->folder) {
    if (!node->folder) fail_with_errno(EISDIR, what);
    for (const auto& [name, inside] : names_)
      if (is_inside(name, target)) fail_with_errno(ENOTEMPTY, what);
  }
  if (is_inside(target, source)) fail_with_errno(EINVAL, what);
  Names moved;
  for (auto entry = names_.begin(); entry != names_.end();) {
    const bool goes = entry->first == source || is_inside(entry->first, source);
    if (goes) moved[target + entry->first.substr(source.size())] = entry->second;
    entry = goes ? names_.erase(entry) : std::next(entry);
  }
  for (auto& [name, inside] : moved) names_[name] = inside;
}

void MemoryFiles::sync_directory(const std::string& path) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (!find(path, "sync")->folder) fail_with_errno(ENOTDIR, quoted("sync", path));
  const std::string folder = normal(path);
  // Names in this folder become as they are now; what lies deeper goes along with a folder that
  // appeared, moved or went, and is otherwise left to its own folder's sync.
  Names next;
  for (const auto& [name, node] : durable_names_)
    if (!is_inside(name, folder)) next[name] = node;
  for (const auto& [name, node] : names_) {
    if (parent_path(name) != folder) continue;
    next[name] = node;
    std::string before;
    for (const auto& [old_name, old_node] : durable_names_)
      if (old_node == node) before = old_name;
    for (const auto& [old_name, old_node] : durable_names_)
      if (!before.empty() && node->folder && is_inside(old_name, before))
        next[name + old_name.substr(before.size())] = old_node;
  }
  durable_names_ = std::move(next);
}

void MemoryFiles::remove_all(const std::string& path) {
  const std::lock_guard<std::mutex> lock(mutex_);
  const std::string folder = normal(path);
  std::erase_if(names_, [&](const auto& entry) {
    return entry.first == folder || is_inside(entry.first, folder);
  });
}

void MemoryFiles::make_directories(const std::string& path) {
  const std::lock_guard<std::mutex> lock(mutex_);
  std::vector<std::string> missing;
  for (std::string at = normal(path); !is_root(at); at = parent_path(at)) missing.push_back(at);
  for (auto folder = missing.rbegin(); folder != missing.rend(); ++folder) {
    auto& node = names_[*folder];
    if (node != nullptr && !node->folder) fail_with_errno(EEXIST, quoted("create folder", path));
    if (node != nullptr) continue;
    node = std::make_shared<Node>();
    node->folder = true;
  }
}

std::unique_ptr<FileLock> MemoryFiles::lock(const std::string& path) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (!locks_->insert(normal(path)).second)
    fail(ErrorCode::kIo,
         "lock '{}': in use by another process; wait for it to end or stop it first", path);
  return std::make_unique<Lock>(locks_, normal(path));
}

void MemoryFiles::crash(AfterCrash what) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (what == AfterCrash::only_synced) names_ = durable_names_;
  // A name whose folder did not survive cannot be reached. Parents sort before what they hold.
  for (auto entry = names_.begin(); entry != names_.end();) {
    const std::string folder = parent_path(entry->first);
    const bool reachable = is_root(folder) || names_.contains(folder);
    entry = reachable ? std::next(entry) : names_.erase(entry);
  }
  for (auto& [name, node] : names_) node->bytes = node->durable_bytes;
  durable_names_ = names_;
  locks_ = std::make_shared<std::set<std::string>>();
}

}  // namespace lathe
