// The server behind fake_hub.h. One connection at a time on each port, closed after its answer.
#include "lathe/app/store/fake_hub.h"

#include <arpa/inet.h>
#include <fmt/core.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <stdexcept>

#include "lathe/app/store/git_blob.h"
#include "lathe/base/hash.h"

namespace lathe::store {
namespace {

constexpr std::size_t kPiece = 4096;

int listen_somewhere(int& port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* plain = reinterpret_cast<sockaddr*>(&address);
  if (::bind(fd, plain, size) != 0 || ::listen(fd, 16) != 0 || ::getsockname(fd, plain, &size) != 0)
    throw std::runtime_error("the fake hub finds no port");
  port = ntohs(address.sin_port);
  return fd;
}

bool readable(int fd, int milliseconds) {
  pollfd poll{.fd = fd, .events = POLLIN, .revents = 0};
  return ::poll(&poll, 1, milliseconds) > 0;
}

std::string read_request(int fd) {
  std::string text;
  char buffer[2048];
  while (text.find("\r\n\r\n") == text.npos && readable(fd, 2000)) {
    const ssize_t n = ::recv(fd, buffer, sizeof buffer, 0);
    if (n <= 0) break;
    text.append(buffer, static_cast<std::size_t>(n));
  }
  return text;
}

std::string header_of(const std::string& text, const std::string& name) {
  const std::size_t at = text.find("\r\n" + name + ": ");
  if (at == text.npos) return "";
  const std::size_t begin = at + name.size() + 4;
  return text.substr(begin, text.find("\r\n", begin) - begin);
}

bool send_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  return true;
}

std::string entry_of(const std::string& path, const FakeFile& file) {
  const std::string id = git_blob_id(file.bytes);
  std::string text = fmt::format(R"({{"type":"file","path":"{}","size":{},"oid":"{}")", path,
                                 file.bytes.size(), id);
  if (file.large)
    text += fmt::format(R"(,"lfs":{{"oid":"{}","size":{},"pointerSize":130}})", sha256(file.bytes),
                        file.bytes.size());
  return text + "}";
}

}  // namespace

FakeHub::FakeHub() {
  for (int i = 0; i < 2; ++i) sockets_[i] = listen_somewhere(ports_[i]);
  for (int i = 0; i < 2; ++i) threads_[i] = std::thread([this, i] { serve(i); });
}

FakeHub::~FakeHub() {
  ending_ = true;
  for (std::thread& thread : threads_) thread.join();
  for (const int socket : sockets_) ::close(socket);
}

void FakeHub::serve(int port) {
  while (!ending_) {
    if (!readable(sockets_[port], 10)) continue;
    const int socket = ::accept4(sockets_[port], nullptr, nullptr, SOCK_CLOEXEC);
    if (socket < 0) continue;
    answer(socket, port == 1);
    ::close(socket);
  }
}

void FakeHub::answer(int socket, bool content_network) {
  const std::string text = read_request(socket);
  const std::size_t space = text.find(' ');
  const std::size_t end = text.find(' ', space + 1);
  if (space == text.npos || end == text.npos) return;
  FakeRequest request{.content_network = content_network,
                      .method = text.substr(0, space),
                      .path = text.substr(space + 1, end - space - 1),
                      .authorization = header_of(text, "Authorization"),
                      .range = header_of(text, "Range")};
  FakeReply answer;
  {
    const std::lock_guard lock(mutex_);
    log_.push_back(request);
    answer.status = 0;
    if (hook) answer = hook(request);
    if (answer.status == 0) answer = reply(request);
  }
  send_reply(socket, request, answer);
}

FakeReply FakeHub::reply(const FakeRequest& request) {
  if (request.content_network) return contents(request, request.path.substr(1));
  if (!manners.token.empty() && request.authorization != "Bearer " + manners.token)
    return {.status = 401, .headers = {{"X-Error-Code", "RepoNotFound"}}};
  if (manners.gated && request.path.find("/resolve/") != std::string::npos)
    return {.status = 403, .headers = {{"X-Error-Code", "GatedRepo"}}};
  const std::string api = "/api/models/" + repository;
  if (request.path.starts_with(api + "/tree/") && manners.trees) return tree_page(request.path);
  if (request.path == api || request.path == api + "/revision/main") return model_info();
  if (request.path.starts_with(api + "/revision/"))
    return {.status = 404, .headers = {{"X-Error-Code", "RevisionNotFound"}}};
  if (request.path.starts_with("/" + repository + "/resolve/" + commit + "/"))
    return resolve(request);
  return {.status = 404, .headers = {{"X-Error-Code", "RepoNotFound"}}};
}

