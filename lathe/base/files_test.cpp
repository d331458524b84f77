#include "lathe/base/files.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <optional>

#include "lathe/base/error.h"
#include "lathe/base/hash.h"
#include "lathe/base/memory_files.h"
#include "lathe/base/temporary_folder.h"

namespace lathe {
namespace {

std::string message_of(const std::function<void()>& action, ErrorCode expected) {
  try {
    action();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), expected) << error.message();
    return error.message();
  }
  ADD_FAILURE() << "no error";
  return "";
}

bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

/// Each law of FileSystem holds for the machine's files and for those in memory.
class AnyFiles : public ::testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    if (GetParam()) {
      root_ = folder_.emplace().path();
    } else {
      root_ = "room";
      memory_.make_directories(root_);
    }
  }
  FileSystem& files() { return GetParam() ? real_files() : memory_; }
  std::string at(const std::string& name) const { return join_path(root_, name); }
  void put(const std::string& name, std::string_view bytes, WriteMode mode = WriteMode::truncate) {
    const auto writer = files().open_for_write(at(name), mode);
    writer->write(bytes);
    writer->close();
  }

  std::optional<TemporaryFolder> folder_;  // of the real files
  std::string root_;
  MemoryFiles memory_;
};

TEST_P(AnyFiles, WritesAppendsReads) {
  const std::string bytes("a\0b\n\xff", 5);
  put("x", bytes);
  EXPECT_EQ(files().read_all(at("x")), bytes);
  EXPECT_EQ(files().size(at("x")), 5u);
  put("x", "more", WriteMode::append);
  EXPECT_EQ(files().read_all(at("x")), bytes + "more");
  put("x", "new");
  EXPECT_EQ(files().map(at("x")).bytes(), "new");
}

TEST_P(AnyFiles, ReadsLargeFiles) {
  std::string bytes(3'000'000, 'x');
  bytes[1'234'567] = 'y';
  put("large", bytes);
  EXPECT_EQ(files().read_all(at("large")), bytes);
  EXPECT_EQ(files().map(at("large")).bytes(), bytes);
  EXPECT_EQ(sha256_file(files(), at("large")), sha256(bytes));
}

TEST_P(AnyFiles, EmptyFilesAreNamed) {
  put("empty", "");
  EXPECT_EQ(files().read_all(at("empty")), "");
  EXPECT_EQ(files().map(at("empty"), EmptyFile::allowed).size(), 0u);
  const std::string text = message_of([&] { files().map(at("empty")); }, ErrorCode::kCorrupt);
  EXPECT_EQ(text, "read '" + at("empty") + "': the file is empty");
  EXPECT_EQ(sha256_file(files(), at("empty")), sha256(""));
}

TEST_P(AnyFiles, MissingFilesAreNotFound) {
  const std::string expected = "read '" + at("none") + "': No such file or directory";
  EXPECT_EQ(message_of([&] { files().read_all(at("none")); }, ErrorCode::kNotFound), expected);
  EXPECT_EQ(message_of([&] { files().map(at("none")); }, ErrorCode::kNotFound), expected);
  message_of([&] { files().size(at("none")); }, ErrorCode::kNotFound);
  message_of([&] { files().list(at("none")); }, ErrorCode::kNotFound);
  message_of([&] { files().rename(at("none"), at("x")); }, ErrorCode::kNotFound);
  message_of([&] { put("none/x", ""); }, ErrorCode::kNotFound);
  EXPECT_FALSE(files().exists(at("none")));
  files().remove_all(at("none"));  // nothing to do
}

TEST_P(AnyFiles, Folders) {
  files().make_directories(at("a/b/c"));
  files().make_directories(at("a/b"));  // again
  put("a/b/2", "two");
  put("a/b/1", "one");
  EXPECT_EQ(files().list(at("a/b")), (std::vector<std::string>{"1", "2", "c"}));
  EXPECT_TRUE(files().is_directory(at("a/b")));
  EXPECT_FALSE(files().is_directory(at("a/b/1")));
  message_of([&] { files().read_all(at("a/b")); }, ErrorCode::kIo);
  message_of([&] { files().make_directories(at("a/b/1")); }, ErrorCode::kIo);
  files().rename(at("a/b"), at("z"));
  EXPECT_EQ(files().read_all(at("z/1")), "one");
  EXPECT_FALSE(files().exists(at("a/b")));
  message_of([&] { files().rename(at("a"), at("z")); }, ErrorCode::kIo);  // not empty
  files().remove_all(at("z"));
  EXPECT_EQ(files().list(root_), (std::vector<std::string>{"a"}));
}

TEST_P(AnyFiles, OneLockAtATime) {
  auto first = files().lock(at("lock"));
  const std::string text = message_of([&] { files().lock(at("lock")); }, ErrorCode::kIo);
  EXPECT_TRUE(contains(text, "in use by")) << text;
  if (GetParam()) {
    EXPECT_TRUE(contains(text, fmt::format("process {}", ::getpid()))) << text;
  }
  first.reset();
  EXPECT_NE(files().lock(at("lock")), nullptr);
}

TEST_P(AnyFiles, AtomicWriteReplaces) {
  write_file_atomically(files(), at("x"), "old");
  write_file_atomically(files(), at("x"), "new");
  EXPECT_EQ(files().read_all(at("x")), "new");
  EXPECT_EQ(files().list(root_), (std::vector<std::string>{"x"}));
}

