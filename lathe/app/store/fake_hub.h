// A hub on this machine for tests: one port that answers as a Hugging Face style hub does, a second
// one as the content network that large files are redirected to. It misbehaves on request.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace lathe::store {

struct FakeRequest {
  bool content_network = false;  // which port
  std::string method, path, authorization, range;
};

struct FakeReply {
  int status = 200;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
};

struct FakeFile {
  std::string bytes;
  bool large = false;  // kept as a large file: redirected, with SHA-256 as its ETag
};

/// What the server does wrong or differently. Set before the requests, or by `hook`.
struct FakeManners {
  std::string token;            // required where not empty
  bool gated = false;           // 403 to those with a token too
  int page_size = 1000;         // files on one page of the tree
  bool trees = true;            // false: the tree's address is unknown
  bool ranges = true;           // false: Range is ignored
  std::int64_t cut_after = -1;  // bytes of a body, then the connection is closed
  int cuts = 0;                 // how many bodies are cut
  int pause_ms = 0;             // between pieces of 4 KiB of large files
  std::string damage;           // path whose contents are served with one byte changed
  std::string redirect;         // of large files, instead of the content network
};

class FakeHub {
 public:
  FakeHub();
  ~FakeHub();
  FakeHub(const FakeHub&) = delete;
  FakeHub& operator=(const FakeHub&) = delete;

  std::string address() const { return "http://127.0.0.1:" + std::to_string(ports_[0]); }
  std::string content_address() const { return "http://127.0.0.1:" + std::to_string(ports_[1]); }

  std::string repository = "owner/tiny";
  std::string commit = "0123456789abcdef0123456789abcdef01234567";
  std::map<std::string, FakeFile> files;
  FakeManners manners;
  /// Looks at each request first; a status other than 0 is the answer. Called one at a time.
  std::function<FakeReply(const FakeRequest&)> hook;

  std::vector<FakeRequest> requests();
  /// How many requests had this in their path.
  int count(const std::string& part);

 private:
  void serve(int port);
  void answer(int socket, bool content_network);
  FakeReply reply(const FakeRequest& request);
  FakeReply model_info() const;
  FakeReply tree_page(const std::string& path) const;
  FakeReply resolve(const FakeRequest& request) const;
  FakeReply contents(const FakeRequest& request, const std::string& path) const;
  void send_reply(int socket, const FakeRequest& request, const FakeReply& reply);

  int sockets_[2] = {-1, -1}, ports_[2] = {0, 0};
  std::atomic<bool> ending_{false};
  std::mutex mutex_;
  std::vector<FakeRequest> log_;
  std::thread threads_[2];
};

}  // namespace lathe::store
