#include "lathe/app/store/http.h"

#include <curl/curl.h>

#include <cstdlib>
#include <exception>
#include <mutex>

#include "lathe/app/store/model_name.h"
#include "lathe/base/error.h"

namespace lathe::store {
namespace {

constexpr int kMostRedirects = 10;
constexpr long kBufferBytes = 256 * 1024;

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  return out;
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.back() == '\r' || text.back() == '\n' || text.back() == ' '))
    text.remove_suffix(1);
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  return text;
}

struct UrlDeleter {
  void operator()(CURLU* url) const { ::curl_url_cleanup(url); }
};
using Url = std::unique_ptr<CURLU, UrlDeleter>;

Url parse_url(const std::string& text) {
  Url url(::curl_url());
  if (url == nullptr) throw std::bad_alloc();
  if (::curl_url_set(url.get(), CURLUPART_URL, text.c_str(), CURLU_NON_SUPPORT_SCHEME) != CURLUE_OK)
    fail(ErrorCode::kInvalidArgument,
         "address '{}': expected http:// or https://, a host and a path", printable(text));
  return url;
}

std::string part(const Url& url, CURLUPart which, unsigned flags = 0) {
  char* text = nullptr;
  if (::curl_url_get(url.get(), which, &text, flags) != CURLUE_OK) return "";
  std::string out(text);
  ::curl_free(text);
  return out;
}