INSTANTIATE_TEST_SUITE_P(RealAndMemory, AnyFiles, ::testing::Bool(),
                         [](const auto& info) { return info.param ? "Real" : "Memory"; });

TEST(RealFiles, FullDiskSaysSo) {
  const auto full = real_files().open_for_write("/dev/full");
  const std::string text = message_of([&] { full->write("x"); }, ErrorCode::kIo);
  EXPECT_EQ(text,
            "write '/dev/full': No space left on device; free some space there or choose another "
            "folder");
}

TEST(RealFiles, LockEndsWithItsProcess) {
  const TemporaryFolder folder;
  const std::string path = folder / "lock";
  int pipe[2];
  ASSERT_EQ(::pipe(pipe), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    const auto lock = real_files().lock(path);
    if (::write(pipe[1], "x", 1) != 1) ::_exit(1);
    while (true) ::pause();
  }
  char byte;
  ASSERT_EQ(::read(pipe[0], &byte, 1), 1);
  const std::string text = message_of([&] { real_files().lock(path); }, ErrorCode::kIo);
  EXPECT_TRUE(contains(text, fmt::format("in use by process {}", child))) << text;
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  EXPECT_NE(real_files().lock(path), nullptr);
}

TEST(RealFiles, ReadsWhatHasNoSize) {
  EXPECT_FALSE(real_files().read_all("/proc/self/status").empty());
}

TEST(Paths, Parts) {
  for (const auto& [path, parent, name] :
       std::vector<std::array<std::string, 3>>{{"a/b/c", "a/b", "c"},
                                               {"a/b/", "a", "b"},
                                               {"c", ".", "c"},
                                               {"/c", "/", "c"},
                                               {"/", "/", "/"},
                                               {"a//b", "a", "b"},
                                               {"", ".", ""}}) {
    EXPECT_EQ(parent_path(path), parent) << path;
    EXPECT_EQ(file_name(path), name) << path;
  }
  EXPECT_EQ(join_path("a", "b"), "a/b");
  EXPECT_EQ(join_path("a/", "b"), "a/b");
  EXPECT_EQ(join_path("", "b"), "b");
  EXPECT_EQ(join_path("a", "/b"), "/b");
}

using Fault = FaultyFiles::Fault;

/// Whatever operation fails, the old contents or the new ones are there, never anything else.
TEST(AtomicWrite, SurvivesEveryFault) {
  for (const Fault fault : {Fault::error, Fault::error_stays, Fault::short_write, Fault::crash}) {
    for (const AfterCrash what : {AfterCrash::only_synced, AfterCrash::names_first}) {
      int at = 0;
      for (bool failed = true; failed; ++at) {
        MemoryFiles memory;
        memory.make_directories("room");
        memory.sync_directory(".");
        write_file_atomically(memory, "room/x", "old contents");
        FaultyFiles faulty(memory, {.fault = fault, .at = at, .error_number = ENOSPC});
        try {
          write_file_atomically(faulty, "room/x", "the new contents");
          failed = at < faulty.operations();  // a short write where there was no write
        } catch (const Error& error) {
          EXPECT_TRUE(contains(error.message(), "'room")) << error.message();
          if (fault != Fault::crash) {
            EXPECT_TRUE(contains(error.message(), "No space left"));
          }
        }
        memory.crash(what);
        const std::string found = memory.read_all("room/x");
        EXPECT_TRUE(found == "old contents" || found == "the new contents") << found << at;
        if (!failed) {
          EXPECT_EQ(found, "the new contents");
        }
      }
      EXPECT_GE(at, 6);  // create, write, sync, close, rename, folder sync
    }
  }
}

TEST(MemoryFiles, LosesWhatWasNotSynced) {
  MemoryFiles files;
  files.make_directories("a");
  files.sync_directory(".");
  const auto writer = files.open_for_write("a/x", WriteMode::truncate);
  writer->write("safe");
  writer->sync();
  writer->write(" lost");
  files.sync_directory("a");
  files.open_for_write("a/y", WriteMode::truncate)->write("lost");
  files.crash(AfterCrash::only_synced);
  EXPECT_EQ(files.list("a"), (std::vector<std::string>{"x"}));
  EXPECT_EQ(files.read_all("a/x"), "safe");
}

TEST(MemoryFiles, RenamedFolderNeedsASync) {
  MemoryFiles files;
  files.make_directories("aside");
  files.sync_directory(".");
  const auto writer = files.open_for_write("aside/x", WriteMode::truncate);
  writer->write("x");
  writer->sync();
  files.sync_directory("aside");
  files.rename("aside", "final");
  files.sync_directory(".");
  files.crash(AfterCrash::only_synced);
  EXPECT_EQ(files.list("."), (std::vector<std::string>{"final"}));
  EXPECT_EQ(files.read_all("final/x"), "x");
  files.rename("final", "other");
  files.crash(AfterCrash::only_synced);
  EXPECT_EQ(files.list("."), (std::vector<std::string>{"final"}));
}

TEST(Hash, KnownDigests) {  // FIPS 180-4 examples
  EXPECT_EQ(sha256(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(sha256("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  Sha256 pieces;
  EXPECT_EQ(pieces.update("a").update("bc").finish(), sha256("abc"));
  EXPECT_EQ(pieces.update("abc").finish(), sha256("abc"));  // starts afresh
}

}  // namespace
}  // namespace lathe