FakeReply FakeHub::model_info() const {
  std::string siblings;
  for (const auto& [path, file] : files)
    siblings += (siblings.empty() ? "" : ",") + fmt::format(R"({{"rfilename":"{}"}})", path);
  return {.body = fmt::format(
              R"({{"id":"{}","sha":"{}","gated":false,"tags":["license:mit"],"siblings":[{}]}})",
              repository, commit, siblings)};
}

FakeReply FakeHub::tree_page(const std::string& path) const {
  const std::size_t at = path.find("cursor=");
  const int begin = at == path.npos ? 0 : std::stoi(path.substr(at + 7));
  FakeReply reply;
  int i = 0;
  for (const auto& [name, file] : files) {
    if (i >= begin && i < begin + manners.page_size)
      reply.body += (i == begin ? "" : ",") + entry_of(name, file);
    ++i;
  }
  reply.body = "[" + reply.body + "]";
  if (begin + manners.page_size < i)
    reply.headers.emplace_back(
        "Link", fmt::format("<{}/api/models/{}/tree/{}?recursive=true&cursor={}>; rel=\"next\"",
                            address(), repository, commit, begin + manners.page_size));
  return reply;
}

FakeReply FakeHub::resolve(const FakeRequest& request) const {
  const std::string name =
      request.path.substr(("/" + repository + "/resolve/" + commit + "/").size());
  const auto file = files.find(name);
  if (file == files.end()) return {.status = 404, .headers = {{"X-Error-Code", "EntryNotFound"}}};
  if (!file->second.large) return contents(request, name);
  const std::string to = manners.redirect.empty() ? content_address() : manners.redirect;
  return {.status = 302,
          .headers = {{"Location", to + "/" + name},
                      {"X-Repo-Commit", commit},
                      {"X-Linked-Etag", "\"" + sha256(file->second.bytes) + "\""},
                      {"X-Linked-Size", std::to_string(file->second.bytes.size())}},
          .body = "Found. Redirecting."};
}

FakeReply FakeHub::contents(const FakeRequest& request, const std::string& path) const {
  const auto file = files.find(path);
  if (file == files.end()) return {.status = 404};
  std::string bytes = file->second.bytes;
  if (manners.damage == path && !bytes.empty()) bytes.back() = static_cast<char>(bytes.back() ^ 1);
  FakeReply reply;
  reply.headers.emplace_back("ETag", request.content_network
                                         ? "\"of-the-content-network\""
                                         : "\"" + git_blob_id(file->second.bytes) + "\"");
  if (!request.range.starts_with("bytes=") || !manners.ranges) {
    reply.body = std::move(bytes);
    return reply;
  }
  const std::size_t from = std::stoull(request.range.substr(6));
  if (from >= bytes.size()) return {.status = 416};
  reply.status = 206;
  reply.headers.emplace_back("Content-Range",
                             fmt::format("bytes {}-{}/{}", from, bytes.size() - 1, bytes.size()));
  reply.body = bytes.substr(from);
  return reply;
}

void FakeHub::send_reply(int socket, const FakeRequest& request, const FakeReply& reply) {
  std::string head = fmt::format("HTTP/1.1 {} X\r\nConnection: close\r\nContent-Length: {}\r\n",
                                 reply.status, reply.body.size());
  for (const auto& [name, value] : reply.headers) head += name + ": " + value + "\r\n";
  if (!send_all(socket, head + "\r\n") || request.method == "HEAD") return;
  std::string_view body = reply.body;
  const bool carries_file = reply.status == 200 || reply.status == 206;
  const bool of_file =
      request.content_network || request.path.find("/resolve/") != std::string::npos;
  if (carries_file && of_file && manners.cuts > 0 && manners.cut_after >= 0) {
    --manners.cuts;
    body = body.substr(0, static_cast<std::size_t>(manners.cut_after));
  }
  const int pause = request.content_network ? manners.pause_ms : 0;
  while (!body.empty() && !ending_) {
    const std::string_view piece = body.substr(0, pause > 0 ? kPiece : body.size());
    if (!send_all(socket, piece)) return;
    body.remove_prefix(piece.size());
    if (pause > 0) std::this_thread::sleep_for(std::chrono::milliseconds(pause));
  }
}

std::vector<FakeRequest> FakeHub::requests() {
  const std::lock_guard lock(mutex_);
  return log_;
}

int FakeHub::count(const std::string& part) {
  int n = 0;
  for (const FakeRequest& request : requests()) n += request.path.find(part) != std::string::npos;
  return n;
}

}  // namespace lathe::store
