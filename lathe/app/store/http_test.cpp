#include "lathe/app/store/http.h"

#include <gtest/gtest.h>

#include "lathe/app/store/fake_hub.h"
#include "lathe/app/store/test_home.h"

namespace lathe::store {
namespace {

class HttpTest : public TestHome {
 protected:
  std::string fetch(const std::string& path, const std::string& token = "") {
    std::string body;
    HttpSink sink;
    sink.write = [&](std::string_view bytes) { body += bytes; };
    answer = client.send({.url = hub.address() + path, .token = token}, sink);
    return body;
  }

  FakeHub hub;
  HttpClient client{{.connect_seconds = 2, .stall_seconds = 1}};
  HttpAnswer answer;
};

TEST_F(HttpTest, TheTokenStaysAtItsOrigin) {
  hub.files["m.gguf"] = {std::string(100'000, 'x'), true};
  const std::string path = "/owner/tiny/resolve/" + hub.commit + "/m.gguf";
  EXPECT_EQ(fetch(path, "hf_secret"), hub.files["m.gguf"].bytes);
  const auto requests = hub.requests();
  ASSERT_EQ(requests.size(), 2u);
  EXPECT_EQ(requests[0].authorization, "Bearer hf_secret");
  EXPECT_TRUE(requests[1].content_network);
  EXPECT_EQ(requests[1].authorization, "");
  ASSERT_EQ(answer.heads.size(), 2u);
  EXPECT_EQ(answer.heads[0].status, 302);
  EXPECT_EQ(answer.heads[0].header("x-linked-size"), "100000");
}

TEST_F(HttpTest, RedirectsAtTheSameOriginKeepIt) {
  hub.hook = [](const FakeRequest& request) -> FakeReply {
    if (request.path == "/old") return {.status = 307, .headers = {{"Location", "/new?a=1"}}};
    return {.body = request.authorization + " " + request.path};
  };
  EXPECT_EQ(fetch("/old", "t"), "Bearer t /new?a=1");
}

TEST_F(HttpTest, BadRedirectsAreRefused) {
  hub.hook = [&](const FakeRequest& request) -> FakeReply {
    if (request.path == "/round") return {.status = 302, .headers = {{"Location", "/round"}}};
    if (request.path == "/file")
      return {.status = 302, .headers = {{"Location", "file:///etc/passwd"}}};
    return {.status = 302, .headers = {{"Location", "http://"}}};
  };
  EXPECT_SAYS(fetch("/round"), "more than 10 redirects");
  EXPECT_SAYS(fetch("/file"), "expected http:// or https://");
  EXPECT_SAYS(fetch("/nowhere"), "expected an address");
}

TEST_F(HttpTest, FailuresOfTheNetworkComeBack) {
  hub.files["a"] = {std::string(50'000, 'x'), true};
  hub.manners.cuts = 1;
  hub.manners.cut_after = 1000;
  EXPECT_EQ(fetch("/owner/tiny/resolve/" + hub.commit + "/a").size(), 1000u);
  EXPECT_NE(answer.failure, "");
  answer = client.send({.url = "http://127.0.0.1:1/x"});
  EXPECT_NE(answer.failure, "");
  EXPECT_EQ(answer.status(), 0);
}

TEST_F(HttpTest, StopsOnRequestAndWithoutBytes) {
  hub.files["a"] = {std::string(500'000, 'x'), true};
  hub.manners.pause_ms = 20;
  StopSource stop;
  HttpClient stopped({.stop = stop.token()});
  HttpSink sink;
  sink.write = [&](std::string_view) { stop.request(); };
  const std::string url = hub.address() + "/owner/tiny/resolve/" + hub.commit + "/a";
  EXPECT_SAYS(stopped.send({.url = url}, sink), "Cancelled: stopped");
  hub.hook = [](const FakeRequest&) -> FakeReply {
    std::this_thread::sleep_for(std::chrono::milliseconds(2500));
    return {.body = "late"};
  };
  fetch("/silent");
  EXPECT_NE(answer.failure, "");
}

TEST_F(HttpTest, WhatTheSinkThrowsIsThrownOn) {
  hub.hook = [](const FakeRequest&) -> FakeReply { return {.body = "x"}; };
  HttpSink sink;
  sink.write = [](std::string_view) { fail(ErrorCode::kIo, "the disk is full"); };
  EXPECT_SAYS(client.send({.url = hub.address()}, sink), "Io: the disk is full");
  sink.begin = [](const auto&) { return false; };
  EXPECT_TRUE(client.send({.url = hub.address()}, sink).refused);
}

}  // namespace
}  // namespace lathe::store
