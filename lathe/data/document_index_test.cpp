#include "lathe/data/document_index.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "lathe/data/test_files.h"

namespace lathe::data {
namespace {

std::vector<std::string> texts(DocumentIndex& index) {
  std::vector<std::string> all;
  for (std::uint64_t i = 0; i < index.size(); ++i) all.emplace_back(index.read(i));
  return all;
}

std::vector<std::string> streamed(const std::string& pattern, const SourceOptions& options) {
  std::vector<std::string> all;
  for_each_document(expand_paths({pattern}), options,
                    [&](std::string_view text) { all.emplace_back(text); });
  return all;
}

std::string corpus(int n) {
  std::string text;
  for (int i = 0; i < n; ++i)
    text += fmt::format("{{\"text\": \"document {} {}\"}}\n", i, std::string(i % 50, 'x'));
  return text;
}

std::vector<std::string> files_below(const std::string& folder) {
  std::vector<std::string> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder))
    if (entry.is_regular_file()) files.push_back(entry.path().filename().string());
  std::sort(files.begin(), files.end());
  return files;
}

TEST(DocumentIndex, ReadsInAnyOrderWhatStreamsInOrder) {
  const TestFolder folder;
  folder.write("in/a.jsonl", "\xEF\xBB\xBF" + corpus(100) + "broken\n{}\r\n" + corpus(3));
  folder.write("in/b.txt", "one\r\ntwo\n");
  folder.write("in/c.txt", std::string(300, 'a') + "\n" + std::string(300, 'b'));
  folder.write("in/d.jsonl.gz", gzip(corpus(50)));
  folder.write("in/e.txt.xz", xz("packed"));
  folder.write("in/f.jsonl.zst", zstd(corpus(20)));
  const SourceOptions options{.policy = "skip", .part_bytes = 400};
  const auto expected = streamed(folder / "in", options);
  auto index = DocumentIndex::open(folder / "in", options, folder / "cache");
  EXPECT_EQ(index.size(), 100 + 3 + 1 + 2 + 50 + 1 + 20);
  EXPECT_EQ(texts(index), expected);
  for (std::uint64_t i = index.size(); i-- > 0;) EXPECT_EQ(index.read(i), expected[i]);
  EXPECT_TRUE(index.continues(104));
  EXPECT_FALSE(index.continues(105));
  EXPECT_EQ(index.report().skipped(), 2);
  EXPECT_EQ(index.report().documents, 176);

  // The second time it is only opened, and says the same.
  auto again = DocumentIndex::open(folder / "in", options, folder / "cache");
  EXPECT_EQ(texts(again), expected);
  EXPECT_EQ(again.report().to_json(), index.report().to_json());
  EXPECT_EQ(again.fingerprint(), index.fingerprint());
}

TEST(DocumentIndex, FingerprintIsOfTheTexts) {
  const TestFolder folder;
  const auto print = [&](const std::string& path) {
    return DocumentIndex::open(path, {}, folder / "cache").fingerprint();
  };
  const std::uint64_t plain = print(folder.write("a.jsonl", corpus(9)));
  EXPECT_EQ(plain, print(folder.write("elsewhere/b.jsonl.zst", zstd(corpus(9)))));
  EXPECT_EQ(plain, print(folder.write("c.jsonl.gz", gzip(corpus(9)))));
  EXPECT_NE(plain, print(folder.write("d.jsonl", corpus(10))));
  std::string other = corpus(9);
  other[20] ^= 1;
  EXPECT_NE(plain, print(folder.write("e.jsonl", other)));
}

TEST(DocumentIndex, IsMadeAfreshWhenFilesOrOptionsChange) {
  const TestFolder folder;
  const std::string path = folder.write("a.jsonl", corpus(5));
  EXPECT_EQ(DocumentIndex::open(path, {}, folder / "cache").size(), 5U);
  folder.write("a.jsonl", corpus(7));
  EXPECT_EQ(DocumentIndex::open(path, {}, folder / "cache").size(), 7U);
  EXPECT_NE(error_of([&] { DocumentIndex::open(path, {.field = "x"}, folder / "cache"); }), "");
  // Same size and time, other contents at the ends.
  std::string same = corpus(7);
  same[10] = 'D';
  const auto time = std::filesystem::last_write_time(path);
  folder.write("a.jsonl", same);
  std::filesystem::last_write_time(path, time);
  EXPECT_EQ(DocumentIndex::open(path, {}, folder / "cache").read(0).front(), 'D');
}

TEST(DocumentIndex, ChangeWhileInUseIsAnError) {
  const TestFolder folder;
  const std::string path = folder.write("a.jsonl", corpus(5));
  auto index = DocumentIndex::open(path, {}, folder / "cache");
  folder.write("a.jsonl", corpus(2));  // shrinks before the first read
  EXPECT_NE(error_of([&] { index.read(4); }).find("changed"), std::string::npos);
  folder.write("b.jsonl", corpus(5));
  auto open = DocumentIndex::open(folder / "b.jsonl", {}, folder / "cache");
  open.read(0);
  std::filesystem::resize_file(folder / "b.jsonl", 10);  // shrinks while it is open
  EXPECT_NE(error_of([&] { open.read(4); }).find("changed"), std::string::npos);
}

