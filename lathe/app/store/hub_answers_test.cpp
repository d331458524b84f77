#include "lathe/app/store/hub_answers.h"

#include <gtest/gtest.h>

#include "lathe/app/store/hub.h"
#include "lathe/app/store/retry.h"
#include "lathe/app/store/test_home.h"

namespace lathe::store {
namespace {

const std::string kCommit(40, 'a'), kSha(64, 'b');

TEST(HubAnswersTest, ModelInformation) {
  const HubModel model = parse_model_info(
      R"({"sha":")" + kCommit +
          R"(","gated":"manual","cardData":{"license":"apache-2.0"},"new":[{}],)"
          R"("siblings":[{"rfilename":"a.json"},{"rfilename":"../../etc/x"},{"rfilename":"/y"}]})",
      "test");
  EXPECT_EQ(model.commit, kCommit);
  EXPECT_EQ(model.licence, "apache-2.0");
  EXPECT_TRUE(model.gated);
  EXPECT_EQ(model.files, std::vector<std::string>{"a.json"});
  EXPECT_EQ(model.refused.size(), 2u);
  for (const char* bad : {"", "[]", "{", "{}", "<html>", R"({"sha":"short"})", R"({"sha":7})"})
    EXPECT_SAYS(parse_model_info(bad, "test"), "Corrupt") << bad;
}

TEST(HubAnswersTest, TreePages) {
  const auto files = parse_tree_page(
      R"([{"type":"directory","path":"d"},{"type":"file","path":"a","size":3,"oid":")" + kCommit +
          R"("},{"type":"file","path":"../b","size":3},{"type":"file","path":"d/c","size":130,)"
          R"("oid":")" +
          kCommit + R"(","lfs":{"oid":")" + kSha + R"(","size":99}}])",
      "test");
  ASSERT_EQ(files.size(), 2u);
  EXPECT_EQ(files[0], (HubFile{"a", 3, "", kCommit}));
  EXPECT_EQ(files[1], (HubFile{"d/c", 99, kSha, ""}));
  EXPECT_SAYS(parse_tree_page("[3]", "test"), "Corrupt");
  EXPECT_SAYS(parse_tree_page("{}", "test"), "expected an array");
}

TEST(HubAnswersTest, LinksShardsTags) {
  EXPECT_EQ(next_page(R"(<http://h/a?b=1>; rel="prev", <http://h/c>; rel="next")"), "http://h/c");
  EXPECT_EQ(next_page(R"(<http://h/a>; rel="last")"), "");
  EXPECT_EQ(next_page("<open"), "");
  EXPECT_EQ(parse_shard_index(R"({"weight_map":{"x":"b","y":"a","z":"b"}})", "i"),
            (std::vector<std::string>{"a", "b"}));
  EXPECT_SAYS(parse_shard_index(R"({"weight_map":{"x":"../../a"}})", "i"), "leaves its folder");
  EXPECT_SAYS(parse_shard_index(R"({"weight_map":{"x":1}})", "i"), "Corrupt");
  EXPECT_EQ(bare_etag("W/\"abc\""), "abc");
  EXPECT_EQ(bare_etag("\""), "\"");
}

TEST(HubAnswersTest, HeadersOfTheHubItselfCount) {
  const std::vector<HttpHead> heads{
      {302, "http://h:1/x", {{"x-linked-etag", "\"" + kSha + "\""}, {"x-linked-size", "7"}}},
      {200, "http://h:2/x", {{"etag", "\"" + kCommit + "\""}, {"content-length", "9"}}}};
  EXPECT_EQ(file_from_heads(heads, "p"), (HubFile{"p", 7, kSha, ""}));
  EXPECT_EQ(
      file_from_heads({{200, "http://h/x", {{"etag", "W/\"" + kCommit + "\""}}}}, "p").git_oid,
      kCommit);
}

TEST(HubAnswersTest, RetryAfter) {
  EXPECT_EQ(retry_after("12", 0), 12.0);
  EXPECT_EQ(retry_after("", 0), std::nullopt);
  EXPECT_EQ(retry_after("soon", 0), std::nullopt);
  EXPECT_EQ(retry_after("-3", 0), std::nullopt);
  EXPECT_EQ(retry_after("Thu, 01 Jan 1970 00:01:40 GMT", 40), 60.0);
  EXPECT_EQ(retry_after("Thu, 01 Jan 1970 00:01:40 GMT", 400), 0.0);
}

TEST(HubAnswersTest, Addresses) {
  EXPECT_EQ(origin_of("HTTPS://Host/x"), "https://host:443");
  EXPECT_EQ(origin_of("http://h:8080/x"), "http://h:8080");
  EXPECT_SAYS(origin_of("file:///etc/passwd"), "InvalidArgument");
  EXPECT_SAYS(origin_of("huggingface.co"), "InvalidArgument");
  EXPECT_EQ(resolve_url("http://h/a/b?c", "/d"), "http://h/d");
  EXPECT_EQ(resolve_url("http://h/a/b", "https://i/e#f"), "https://i/e");
  EXPECT_EQ(percent_encode("a b/ü", true), "a%20b/%C3%BC");
}

using HubEnvironment = TestHome;

TEST_F(HubEnvironment, EndpointAndToken) {
  EXPECT_EQ(hub_access_from_environment(real_files()).endpoint, "https://huggingface.co");
  EXPECT_EQ(hub_access_from_environment(real_files()).token, "");
  set("HF_ENDPOINT", "http://mirror:80//");
  set("HF_TOKEN_PATH", home + "/token");
  write_file_atomically(real_files(), home + "/token", "hf_file\n");
  EXPECT_EQ(hub_access_from_environment(real_files()).endpoint, "http://mirror:80");
  EXPECT_EQ(hub_access_from_environment(real_files()).token, "hf_file");
  set("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1");
  EXPECT_EQ(hub_access_from_environment(real_files()).token, "");
  set("HF_HUB_DISABLE_IMPLICIT_TOKEN", "0");
  set("HF_TOKEN_PATH", "");
  set("HF_HOME", home);
  EXPECT_EQ(hub_access_from_environment(real_files()).token_source, home + "/token");
  set("HF_TOKEN", " hf_variable ");
  EXPECT_EQ(hub_access_from_environment(real_files()).token, "hf_variable");
  set("HF_TOKEN", "hf\r\nEvil: yes");
  EXPECT_SAYS(hub_access_from_environment(real_files()), "HF_TOKEN: expected a token");
  set("HF_ENDPOINT", "ftp://x");
  EXPECT_SAYS(hub_access_from_environment(real_files()), "HF_ENDPOINT: address");
}

}  // namespace
}  // namespace lathe::store
