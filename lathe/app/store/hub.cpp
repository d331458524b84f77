#include "lathe/app/store/hub.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>

#include "lathe/base/error.h"
#include "lathe/base/files.h"
#include "lathe/base/log.h"

namespace lathe::store {
namespace {

constexpr const char* kPublicHub = "https://huggingface.co";
constexpr std::size_t kLargestText = 64 << 20;  // of JSON; a tree page is some 200 kB
constexpr int kMostPages = 1000;

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

bool is_on(const char* name) {
  const std::string value = environment(name);
  return !value.empty() && value != "0" && value != "false" && value != "False" && value != "no" &&
         value != "NO" && value != "FALSE" && value != "off" && value != "OFF";
}

std::string token_file() {
  if (const std::string path = environment("HF_TOKEN_PATH"); !path.empty()) return path;
  if (const std::string home = environment("HF_HOME"); !home.empty())
    return join_path(home, "token");
  if (const std::string cache = environment("XDG_CACHE_HOME"); !cache.empty())
    return join_path(cache, "huggingface/token");
  const std::string home = environment("HOME");
  return home.empty() ? "" : join_path(home, ".cache/huggingface/token");
}

/// White space around is what editors leave; inside it would end the header.
std::string checked_token(std::string text, const std::string& source) {
  const auto is_space = [](char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; };
  while (!text.empty() && is_space(text.back())) text.pop_back();
  while (!text.empty() && is_space(text.front())) text.erase(0, 1);
  for (const char c : text)
    if (c <= 0x20 || c > 0x7e)
      fail(ErrorCode::kInvalidArgument,
           "{}: expected a token of the hub (letters, digits and '_'), found spaces or other "
           "characters in it",
           source);
  return text;
}

void find_token(const FileSystem& files, HubAccess& access) {
  for (const char* name : {"HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"}) {
    access.token = checked_token(environment(name), name);
    access.token_source = name;
    if (!access.token.empty()) return;
  }
  access.token_source.clear();
  const std::string path = token_file();
  if (path.empty() || is_on("HF_HUB_DISABLE_IMPLICIT_TOKEN") || !files.exists(path)) return;
  access.token = checked_token(files.read_all(path), path);
  if (!access.token.empty()) access.token_source = path;
}

/// The answers of the hub itself: those before a redirect to somewhere else.
std::vector<const HttpHead*> own_heads(const std::vector<HttpHead>& heads) {
  std::vector<const HttpHead*> own;
  for (const HttpHead& head : heads)
    if (origin_of(head.url) == origin_of(heads.front().url)) own.push_back(&head);
  return own;
}

std::int64_t number_in(const std::string& text) {
  std::int64_t value = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() && value >= 0 ? value : -1;
}

std::string api(const HubAccess& access, const ModelName& name) {
  return access.endpoint + "/api/models/" + name.repository;
}

}  // namespace

HubAccess hub_access_from_environment(const FileSystem& files) {
  HubAccess access;
  access.endpoint = environment("HF_ENDPOINT");
  if (access.endpoint.empty()) access.endpoint = kPublicHub;
  while (access.endpoint.ends_with('/')) access.endpoint.pop_back();
  try {
    origin_of(access.endpoint);
  } catch (Error& error) {
    error.within("HF_ENDPOINT");
    throw;
  }
  find_token(files, access);
  access.offline = is_on("HF_HUB_OFFLINE");
  return access;
}

HubFile file_from_heads(const std::vector<HttpHead>& heads, const std::string& path) {
  HubFile file{.path = path};
  std::string etag;
  for (const HttpHead* head : own_heads(heads)) {
    if (etag.empty()) etag = bare_etag(head->header("x-linked-etag"));
    if (file.size < 0) file.size = number_in(head->header("x-linked-size"));
  }
  for (const HttpHead* head : own_heads(heads)) {
    const bool success = head->status == 200 || head->status == 206;
    if (success && etag.empty()) etag = bare_etag(head->header("etag"));
    if (head->status == 200 && file.size < 0) file.size = number_in(head->header("content-length"));
  }
  if (is_hex(etag, 64)) file.sha256 = etag;
  if (is_hex(etag, 40)) file.git_oid = etag;
  return file;
}

Hub::Text Hub::fetch_text(const std::string& url, const std::string& what) {
  Retry retry(rules_, http_.options().stop);
  for (;;) {
    Text text;
    HttpSink sink;
    sink.write = [&](std::string_view bytes) {
      if (text.body.size() + bytes.size() > kLargestText)
        fail(ErrorCode::kCorrupt, "{}: the answer does not end", url);
      text.body += bytes;
    };
    text.answer = http_.send({.url = url, .token = access_.token}, sink);
    if (!Retry::may_help(text.answer) || !retry.wait(what, text.answer)) return text;
  }
}

RepositoryListing Hub::list(const ModelName& name) {
  if (access_.offline)
    fail(ErrorCode::kIo, "{}: not asked for, as HF_HUB_OFFLINE is set", name.text());
  std::string url = api(access_, name);
  if (!name.revision.empty()) url += "/revision/" + percent_encode(name.revision, false);
  const Text text = fetch_text(url, name.text());
  if (text.answer.status() != 200 || !text.answer.failure.empty()) fail_for(name, "", text.answer);
  RepositoryListing listing{.model = parse_model_info(text.body, url)};
  if (!listing.model.refused.empty())
    log::warning("{}: {} file names of the repository are left out, such as '{}'", name.text(),
                 listing.model.refused.size(), printable(listing.model.refused.front()));
  listing.files = list_tree(name, listing.model);
  std::sort(listing.files.begin(), listing.files.end(),
            [](const HubFile& a, const HubFile& b) { return a.path < b.path; });
  const auto same = [](const HubFile& a, const HubFile& b) { return a.path == b.path; };
  listing.files.erase(std::unique(listing.files.begin(), listing.files.end(), same),
                      listing.files.end());
  return listing;
}

std::vector<HubFile> Hub::list_tree(const ModelName& name, const HubModel& model) {
  std::vector<HubFile> files;
  std::string url = api(access_, name) + "/tree/" + model.commit + "?recursive=true";
  const std::string home = origin_of(url);
  for (int page = 0; !url.empty(); ++page) {
    if (page == kMostPages) fail(ErrorCode::kCorrupt, "{}: the list of files does not end", url);
    const Text text = fetch_text(url, name.text());
    if (text.answer.status() == 404 && page == 0 && !model.files.empty()) {
      for (const std::string& path : model.files) files.push_back({.path = path});
      return files;
    }
    if (text.answer.status() != 200 || !text.answer.failure.empty())
      fail_for(name, "list of files", text.answer);
    for (HubFile& file : parse_tree_page(text.body, url)) files.push_back(std::move(file));
    const std::string next = next_page(text.answer.heads.back().header("link"));
    url = next.empty() ? "" : resolve_url(url, next);
    if (!url.empty() && origin_of(url) != home)
      fail(ErrorCode::kCorrupt, "{}: the list of files goes on at another host, {}; not followed",
           name.text(), printable(url));
  }
  return files;
}

HubFile Hub::look_up(const ModelName& name, const std::string& commit, const std::string& path) {
  const std::string url = file_url(name, commit, path);
  Retry retry(rules_, http_.options().stop);
  for (;;) {
    const HttpAnswer answer = http_.send({.url = url, .token = access_.token, .only_head = true});
    if (Retry::may_help(answer) && retry.wait(path, answer)) continue;
    const bool found = answer.status() >= 200 && answer.status() < 400;
    if (!found || !answer.failure.empty()) fail_for(name, path, answer);
    return file_from_heads(answer.heads, path);
  }
}

std::string Hub::file_url(const ModelName& name, const std::string& commit,
                          const std::string& path) const {
  return fmt::format("{}/{}/resolve/{}/{}", access_.endpoint, name.repository,
                     percent_encode(commit, false), percent_encode(path, true));
}

void Hub::fail_for(const ModelName& name, const std::string& what, const HttpAnswer& answer) const {
  const std::string subject =
      fmt::format("{}{}: {}", name.text(), what.empty() ? "" : ": " + what, reason_of(answer));
  if (!answer.failure.empty())
    fail(ErrorCode::kIo,
         "{}; {} was asked: check the network and HTTPS_PROXY, then run the same command again",
         subject, access_.endpoint);
  const std::string code = answer.heads.empty() ? "" : answer.heads.back().header("x-error-code");
  const bool elsewhere = answer.heads.size() > 1 &&
                         origin_of(answer.heads.back().url) != origin_of(answer.heads.front().url);
  const int status = elsewhere ? 0 : answer.status();
  const bool has_token = !access_.token.empty();
  if (code == "GatedRepo" || (status == 403 && code.empty()))
    fail(ErrorCode::kInvalidArgument,
         "{}: its owner grants access; accept the conditions at {} with your account, then {}",
         subject, page(name),
         has_token ? "try again (the token is that of " + access_.token_source + ")"
                   : "put your token into HF_TOKEN");
  if (code == "RevisionNotFound")
    fail(ErrorCode::kNotFound, "{}: the repository has no such revision", subject);
  if (code == "EntryNotFound") fail(ErrorCode::kNotFound, "{}: no such file", subject);
  if (status == 401 && has_token && code != "RepoNotFound")
    fail(ErrorCode::kInvalidArgument, "{}: {} does not accept the token of {}", subject,
         access_.endpoint, access_.token_source);
  if (status == 401 || status == 404)
    fail(ErrorCode::kNotFound, "{}: {} has no such repository{}, or it is private{}", subject,
         access_.endpoint, name.revision.empty() ? "" : " or revision",
         has_token ? "" : "; for a private one put your token into HF_TOKEN");
  fail(ErrorCode::kIo, "{}: {} cannot serve it now; run the same command again later", subject,
       access_.endpoint);
}

}  // namespace lathe::store
