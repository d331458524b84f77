// A Hugging Face style hub: where it is, who asks, and what a repository holds.
#pragma once

#include <string>
#include <vector>

#include "lathe/app/store/http.h"
#include "lathe/app/store/hub_answers.h"
#include "lathe/app/store/model_name.h"
#include "lathe/app/store/retry.h"

namespace lathe {
class FileSystem;
}

namespace lathe::store {

struct HubAccess {
  std::string endpoint;      // "https://huggingface.co", without a '/' at its end
  std::string token;         // "" for none
  std::string token_source;  // "HF_TOKEN" or the path of the file, for messages
  bool offline = false;      // HF_HUB_OFFLINE
};

/// From the environment: HF_ENDPOINT; HF_TOKEN (or HUGGING_FACE_HUB_TOKEN), else the file
/// HF_TOKEN_PATH, else "token" in HF_HOME, $XDG_CACHE_HOME/huggingface or ~/.cache/huggingface,
/// unless HF_HUB_DISABLE_IMPLICIT_TOKEN forbids files; HF_HUB_OFFLINE. Throws kInvalidArgument for
/// an endpoint that is no address and a token that is no token.
HubAccess hub_access_from_environment(const FileSystem& files);

struct RepositoryListing {
  HubModel model;
  std::vector<HubFile> files;  // sorted by path, each once; at model.commit
};

class Hub {
 public:
  Hub(HubAccess access, HttpClient& http, RetryRules rules)
      : access_(std::move(access)), http_(http), rules_(rules) {}

  /// Model information, then all pages of the tree of its commit. A hub without trees is taken as
  /// it is: names without sizes and hashes. Throws kNotFound for no such repository or revision,
  /// kInvalidArgument where access is missing, kIo where the network fails, kCorrupt.
  RepositoryListing list(const ModelName& name);

  /// Size and identity of one file from the headers of its address, for what list() could not tell.
  HubFile look_up(const ModelName& name, const std::string& commit, const std::string& path);

  /// Where a file is read from.
  std::string file_url(const ModelName& name, const std::string& commit,
                       const std::string& path) const;

  /// Where a person reads about this repository.
  std::string page(const ModelName& name) const { return access_.endpoint + "/" + name.repository; }

  /// Turns an answer that is no success into an Error with what to do.
  [[noreturn]] void fail_for(const ModelName& name, const std::string& what,
                             const HttpAnswer& answer) const;

  const HubAccess& access() const { return access_; }
  HttpClient& http() { return http_; }
  const RetryRules& rules() const { return rules_; }

 private:
  struct Text {
    HttpAnswer answer;
    std::string body;
  };
  Text fetch_text(const std::string& url, const std::string& what);
  std::vector<HubFile> list_tree(const ModelName& name, const HubModel& model);

  HubAccess access_;
  HttpClient& http_;
  RetryRules rules_;
};

/// What the headers of a file's address tell: X-Linked-Etag before ETag, X-Linked-Size before
/// Content-Length, of the first answer of the hub itself that has them.
HubFile file_from_heads(const std::vector<HttpHead>& heads, const std::string& path);

}  // namespace lathe::store
