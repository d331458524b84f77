#include "lathe/app/store/hub_answers.h"

#include <algorithm>

#include "lathe/app/store/model_name.h"
#include "lathe/base/error.h"
#include "lathe/base/json.h"

namespace lathe::store {
namespace {

using Kind = Tree::Kind;

constexpr std::size_t kSha1Digits = 40, kSha256Digits = 64;

Tree parse(std::string_view json, const std::string& source, Kind expected) {
  Tree tree;
  try {
    tree = parse_json(json, source);
  } catch (const Error& error) {  // it is not the user's text that is wrong
    throw Error(ErrorCode::kCorrupt, error.message());
  }
  if (tree.kind != expected)
    fail(ErrorCode::kCorrupt, "{}: expected {}, found {}; is this address a hub?", source,
         expected == Kind::array ? "an array" : "an object", describe(tree));
  return tree;
}

std::string text_of(const Tree& table, std::string_view key) {
  const Tree* value = table.kind == Kind::table ? table.find(key) : nullptr;
  return value != nullptr && value->kind == Kind::string ? value->text : "";
}

std::string hex_of(const Tree& table, std::string_view key, std::size_t digits) {
  const std::string text = text_of(table, key);
  return is_hex(text, digits) ? text : "";
}

/// `false`, or how access is granted ("auto", "manual").
bool is_gated(const Tree& info) {
  const Tree* gated = info.find("gated");
  if (gated == nullptr) return false;
  return gated->kind == Kind::string || (gated->kind == Kind::boolean && gated->boolean);
}

std::string licence_of(const Tree& info) {
  if (const Tree* card = info.find("cardData"))
    if (const std::string text = text_of(*card, "license"); !text.empty()) return printable(text);
  const Tree* tags = info.find("tags");
  if (tags == nullptr) return "";
  constexpr std::string_view kPrefix = "license:";
  for (const Tree& tag : tags->items)
    if (tag.kind == Kind::string && tag.text.starts_with(kPrefix))
      return printable(std::string_view(tag.text).substr(kPrefix.size()));
  return "";
}

bool is_allowed(const std::string& path) {
  try {
    check_file_path(path);
    return true;
  } catch (const Error&) {
    return false;
  }
}

std::int64_t size_of(const Tree& table) {
  const Tree* size = table.find("size");
  return size != nullptr && size->kind == Kind::integer && size->integer >= 0 ? size->integer : -1;
}

HubFile file_of(const Tree& entry, std::string path) {
  HubFile file{.path = std::move(path), .size = size_of(entry)};
  const Tree* lfs = entry.find("lfs");
  if (lfs != nullptr && lfs->kind == Kind::table) {
    file.sha256 = hex_of(*lfs, "oid", kSha256Digits);
    if (file.sha256.empty()) file.sha256 = hex_of(*lfs, "sha256", kSha256Digits);
    if (const std::int64_t size = size_of(*lfs); size >= 0) file.size = size;
  } else {
    file.git_oid = hex_of(entry, "oid", kSha1Digits);
  }
  return file;
}

}  // namespace

bool is_hex(std::string_view text, std::size_t digits) {
  return text.size() == digits && std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

std::string bare_etag(std::string_view etag) {
  if (etag.starts_with("W/")) etag.remove_prefix(2);
  if (etag.size() >= 2 && etag.front() == '"' && etag.back() == '"')
    etag = etag.substr(1, etag.size() - 2);
  return std::string(etag);
}

HubModel parse_model_info(std::string_view json, const std::string& source) {
  const Tree info = parse(json, source, Kind::table);
  HubModel model;
  model.commit = hex_of(info, "sha", kSha1Digits);
  if (model.commit.empty())
    fail(ErrorCode::kCorrupt, "{}: expected \"sha\" with the 40 digits of a commit", source);
  model.licence = licence_of(info);
  model.gated = is_gated(info);
  const Tree* siblings = info.find("siblings");
  if (siblings == nullptr) return model;
  for (const Tree& sibling : siblings->items) {
    std::string path = text_of(sibling, "rfilename");
    (is_allowed(path) ? model.files : model.refused).push_back(std::move(path));
  }
  return model;
}

std::vector<HubFile> parse_tree_page(std::string_view json, const std::string& source) {
  std::vector<HubFile> files;
  for (const Tree& entry : parse(json, source, Kind::array).items) {
    if (entry.kind != Kind::table)
      fail(ErrorCode::kCorrupt, "{}: expected objects, found {}", source, describe(entry));
    std::string path = text_of(entry, "path");
    if (text_of(entry, "type") != "file" || !is_allowed(path)) continue;
    files.push_back(file_of(entry, std::move(path)));
  }
  return files;
}

std::string next_page(std::string_view link_header) {
  // <address>; rel="next", <address>; rel="last"
  for (std::size_t open = link_header.find('<'); open != link_header.npos;
       open = link_header.find('<', open + 1)) {
    const std::size_t close = link_header.find('>', open);
    if (close == link_header.npos) return "";
    const std::size_t end = std::min(link_header.find('<', close), link_header.size());
    const std::string_view parameters = link_header.substr(close + 1, end - close - 1);
    const bool next = parameters.find("rel=\"next\"") != parameters.npos ||
                      parameters.find("rel=next") != parameters.npos;
    if (next) return std::string(link_header.substr(open + 1, close - open - 1));
    open = close;
  }
  return "";
}

std::vector<std::string> parse_shard_index(std::string_view json, const std::string& source) {
  const Tree index = parse(json, source, Kind::table);
  const Tree* map = index.find("weight_map");
  if (map == nullptr || map->kind != Kind::table || map->items.empty())
    fail(ErrorCode::kCorrupt, "{}: expected \"weight_map\" to name the shards", source);
  std::vector<std::string> names;
  for (const Tree& name : map->items) {
    if (name.kind != Kind::string)
      fail(ErrorCode::kCorrupt, "{}: weight_map: expected file names, found {}", source,
           describe(name));
    names.push_back(name.text);
  }
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  for (const std::string& name : names) check_file_path(name);
  return names;
}

}  // namespace lathe::store
