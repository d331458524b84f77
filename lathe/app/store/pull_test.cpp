// Pulling from a hub that behaves, and from one that does not.
#include "lathe/app/store/pull.h"

#include <fmt/core.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <chrono>
#include <thread>
#include <utility>

#include "lathe/app/store/fake_hub.h"
#include "lathe/app/store/test_home.h"
#include "lathe/base/hash.h"
#include "lathe/base/log.h"
#include "lathe/base/memory_files.h"

namespace lathe::store {
namespace {

std::string noise(std::size_t size, unsigned seed) {
  std::string bytes(size, '\0');
  for (char& c : bytes) c = static_cast<char>((seed = seed * 1664525 + 1013904223) >> 24);
  return bytes;
}

class PullTest : public TestHome {
 protected:
  PullTest() {
    log::set_level(log::Level::kError);
    set("HF_ENDPOINT", hub.address());
    hub.files["config.json"] = {"{}"};
    hub.files["tokenizer.json"] = {"{ }"};
    hub.files["README.md"] = {"# tiny"};
    hub.files["empty.gguf"] = {""};
    hub.files["model.safetensors"] = {noise(300'000, 1), true};
    hub.files["tiny-Q8_0.gguf"] = {noise(200'000, 2), true};
    options.retry = {.most_failures = 3, .first_wait = 0.01, .longest_asked = 2};
    options.http.connect_seconds = 2;
  }
  ~PullTest() override { log::set_level(log::Level::kInfo); }

  PullResult run(const std::string& name) {
    return pull(parse_model_name(name), store, real_files(), options);
  }
  std::string place(const std::string& file) { return store.folder() + "/owner--tiny/" + file; }
  std::string content(const std::string& path) { return real_files().read_all(path); }
  bool exists(const std::string& path) { return real_files().exists(path); }

  /// The unfinished file of model.safetensors, or "".
  std::string part() {
    const std::string folder = store.folder() + "/.incoming/owner--tiny";
    if (!exists(folder)) return "";
    for (const std::string& name : real_files().list(folder))
      if (name.ends_with(".incomplete")) return folder + "/" + name;
    return "";
  }
  /// Of all requests for large files, in order.
  std::vector<std::string> ranges_asked() {
    std::vector<std::string> ranges;
    for (const FakeRequest& request : hub.requests())
      if (request.content_network) ranges.push_back(request.range);
    return ranges;
  }
  /// Leaves the first `bytes` of model.safetensors as a stopped pull would.
  void leave_part(std::string bytes) {
    const std::string folder = store.incoming(parse_model_name("owner/tiny"));
    const std::string id = sha256(hub.files["model.safetensors"].bytes).substr(0, 16);
    write_file_atomically(real_files(), folder + "/model.safetensors." + id + ".incomplete", bytes);
  }

  FakeHub hub;
  ModelStore store{real_files(), home + "/models"};
  PullOptions options;
};

TEST_F(PullTest, BringsWhatAModelNeeds) {
  const PullResult result = run("owner/tiny");
  EXPECT_FALSE(result.was_there);
  EXPECT_EQ(result.model.problem, "");
  EXPECT_EQ(content(place("model.safetensors")), hub.files["model.safetensors"].bytes);
  EXPECT_EQ(content(place("config.json")), "{}");
  EXPECT_FALSE(exists(place("README.md")));
  EXPECT_FALSE(exists(place("tiny-Q8_0.gguf")));
  const ModelRecord& record = result.model.record;
  EXPECT_EQ(record.revision, hub.commit);
  EXPECT_EQ(record.licence, "mit");
  EXPECT_EQ(record.kind, "safetensors");
  EXPECT_EQ(record.files.size(), 3u);
  for (const StoredFile& file : record.files)
    EXPECT_EQ(file.sha256, sha256(hub.files[file.path].bytes)) << file.path;
  EXPECT_FALSE(exists(store.folder() + "/.incoming/owner--tiny"));
  EXPECT_EQ(resolve_model("owner/tiny"), store.folder() + "/owner--tiny");
}

TEST_F(PullTest, BringsOneGgufAndNothingTwice) {
  const PullResult result = run("owner/tiny:Q8_0");
  EXPECT_EQ(result.model.record.kind, "GGUF Q8_0");
  EXPECT_EQ(content(result.model.path()), hub.files["tiny-Q8_0.gguf"].bytes);
  const int before = hub.count("/resolve/");
  EXPECT_TRUE(run("owner/tiny:Q8_0").was_there);
  EXPECT_EQ(hub.count("/resolve/"), before);
  EXPECT_FALSE(run("owner/tiny").was_there);  // another choice is another model
  EXPECT_EQ(store.list().size(), 2u);
}

TEST_F(PullTest, FollowsThePagesOfTheTree) {
  hub.manners.page_size = 2;
  EXPECT_EQ(run("owner/tiny").model.record.files.size(), 3u);
  EXPECT_EQ(hub.count("/tree/"), 3);
}

TEST_F(PullTest, AHubWithoutTreesIsEnough) {
  hub.manners.trees = false;
  EXPECT_EQ(run("owner/tiny").model.record.size(), 300'005);
  hub.manners.damage = "tiny-Q8_0.gguf";  // still checked, by its headers
  EXPECT_SAYS(run("owner/tiny:Q8_0"), "checksum: expected SHA-256");
}

TEST_F(PullTest, ShardsByTheIndex) {
  hub.files.erase("model.safetensors");
  hub.files["model-00001-of-00002.safetensors"] = {noise(1000, 3), true};
  hub.files["model-00002-of-00002.safetensors"] = {noise(1000, 4), true};
  hub.files["consolidated.safetensors"] = {noise(1000, 5), true};
  const std::string index = "model.safetensors.index.json";
  hub.files[index] = {R"({"weight_map":{"a":"model-00001-of-00002.safetensors",)"
                      R"("b":"model-00002-of-00002.safetensors"}})"};
  EXPECT_EQ(run("owner/tiny").model.record.files.size(), 5u);
  EXPECT_FALSE(exists(place("consolidated.safetensors")));
  hub.commit[0] = 'f';
  hub.files[index] = {R"({"weight_map":{"a":"../../evil.safetensors"}})"};
  EXPECT_SAYS(run("owner/tiny"), "leaves its folder");
  hub.files[index] = {R"({"weight_map":{"a":"gone.safetensors"}})"};
  EXPECT_SAYS(run("owner/tiny"), "'gone.safetensors', which the repository does not hold");
  EXPECT_EQ(store.at(parse_model_name("owner/tiny")).problem, "");  // the old one is as it was
}

TEST_F(PullTest, GoesOnWhereAConnectionBroke) {
  hub.manners.cut_after = 60'000;
  hub.manners.cuts = 4;  // small files are whole in fewer bytes, so only the large one is cut
  run("owner/tiny");
  EXPECT_EQ(content(place("model.safetensors")), hub.files["model.safetensors"].bytes);
  const std::vector<std::string> ranges = ranges_asked();
  ASSERT_GE(ranges.size(), 3u);
  EXPECT_EQ(ranges[0], "");
  EXPECT_EQ(ranges.back().substr(0, 6), "bytes=");
  EXPECT_NE(ranges.back(), "bytes=0-");
}

TEST_F(PullTest, StoppedItKeepsThePartAndGoesOn) {
  StopSource stop;
  options.http.stop = stop.token();
  hub.manners.pause_ms = 5;
  hub.hook = [&](const FakeRequest& request) -> FakeReply {
    if (request.content_network && request.range.empty())
      std::thread([&stop] {
        std::this_thread::sleep_for(std::chrono::milliseconds(100));
        stop.request();
      }).detach();
    return {.status = 0};
  };
  EXPECT_SAYS(run("owner/tiny"), "Cancelled: owner/tiny: stopped; what has come is kept");
  ASSERT_NE(part(), "");
  const std::size_t kept = content(part()).size();
  EXPECT_GT(kept, 0u);
  EXPECT_LT(kept, 300'000u);
  EXPECT_TRUE(store.list().empty());  // a model is there wholly or not at all
  options.http.stop = {};
  hub.manners.pause_ms = 0;
  run("owner/tiny");
  EXPECT_EQ(ranges_asked().back(), fmt::format("bytes={}-", kept));
  EXPECT_EQ(content(place("model.safetensors")), hub.files["model.safetensors"].bytes);
}

TEST_F(PullTest, APartIsGoneOnWithOrBegunAgain) {
  const std::string bytes = hub.files["model.safetensors"].bytes;
  const struct {
    std::string part;
    bool ranges;
    std::size_t requests;
    const char* what;
  } cases[] = {{bytes.substr(0, 1000), true, 1, "a true part"},
               {bytes.substr(0, 1000), false, 1, "a server without ranges"},
               {std::string(1000, 'z'), true, 2, "a wrong part: the checksum tells"},
               {bytes, true, 0, "a whole part: nothing is asked"},
               {bytes + "more", true, 2, "too long a part: 416"}};
  for (const auto& one : cases) {
    store.remove(run("owner/tiny").model);
    leave_part(one.part);
    hub.manners.ranges = one.ranges;
    const std::size_t before = ranges_asked().size();
    run("owner/tiny");
    EXPECT_EQ(content(place("model.safetensors")), bytes) << one.what;
    EXPECT_EQ(ranges_asked().size() - before, one.requests) << one.what;
  }
}

TEST_F(PullTest, ChangedContentsAreBegunAgain) {
  leave_part(hub.files["model.safetensors"].bytes.substr(0, 1000));
  hub.files["model.safetensors"].bytes = noise(250'000, 9);
  run("owner/tiny");
  EXPECT_EQ(ranges_asked(), std::vector<std::string>{""});
  EXPECT_EQ(content(place("model.safetensors")), hub.files["model.safetensors"].bytes);
}

TEST_F(PullTest, ContentsThatChangeWhileItPulls) {
  hub.hook = [&](const FakeRequest& request) -> FakeReply {  // after the list, before the file
    if (request.path.ends_with("/model.safetensors") && hub.commit[0] == '0') {
      hub.files["model.safetensors"].bytes = noise(250'000, 9);
      const std::string old = hub.commit;
      hub.commit[0] = 'f';
      return {.status = 302,
              .headers = {{"Location", hub.content_address() + "/model.safetensors"},
                          {"X-Linked-Etag", sha256(hub.files["model.safetensors"].bytes)}}};
    }
    return {.status = 0};
  };
  EXPECT_EQ(run("owner/tiny").model.record.revision, hub.commit);
  EXPECT_EQ(content(place("model.safetensors")), hub.files["model.safetensors"].bytes);
}

TEST_F(PullTest, WrongChecksumsAreTold) {
  hub.manners.damage = "config.json";
  EXPECT_SAYS(run("owner/tiny"), "config.json: checksum: expected git id");
  hub.manners.damage = "model.safetensors";
  EXPECT_SAYS(run("owner/tiny"),
              "Corrupt: owner/tiny: model.safetensors: checksum: expected SHA-256");
  EXPECT_EQ(part(), "");
  EXPECT_TRUE(store.list().empty());
  hub.manners.damage.clear();
  EXPECT_EQ(run("owner/tiny").model.problem, "");
}

TEST_F(PullTest, AnUpdateKeepsWhatIsTheSame) {
  run("owner/tiny");
  hub.commit[0] = 'f';
  hub.files["config.json"].bytes = R"({"new":1})";
  const std::size_t before = ranges_asked().size();
  const PullResult result = run("owner/tiny");
  EXPECT_EQ(result.model.record.revision, hub.commit);
  EXPECT_EQ(ranges_asked().size(), before);  // the weights were there
  EXPECT_EQ(content(place("config.json")), R"({"new":1})");
  EXPECT_EQ(content(place("model.safetensors")), hub.files["model.safetensors"].bytes);
}

TEST_F(PullTest, AccessAndNames) {
  EXPECT_SAYS(run("owner/tinny"), "NotFound: owner/tinny: 404 Not Found");
  EXPECT_SAYS(run("owner/tiny@v2"), "no such revision");
  EXPECT_SAYS(run("owner/tiny:Q2_K"), "NotFound: owner/tiny:Q2_K: 'Q2_K': no file and no");
  hub.manners.token = "hf_right";
  EXPECT_SAYS(run("owner/tiny"), "put your token into HF_TOKEN");
  set("HF_TOKEN", "hf_right");
  hub.manners.gated = true;
  EXPECT_SAYS(run("owner/tiny"), "accept the conditions at " + hub.address() + "/owner/tiny");
  hub.manners.gated = false;
  run("owner/tiny");
  for (const FakeRequest& request : hub.requests()) {
    EXPECT_TRUE(request.authorization.empty() || !request.content_network);
  }
  hub.hook = [](const FakeRequest&) -> FakeReply { return {.status = 401}; };
  EXPECT_SAYS(run("owner/tiny"), "does not accept the token of HF_TOKEN");
  set("HF_HUB_OFFLINE", "1");
  EXPECT_SAYS(run("owner/tiny"), "HF_HUB_OFFLINE");
}

TEST_F(PullTest, BusyServersAreAskedAgain) {
  int left = 2;
  hub.hook = [&](const FakeRequest& request) -> FakeReply {
    if (left-- > 0) return {.status = left == 0 ? 503 : 429, .headers = {{"Retry-After", "0"}}};
    static_cast<void>(request);
    return {.status = 0};
  };
  EXPECT_EQ(run("owner/tiny").model.problem, "");
  hub.hook = [](const FakeRequest&) -> FakeReply { return {.status = 500}; };
  EXPECT_SAYS(run("owner/tiny@main"), "Io: owner/tiny@main: 500 Internal Server Error");
  hub.hook = [](const FakeRequest&) -> FakeReply {
    return {.status = 429, .headers = {{"Retry-After", "86400"}}};
  };
  EXPECT_SAYS(run("owner/tiny@main"), "Retry-After 86400");
}

TEST_F(PullTest, AnExpiredAddressOfTheContentNetworkIsAskedForAgain) {
  bool expired = true;
  hub.hook = [&](const FakeRequest& request) -> FakeReply {
    if (request.content_network && std::exchange(expired, false)) return {.status = 403};
    return {.status = 0};
  };
  EXPECT_EQ(run("owner/tiny").model.problem, "");
}

TEST_F(PullTest, AFullDiskBreaksNothing) {
  run("owner/tiny");
  const std::string old = content(place("config.json"));
  hub.commit[0] = 'f';
  hub.files["config.json"].bytes = R"({"new":1})";
  hub.files["model.safetensors"].bytes = noise(300'000, 7);
  int failures = 0;
  for (int at = 0; at < 40; at += 3) {
    FaultyFiles faulty(real_files(), {FaultyFiles::Fault::error, at, ENOSPC});
    ModelStore full(faulty, home + "/models");
    try {
      pull(parse_model_name("owner/tiny"), full, faulty, options);
      break;
    } catch (const Error& error) {
      ++failures;
      EXPECT_NE(error.message().find("No space left"), std::string::npos) << error.message();
    }
    const LocalModel model = store.at(parse_model_name("owner/tiny"));
    EXPECT_NE(model.folder, "") << at;
    EXPECT_EQ(model.problem, "") << at;
  }
  EXPECT_GT(failures, 3);
  run("owner/tiny");
  EXPECT_EQ(content(place("config.json")), R"({"new":1})");
  EXPECT_NE(old, content(place("config.json")));
}

TEST_F(PullTest, OnePullOfAModelAtATime) {
  const auto held = store.lock(parse_model_name("owner/tiny").folder());
  EXPECT_SAYS(run("owner/tiny"), "in use by process");
  EXPECT_NO_THROW(run("owner/tiny:Q8_0"));
}

TEST_F(PullTest, HostileNamesAreNotWritten) {
  hub.files["../../evil.gguf"] = {"x"};
  hub.files["/etc/evil.gguf"] = {"x"};
  run("owner/tiny");
  EXPECT_FALSE(exists(home + "/evil.gguf"));
  EXPECT_SAYS(run("owner/tiny:../../evil.gguf"), "InvalidArgument");
  hub.hook = [&](const FakeRequest& request) -> FakeReply {
    if (request.path.find("/tree/") == std::string::npos) return {.status = 0};
    return {.headers = {{"Link", "<" + hub.content_address() + "/x>; rel=\"next\""}}, .body = "[]"};
  };
  EXPECT_SAYS(run("owner/tiny@main"), "goes on at another host");
}

TEST_F(PullTest, TellsWithoutBringing) {
  options.only_tell = true;
  const PullResult result = run("owner/tiny");
  EXPECT_EQ(result.model.record.size(), 300'005);
  EXPECT_EQ(hub.count("/resolve/"), 0);
  EXPECT_TRUE(store.list().empty());
}

TEST_F(PullTest, NamedFiles) {
  options.files = {"README.md", "empty.gguf"};
  EXPECT_EQ(run("owner/tiny").model.record.files.size(), 2u);
  EXPECT_EQ(content(place("empty.gguf")), "");
  options.files = {"pytorch_model.bin"};
  EXPECT_SAYS(run("owner/tiny"), "is a pickle");
}

}  // namespace
}  // namespace lathe::store
