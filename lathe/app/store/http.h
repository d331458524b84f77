// One HTTP(S) request at a time, over libcurl: what the hub needs and no more.
//
// Redirects are followed here and not by libcurl, so that the rules are visible and tested: at most
// ten; never from https to http; and the token goes to the origin (scheme, host and port) that it
// is for and to no other. HTTPS_PROXY, HTTP_PROXY and NO_PROXY are obeyed by libcurl;
// CURL_CA_BUNDLE, SSL_CERT_FILE or REQUESTS_CA_BUNDLE name other certificates.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lathe/base/stop.h"

namespace lathe::store {

/// Status and headers of one answer.
struct HttpHead {
  int status = 0;
  std::string url;                                           // that was asked for it
  std::vector<std::pair<std::string, std::string>> headers;  // names in lower case

  /// The value of a header, or "". `name` in lower case.
  std::string header(std::string_view name) const;
};

struct HttpRequest {
  std::string url;
  std::string token;       // sent as "Authorization: Bearer" to the origin of `url` alone
  bool only_head = false;  // HEAD instead of GET; redirects to another origin are not followed
  std::int64_t from = 0;   // first byte wanted (Range), 0: all
};

/// Takes an answer in.
struct HttpSink {
  /// Called before the first byte of the last answer, with the heads of all answers on the way (the
  /// last one last). False: the body is not wanted, and the request ends.
  std::function<bool(const std::vector<HttpHead>&)> begin = [](const auto&) { return true; };
  /// Each piece of the last answer's body. What it throws ends the request and is thrown on.
  std::function<void(std::string_view)> write = [](std::string_view) {};
};

struct HttpAnswer {
  std::vector<HttpHead> heads;  // of every answer on the way; empty where there was none at all
  std::string failure;          // why the answer is missing or cut short; empty: it is whole
  bool refused = false;         // HttpSink::begin said no

  int status() const { return heads.empty() ? 0 : heads.back().status; }
};

struct HttpOptions {
  double connect_seconds = 30;
  double stall_seconds = 60;  // without a byte until the connection counts as dead
  int largest_header_bytes = 256 * 1024;
  StopToken stop;
};

/// Keeps its connections between requests. One thread.
class HttpClient {
 public:
  explicit HttpClient(HttpOptions options = {});
  ~HttpClient();

  /// Throws kCancelled when asked to stop, kInvalidArgument for an address that is none, kCorrupt
  /// for a redirect that breaks the rules, and what the sink throws. Failures of the network come
  /// back as HttpAnswer::failure.
  HttpAnswer send(const HttpRequest& request, const HttpSink& sink = {});

  const HttpOptions& options() const { return options_; }

 private:
  struct Handle;
  HttpOptions options_;
  std::unique_ptr<Handle> handle_;
};

/// "https://host:443" of an address; throws kInvalidArgument for what is no http or https address.
std::string origin_of(const std::string& url);

/// An address that may be relative to another one, as a redirect gives it.
std::string resolve_url(const std::string& base, const std::string& reference);

/// Everything but letters, digits and "-._~" (and '/' where kept) as %XX.
std::string percent_encode(std::string_view text, bool keep_slashes);

}  // namespace lathe::store
