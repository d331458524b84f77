#include "lathe/life/runs/tensorboard.h"

#include <gtest/gtest.h>

#include "lathe/base/error.h"
#include "lathe/base/log.h"
#include "lathe/base/memory_files.h"

namespace lathe::runs {
namespace {

std::string hex(std::string_view bytes) {
  std::string out;
  for (const char c : bytes) out += fmt::format("{:02x}", static_cast<unsigned char>(c));
  return out;
}

// RFC 3720 (iSCSI), appendix B.4, gives these.
TEST(Crc32c, PublishedVectors) {
  EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8a9136aau);
  EXPECT_EQ(crc32c(std::string(32, '\xff')), 0x62a8ab43u);
  EXPECT_EQ(crc32c("123456789"), 0xe3069283u);
  EXPECT_EQ(crc32c(""), 0u);
}

// Made with TensorBoard 2.21.0's own protocol buffers and checksum: the same four events through
// tensorboard.compat.proto.event_pb2 and masked_crc32c.
TEST(Events, BytesAreThoseOfTensorBoardsOwnLibrary) {
  const std::string golden =
      "1800000000000000a37f4b220900002040fc54d9411a0d627261696e2e4576656e743a322b35311010000000"
      "0000000095fbfe180900005040fc54d9411097013a020801a1e59cd02600000000000000734fe30009000080"
      "40fc54d94110ac022a180a0b0a046c6f737315000050400a090a026c721552499d39b76483f7440000000000"
      "000043592e9a090000c040fc54d94110ac022a360a340a0673616d706c65421e080712041202080142142020"
      "20204f6e63650a2020202075706f6e20c3a94a0a0a060a047465787420024f6396e4";
  const Scalar scalars[] = {{"loss", 3.25}, {"lr", 0.0003}};
  const std::string ours = tf_record(version_event(1700000000.5)) +
                           tf_record(restart_event(1700000001.25, 151)) +
                           tf_record(scalars_event(1700000002.0, 300, scalars)) +
                           tf_record(text_event(1700000003.0, 300, "sample", "Once\nupon é"));
  EXPECT_EQ(hex(ours), golden);
}

TEST(Events, MalformedUtf8NeverReachesTheFile) {
  const std::string event = text_event(1, 1, "sample",
                                       "a\xff\xfe"
                                       "b");
  EXPECT_EQ(event.find('\xff'), std::string::npos);
  EXPECT_NE(event.find("a\xEF\xBF\xBD\xEF\xBF\xBD"
                       "b"),
            std::string::npos);
}

TEST(Events, StepsBeyond32BitsAndZero) {
  EXPECT_EQ(hex(scalars_event(0, std::int64_t{1} << 40, {})),
            "09000000000000000010808080808020"
            "2a00");
  EXPECT_EQ(hex(scalars_event(0, 0, {})),
            "090000000000000000"
            "2a00");
}

TEST(Events, ScalarsAreThoseThatWereMeasured) {
  StepMetrics m;
  m.valid_bpb = 1.5;
  m.extra = {{"margin", 2.0}};
  std::string tags;
  for (const Scalar& s : scalars_of(m)) tags += std::string(s.tag) + " ";
  EXPECT_EQ(tags, "loss lr tokens_per_second valid_bpb margin ");
}

TEST(EventWriter, EverySessionOpensAFileOfItsOwn) {
  MemoryFiles files;
  files.make_directories("run");
  EventWriter first(files, "run", 1700000000.0);
  EventWriter second(files, "run", 1700000000.0, 12);
  EXPECT_NE(first.path(), second.path());
  EXPECT_TRUE(file_name(first.path()).starts_with("events.out.tfevents.1700000000."));
  EXPECT_EQ(files.read_all(first.path()), tf_record(version_event(1700000000.0)));
  EXPECT_EQ(files.read_all(second.path()),
            tf_record(version_event(1700000000.0)) + tf_record(restart_event(1700000000.0, 12)));
}

TEST(EventWriter, NothingFollowsHalfARecord) {
  log::set_level(log::Level::kError);
  MemoryFiles memory;
  memory.make_directories("run");
  FaultyFiles files(memory, {FaultyFiles::Fault::short_write, 2, ENOSPC});
  EventWriter writer(files, "run", 1.0);
  writer.write(2.0, StepMetrics{.step = 1, .loss = 3});
  const std::string after_fault = memory.read_all(writer.path());
  writer.write(3.0, StepMetrics{.step = 2, .loss = 3});
  writer.sync();
  EXPECT_EQ(memory.read_all(writer.path()), after_fault);
  log::set_level(log::Level::kInfo);
}

TEST(EventWriter, MissingFolderCostsAWarningOnly) {
  log::set_level(log::Level::kError);
  EventWriter writer(real_files(), "/nowhere/at/all", 1.0);
  writer.write(2.0, StepMetrics{.step = 1});
  writer.sync();
  EXPECT_EQ(writer.path(), "");
  log::set_level(log::Level::kInfo);
}

}  // namespace
}  // namespace lathe::runs
