#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>

#include "lathe/data/byte_stream.h"
#include "lathe/data/source.h"
#include "lathe/data/test_files.h"

namespace lathe::data {
namespace {

using Texts = std::vector<std::string>;

Texts names(const TestFolder& folder, const std::vector<std::string>& patterns) {
  std::vector<std::string> full;
  for (const std::string& p : patterns) full.push_back(folder / p);
  Texts out;
  for (const std::string& path : expand_paths(full))
    out.push_back(path.substr(folder.path().size() + 1));
  return out;
}

TEST(Paths, FoldersAreSearchedInByteOrder) {
  const TestFolder folder;
  for (const std::string name : {"b.txt", "a.jsonl.gz", "sub/deep/c.txt.zst", "sub/B.ndjson",
                                 "ignored.pdf", ".hidden.txt", ".git/x.txt", "a.txt.xz"})
    folder.write(name, "x");
  std::filesystem::create_directory_symlink(folder.path(), folder / "sub/circle");
  EXPECT_EQ(names(folder, {""}),
            (Texts{"a.jsonl.gz", "a.txt.xz", "b.txt", "sub/B.ndjson", "sub/deep/c.txt.zst"}));
}

TEST(Paths, Globs) {
  const TestFolder folder;
  for (const std::string name : {"a1.txt", "a2.txt", "b.txt", "s/a3.txt", "s/t/a4.txt", "[x].txt"})
    folder.write(name, "x");
  EXPECT_EQ(names(folder, {"a?.txt"}), (Texts{"a1.txt", "a2.txt"}));
  EXPECT_EQ(names(folder, {"[ab]*.txt"}), (Texts{"a1.txt", "a2.txt", "b.txt"}));
  EXPECT_EQ(names(folder, {"**/a*.txt"}), (Texts{"a1.txt", "a2.txt", "s/a3.txt", "s/t/a4.txt"}));
  EXPECT_EQ(names(folder, {"*/a*.txt"}), (Texts{"s/a3.txt"}));
  EXPECT_EQ(names(folder, {"[x].txt"}), (Texts{"[x].txt"}));  // a name first, a pattern second
  EXPECT_EQ(names(folder, {"b.txt", "*.txt"}), (Texts{"b.txt", "[x].txt", "a1.txt", "a2.txt"}));
}

TEST(Paths, NothingFoundAndStrangeFilesAreErrors) {
  const TestFolder folder;
  folder.write("a.pdf", "x");
  EXPECT_NE(error_of([&] { expand_paths({folder / "none.txt"}); }).find("No such file"),
            std::string::npos);
  EXPECT_NE(error_of([&] { expand_paths({folder / "*.txt"}); }).find("got none"),
            std::string::npos);
  EXPECT_NE(error_of([&] { expand_paths({folder.path()}); }).find("searched for .txt"),
            std::string::npos);
  EXPECT_NE(error_of([&] { format_of(folder / "a.pdf", {}); }).find("set format"),
            std::string::npos);
  ASSERT_EQ(::mkfifo((folder / "pipe.txt").c_str(), 0600), 0);
  EXPECT_NE(error_of([&] { expand_paths({folder / "pipe.txt"}); }).find("pipe or device"),
            std::string::npos);
  EXPECT_NE(error_of([&] { open_stream(folder / "pipe.txt"); }).find("pipe or device"),
            std::string::npos);
  EXPECT_NE(error_of([&] { expand_paths({"/dev/zero"}); }).find("pipe or device"),
            std::string::npos);
}

}  // namespace
}  // namespace lathe::data