TEST(DocumentIndex, FaultsUnderFailNameTheLineEveryTime) {
  const TestFolder folder;
  const std::string path = folder.write("a.jsonl.gz", gzip(corpus(5) + "{}\n"));
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(
        error_of([&] { DocumentIndex::open(path, {}, folder / "cache"); }).rfind(path + ":6: ", 0),
        0U);
    EXPECT_EQ(files_below(folder / "cache"), std::vector<std::string>{"lock"});
  }
}

/// Every way in which an index or a decompressed copy can be half there.
TEST(DocumentIndex, HalfFilesAreMadeAgain) {
  const TestFolder folder;
  const std::string path = folder.write("a.jsonl.gz", gzip(corpus(40)));
  const std::string cache = folder / "cache";
  auto first = DocumentIndex::open(path, {}, cache);
  const auto expected = texts(first);
  std::string index_file, raw_file;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(cache)) {
    if (entry.path().extension() == ".index") index_file = entry.path().string();
    if (entry.path().extension() == ".raw") raw_file = entry.path().string();
  }
  const auto check = [&](const char* what) {
    auto again = DocumentIndex::open(path, {}, cache);
    EXPECT_EQ(texts(again), expected) << what;
    EXPECT_EQ(files_below(cache).size(), 3U) << what;  // nothing left aside
  };
  const auto size = std::filesystem::file_size(index_file);
  for (std::uintmax_t n = 0; n < size; n += 1 + size / 20) {
    std::filesystem::resize_file(index_file, n);
    check("short index");
  }
  std::filesystem::remove(index_file);
  std::filesystem::rename(raw_file, raw_file + ".aside-12345");  // killed while decompressing
  folder.write("cache/index/" + file_name(index_file) + ".aside-12345", "half");
  check("left aside");
  std::filesystem::remove(raw_file);
  check("copy gone");
  std::filesystem::remove(index_file);
  check("index gone");
  std::filesystem::remove(index_file);
  std::filesystem::remove(raw_file);
  check("both gone");
}

TEST(DocumentIndex, KilledAtRandomItIsNeverTrustedHalf) {
  const TestFolder folder;
  const std::string path = folder.write("a.jsonl.zst", zstd(corpus(20000)));
  const auto expected = streamed(path, {});
  for (int round = 0; round < 12; ++round) {
    const std::string cache = folder / fmt::format("cache{}", round % 3);
    const pid_t child = ::fork();
    if (child == 0) {
      try {
        DocumentIndex::open(path, {}, cache);
      } catch (...) {
      }
      ::_exit(0);
    }
    ::usleep(static_cast<useconds_t>(500 + 1500 * round));
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    if (round % 3 != 2) continue;
    auto index = DocumentIndex::open(path, {}, cache);
    ASSERT_EQ(index.size(), expected.size());
    for (std::uint64_t i = 0; i < index.size(); i += 997) EXPECT_EQ(index.read(i), expected[i]);
  }
}

TEST(DocumentIndex, FullDiskIsAClearErrorAndLeavesNothing) {
  const TestFolder folder;
  const std::string path = folder.write("a.jsonl.gz", gzip(corpus(3000)));
  // A limit on the size of files stands in for the full disk.
  const pid_t child = ::fork();
  if (child == 0) {
    ::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{20000, 20000};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    const std::string error = error_of([&] { DocumentIndex::open(path, {}, folder / "cache"); });
    const bool clear = error.find("write '") == 0 && error.find("too large") != std::string::npos;
    ::_exit(clear && files_below(folder / "cache") == std::vector<std::string>{"lock"} ? 0 : 1);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(DocumentIndex::open(path, {}, folder / "cache").size(), 3000U);
}

TEST(DocumentIndex, CacheThatCannotBeWrittenIsAnError) {
  const TestFolder folder;
  const std::string path = folder.write("a.txt", "x");
  // Also root cannot make folders here.
  for (const std::string& cache : {path + "/cache", std::string("/proc/lathe/cache")}) {
    const std::string error = error_of([&] { DocumentIndex::open(path, {}, cache); });
    EXPECT_NE(error.find(cache), std::string::npos) << error;
  }
}

TEST(DocumentIndex, ManyFilesNeedFewHandles) {
  const TestFolder folder;
  for (int i = 0; i < 200; ++i) folder.write(fmt::format("in/{:03}.txt", i), fmt::format("t{}", i));
  auto index = DocumentIndex::open(folder / "in", {}, folder / "cache");
  rlimit before{};
  ::getrlimit(RLIMIT_NOFILE, &before);
  const rlimit few{24, before.rlim_max};
  ::setrlimit(RLIMIT_NOFILE, &few);
  for (int i = 0; i < 200; ++i) {
    const auto k = static_cast<std::uint64_t>(i * 37 % 200);
    EXPECT_EQ(index.read(k), fmt::format("t{}", k));
  }
  ::setrlimit(RLIMIT_NOFILE, &before);
}

}  // namespace
}  // namespace lathe::data
