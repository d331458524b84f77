// What a Hugging Face style hub says, from its JSON and headers to structs; no network here.
// Sources: the hub's API as its documentation describes it (GET /api/models/{repo}/revision/{rev},
// GET /api/models/{repo}/tree/{rev}, RFC 8288 for Link).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace lathe::store {

/// A file of a repository at one commit.
struct HubFile {
  std::string path;        // checked by check_file_path
  std::int64_t size = -1;  // bytes, -1: not told
  std::string sha256;      // of the contents, where the hub keeps it as a large file; or ""
  std::string git_oid;     // SHA-1 of the git blob, where it does not; or ""

  bool operator==(const HubFile&) const = default;
};

struct HubModel {
  std::string commit;   // 40 hexadecimal digits
  std::string licence;  // "apache-2.0", or "" where the model card does not tell
  bool gated = false;
  std::vector<std::string> files;  // names as the hub lists them, those that check_file_path allows
  std::vector<std::string> refused;  // the others
};

/// The answer of /api/models/{repo}[/revision/{rev}]. Throws kCorrupt for what is no such answer.
HubModel parse_model_info(std::string_view json, const std::string& source);

/// One page of /api/models/{repo}/tree/{rev}?recursive=true: its files, folders left out, names
/// that check_file_path refuses too. Throws kCorrupt.
std::vector<HubFile> parse_tree_page(std::string_view json, const std::string& source);

/// The address of the next page in a Link header, or "".
std::string next_page(std::string_view link_header);

/// The names of the shards that a *.safetensors.index.json tells, sorted, each once, relative to
/// its folder. Throws kCorrupt.
std::vector<std::string> parse_shard_index(std::string_view json, const std::string& source);

/// An ETag without weak mark and quotation marks.
std::string bare_etag(std::string_view etag);

/// Lower-case hexadecimal of this length?
bool is_hex(std::string_view text, std::size_t digits);

}  // namespace lathe::store