bool is_redirect(int status) {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

const char* certificates() {
  for (const char* name : {"CURL_CA_BUNDLE", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"})
    if (const char* path = std::getenv(name); path != nullptr && *path != '\0') return path;
  return nullptr;
}

/// What the callbacks of one exchange share.
struct Exchange {
  const HttpSink* sink = nullptr;
  const HttpOptions* options = nullptr;
  std::vector<HttpHead>* heads = nullptr;  // the last one is being received
  std::size_t header_bytes = 0;
  bool begun = false, refused = false, stopped = false, too_long = false;
  std::exception_ptr thrown;

  bool follows() const {
    const HttpHead& head = heads->back();
    return is_redirect(head.status) && !head.header("location").empty();
  }

  /// False where the sink does not want the body.
  bool begin() {
    if (begun) return true;
    begun = true;
    refused = !sink->begin(*heads);
    return !refused;
  }
};

/// libcurl calls this for each line, of interim and proxy answers too: a status line starts afresh.
std::size_t on_header(char* data, std::size_t size, std::size_t count, void* user) {
  auto& exchange = *static_cast<Exchange*>(user);
  const std::string_view line(data, size * count);
  exchange.header_bytes += line.size();
  if (exchange.header_bytes > static_cast<std::size_t>(exchange.options->largest_header_bytes)) {
    exchange.too_long = true;
    return 0;
  }
  HttpHead& head = exchange.heads->back();
  if (line.starts_with("HTTP/")) {
    const std::size_t space = line.find(' ');
    head.status = space == line.npos ? 0 : std::atoi(std::string(line.substr(space)).c_str());
    head.headers.clear();
  } else if (const std::size_t colon = line.find(':'); colon != line.npos) {
    head.headers.emplace_back(lower(trimmed(line.substr(0, colon))),
                              std::string(trimmed(line.substr(colon + 1))));
  }
  return size * count;
}

std::size_t on_body(char* data, std::size_t size, std::size_t count, void* user) {
  auto& exchange = *static_cast<Exchange*>(user);
  if (exchange.follows()) return size * count;  // the page that goes with a redirect
  try {
    if (!exchange.begin()) return 0;
    exchange.sink->write({data, size * count});
  } catch (...) {  // must not pass through libcurl
    exchange.thrown = std::current_exception();
    return 0;
  }
  return size * count;
}

int on_progress(void* user, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  auto& exchange = *static_cast<Exchange*>(user);
  exchange.stopped = exchange.options->stop.requested();
  return exchange.stopped ? 1 : 0;
}

class HeaderList {
 public:
  ~HeaderList() { ::curl_slist_free_all(list_); }
  void add(const std::string& line) {
    curl_slist* longer = ::curl_slist_append(list_, line.c_str());
    if (longer == nullptr) throw std::bad_alloc();
    list_ = longer;
  }
  const curl_slist* get() const { return list_; }

 private:
  curl_slist* list_ = nullptr;
};

}  // namespace

std::string HttpHead::header(std::string_view name) const {
  for (const auto& [key, value] : headers)
    if (key == name) return value;
  return "";
}

std::string origin_of(const std::string& url) {
  const Url parsed = parse_url(url);
  const std::string scheme = lower(part(parsed, CURLUPART_SCHEME));
  const std::string host = lower(part(parsed, CURLUPART_HOST));
  if ((scheme != "http" && scheme != "https") || host.empty())
    fail(ErrorCode::kInvalidArgument, "address '{}': expected http:// or https://", printable(url));
  return scheme + "://" + host + ":" + part(parsed, CURLUPART_PORT, CURLU_DEFAULT_PORT);
}

std::string resolve_url(const std::string& base, const std::string& reference) {
  const Url url = parse_url(base);
  if (::curl_url_set(url.get(), CURLUPART_URL, reference.c_str(), CURLU_NON_SUPPORT_SCHEME) !=
      CURLUE_OK)
    fail(ErrorCode::kCorrupt, "redirect from {} to '{}': expected an address", printable(base),
         printable(reference));
  ::curl_url_set(url.get(), CURLUPART_FRAGMENT, nullptr, 0);
  return part(url, CURLUPART_URL);
}

std::string percent_encode(std::string_view text, bool keep_slashes) {
  std::string out;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '-' || c == '.' || c == '_' || c == '~' || (c == '/' && keep_slashes);
    out += plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return out;
}

struct HttpClient::Handle {
  CURL* curl;

  Handle() {
    static std::once_flag once;
    std::call_once(once, [] { ::curl_global_init(CURL_GLOBAL_DEFAULT); });
    curl = ::curl_easy_init();
    if (curl == nullptr) fail(ErrorCode::kInternal, "libcurl does not start");
  }
  ~Handle() { ::curl_easy_cleanup(curl); }
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;

  template <typename T>
  void set(CURLoption option, T value) {
    ::curl_easy_setopt(curl, option, value);
  }

  void prepare(const HttpRequest& request, const HttpOptions& options, Exchange& exchange) {
    ::curl_easy_reset(curl);  // connections stay
    set(CURLOPT_URL, request.url.c_str());
    set(CURLOPT_PROTOCOLS_STR, "http,https");
    set(CURLOPT_FOLLOWLOCATION, 0L);
    set(CURLOPT_NOSIGNAL, 1L);
    set(CURLOPT_USERAGENT, "lathe");
    set(CURLOPT_BUFFERSIZE, kBufferBytes);
    set(CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(options.connect_seconds * 1000));
    set(CURLOPT_LOW_SPEED_LIMIT, 1L);
    set(CURLOPT_LOW_SPEED_TIME, static_cast<long>(options.stall_seconds));
    set(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    set(CURLOPT_HEADERFUNCTION, &on_header);
    set(CURLOPT_HEADERDATA, &exchange);
    set(CURLOPT_WRITEFUNCTION, &on_body);
    set(CURLOPT_WRITEDATA, &exchange);
    set(CURLOPT_XFERINFOFUNCTION, &on_progress);
    set(CURLOPT_XFERINFODATA, &exchange);
    set(CURLOPT_NOPROGRESS, 0L);
    if (const char* path = certificates()) set(CURLOPT_CAINFO, path);
    if (request.only_head) set(CURLOPT_NOBODY, 1L);
  }

  /// One exchange, no redirect followed. "" or why it failed.
  std::string perform(const HttpRequest& request, const std::string& token, Exchange& exchange) {
    char reason[CURL_ERROR_SIZE] = {};
    prepare(request, *exchange.options, exchange);
    set(CURLOPT_ERRORBUFFER, reason);
    HeaderList headers;
    headers.add("Accept: */*");
    if (request.from > 0) headers.add(fmt::format("Range: bytes={}-", request.from));
    if (!token.empty()) headers.add("Authorization: Bearer " + token);
    set(CURLOPT_HTTPHEADER, headers.get());
    const CURLcode code = ::curl_easy_perform(curl);
    set(CURLOPT_ERRORBUFFER, nullptr);
    if (code == CURLE_OK) return "";
    return *reason != '\0' ? reason : ::curl_easy_strerror(code);
  }
};

HttpClient::HttpClient(HttpOptions options)
    : options_(options), handle_(std::make_unique<Handle>()) {}
HttpClient::~HttpClient() = default;

HttpAnswer HttpClient::send(const HttpRequest& request, const HttpSink& sink) {
  HttpAnswer answer;
  HttpRequest hop = request;
  const std::string home = origin_of(request.url);
  for (int hops = 0;; ++hops) {
    answer.heads.push_back({.url = hop.url});
    Exchange exchange{.sink = &sink, .options = &options_, .heads = &answer.heads};
    const bool at_home = origin_of(hop.url) == home;
    answer.failure = handle_->perform(hop, at_home ? request.token : "", exchange);
    if (exchange.thrown) std::rethrow_exception(exchange.thrown);
    if (exchange.stopped) fail(ErrorCode::kCancelled, "stopped on request");
    if (exchange.too_long) answer.failure = "the answer's headers do not end";
    if (answer.heads.back().status == 0) answer.heads.pop_back();
    answer.refused = exchange.refused;
    if (exchange.refused) answer.failure.clear();
    if (!answer.failure.empty() || exchange.refused) return answer;
    if (!exchange.follows()) {
      answer.refused = !exchange.begin();  // an answer without a body
      return answer;
    }
    if (hops == kMostRedirects)
      fail(ErrorCode::kCorrupt, "{}: more than {} redirects", request.url, kMostRedirects);
    const std::string next = resolve_url(hop.url, answer.heads.back().header("location"));
    if (origin_of(hop.url).starts_with("https:") && !origin_of(next).starts_with("https:"))
      fail(ErrorCode::kCorrupt, "{}: redirected from https to {}; that is not followed",
           request.url, printable(next));
    if (request.only_head && origin_of(next) != home) return answer;
    hop.url = next;
  }
}

}  // namespace lathe::store
