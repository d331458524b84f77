#include "lathe/model/weights/gguf.h"

#include <gtest/gtest.h>

#include <cstring>
#include <functional>

#include "lathe/base/error.h"
#include "lathe/base/memory_files.h"
#include "lathe/model/weights/gguf_write.h"

namespace lathe::weights {
namespace {

/// The bytes of a file, put together by hand: what writers of others could have written.
class Bytes {
 public:
  template <typename T>
  Bytes& put(T value) {
    text_.append(reinterpret_cast<const char*>(&value), sizeof value);
    return *this;
  }
  Bytes& string(std::string_view s) {
    put(std::uint64_t{s.size()});
    text_ += s;
    return *this;
  }
  Bytes& pad(std::size_t alignment = 32) {
    while (text_.size() % alignment != 0) text_ += '\0';
    return *this;
  }
  Bytes& zeros(std::size_t n) {
    text_.append(n, '\0');
    return *this;
  }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

Bytes header(std::uint64_t tensors, std::uint64_t items, std::uint32_t version = 3) {
  Bytes b;
  b.put('G').put('G').put('U').put('F').put(version).put(tensors).put(items);
  return b;
}

constexpr std::uint32_t kU8 = 0, kU32 = 4, kF32Value = 6, kBool = 7, kString = 8, kArray = 9;
constexpr std::uint32_t kF32 = 0, kQ4_0 = 2;

/// Name, dimensions in the file's order, type, offset.
Bytes& tensor(Bytes& b, std::string_view name, const std::vector<std::int64_t>& dims,
              std::uint32_t type, std::uint64_t offset) {
  b.string(name).put(static_cast<std::uint32_t>(dims.size()));
  for (const std::int64_t d : dims) b.put(d);
  return b.put(type).put(offset);
}

GgufFile parse(const std::string& text) {
  // Exactly as long as the file: a sanitizer sees a read past the end.
  const auto bytes = std::make_shared<std::vector<char>>(text.begin(), text.end());
  return GgufFile::parse(MappedFile(bytes->data(), bytes->size(), bytes), "x.gguf");
}

std::string refusal(const std::string& text) {
  try {
    parse(text);
  } catch (const Error& error) {
    EXPECT_TRUE(error.code() == ErrorCode::kCorrupt || error.code() == ErrorCode::kUnsupported);
    return error.message();
  }
  return "accepted";
}

/// A file of one tensor of 4 f32.
std::string small() {
  Bytes b = header(1, 1);
  b.string("general.architecture").put(kString).string("llama");
  tensor(b, "a.weight", {4}, kF32, 0).pad().zeros(32);
  return b.text();
}

TEST(Gguf, ReadsWhatWasWritten) {
  GgufMetadata metadata;
  metadata.set("general.architecture", "llama");
  metadata.set("a.bool", true);
  metadata.set("a.u16", std::uint16_t{65535});
  metadata.set("a.i32", std::int32_t{-5});
  metadata.set("a.u64", std::uint64_t{1} << 40);
  metadata.set("a.f64", 0.1);
  metadata.set("a.f32", 1e-5f);
  const std::vector<std::string> words = {"", "two", std::string("\0\xFF", 2)};
  metadata.set("a.words", std::span<const std::string>(words));
  const std::vector<float> scores = {-1.5f, 2};
  metadata.set("a.scores", std::span<const float>(scores));
  metadata.set("a.flags", GgufValue::booleans({true, false}));
  metadata.set("a.none", std::span<const std::string>());
  const std::vector<GgufTensorSource> tensors = {
      {"m",
       find_tensor_type("f32"),
       {2, 3},
       [](const auto& write) {
         const float values[] = {1, 2, 3, 4, 5, 6};
         write({reinterpret_cast<const char*>(values), 8});
         write({reinterpret_cast<const char*>(values) + 8, 16});
       }},
      {"q", find_tensor_type("Q4_0"), {5, 64}, [](const auto& write) {
         write(std::string(5 * 36, 'x'));
       }}};
  MemoryFiles files;
  const auto writer = files.open_for_write("x.gguf", WriteMode::truncate);
  write_gguf(*writer, "x.gguf", metadata, tensors);
  writer->close();

  const GgufFile file = GgufFile::open("x.gguf", files);
  EXPECT_TRUE(file.metadata() == metadata);
  EXPECT_EQ(file.metadata().number("a.f32"), 1e-5);  // the decimal, not what f32 makes of it
  EXPECT_EQ(file.metadata().integer("a.i32"), -5);
  EXPECT_EQ(file.metadata().find("a.words")->text(2), words[2]);
  ASSERT_EQ(file.tensors().size(), 2u);
  EXPECT_EQ(file.tensors()[0].shape, (Shape{2, 3}));
  EXPECT_EQ(file.tensor(*file.find("m")).to_floats(), (std::vector<float>{1, 2, 3, 4, 5, 6}));
  const Tensor blocks = file.tensor(*file.find("q"));
  EXPECT_EQ(blocks.shape(), (Shape{5, 36}));
  EXPECT_EQ(blocks.dtype(), DType::u8);
  EXPECT_EQ(static_cast<char>(blocks.bytes_begin()[179]), 'x');
  EXPECT_EQ(files.size("x.gguf") % 32, 0u);
}

TEST(Gguf, AlignmentOfTheFileIsKept) {
  GgufMetadata metadata;
  metadata.set("general.alignment", std::uint32_t{128});
  const auto one = [](const auto& write) { write(std::string(4, 'a')); };
  const GgufTensorType* f32 = find_tensor_type("F32");
  MemoryFiles files;
  const auto writer = files.open_for_write("x", WriteMode::truncate);
  write_gguf(*writer, "x", metadata, {{"a", f32, {1}, one}, {"b", f32, {1, 1}, one}});
  writer->close();
  const GgufFile file = GgufFile::open("x", files);
  EXPECT_EQ(file.alignment(), 128u);
  EXPECT_EQ(file.tensors()[1].begin % 128, 0u);
  EXPECT_EQ(file.tensors()[1].shape, (Shape{1}));
}

TEST(Gguf, VersionTwoAndAFileWithoutTensors) {
  EXPECT_EQ(parse(header(0, 0, 2).text()).version(), 2);
  EXPECT_TRUE(parse(header(0, 0).pad().text()).tensors().empty());
  EXPECT_EQ(parse(small()).tensors().size(), 1u);
}

TEST(Gguf, WriterRefusesWhatReadersWould) {
  MemoryFiles files;
  const auto writer = files.open_for_write("x", WriteMode::truncate);
  const GgufTensorType* f32 = find_tensor_type("F32");
  const auto four = [](const auto& write) { write(std::string(4, 'a')); };
  const auto write = [&](const std::vector<GgufTensorSource>& tensors) {
    write_gguf(*writer, "x", {}, tensors);
  };
  EXPECT_THROW(write({{"a", f32, {1}, four}, {"a", f32, {1}, four}}), Error);
  EXPECT_THROW(write({{std::string(64, 'a'), f32, {1}, four}}), Error);
  EXPECT_THROW(write({{"a", f32, {2}, four}}), Error);  // too few bytes
  EXPECT_THROW(write({{"a", find_tensor_type("Q4_0"), {33}, four}}), Error);
}

struct Malformed {
  const char* name;
  std::function<std::string()> make;
  const char* message;  // part of it
};

std::string with_item(const std::function<void(Bytes&)>& item) {
  Bytes b = header(0, 1);
  item(b);
  return b.zeros(64).text();
}

std::string with_tensor(std::string_view name, const std::vector<std::int64_t>& dims,
                        std::uint32_t type = kF32, std::uint64_t offset = 0) {
  Bytes b = header(1, 0);
  tensor(b, name, dims, type, offset).pad().zeros(64);
  return b.text();
}

std::string with_alignment(std::uint32_t alignment) {
  Bytes b = header(1, 1);
  b.string("general.alignment").put(kU32).put(alignment);
  return tensor(b, "a", {4}, kF32, 0).pad().zeros(64).text();
}

const Malformed kMalformed[] = {
    {"empty", [] { return std::string(); }, "not a GGUF file"},
    {"three_bytes", [] { return std::string("GGU"); }, "not a GGUF file"},
    {"magic", [] { return "FUGG" + small().substr(4); }, "not a GGUF file"},
    {"no_version", [] { return std::string("GGUF"); }, "version"},
    {"version_0", [] { return header(0, 0, 0).text(); }, "version 2 or 3, got 0"},
    {"version_1", [] { return header(0, 0, 1).text(); }, "version 1"},
    {"version_99", [] { return header(0, 0, 99).text(); }, "got 99"},
    {"big_endian", [] { return header(0, 0, 3u << 24).text(); }, "big-endian"},
    {"tensors_minus_1", [] { return header(~0ull, 0).zeros(999).text(); }, "number of tensors"},
    {"tensors_2_63", [] { return header(1ull << 63, 0).zeros(999).text(); }, "number of tensors"},
    {"tensors_billion", [] { return header(1000000000, 0).zeros(999).text(); }, "do not fit"},
    {"items_minus_1", [] { return header(0, ~0ull).zeros(999).text(); }, "metadata keys"},
    {"items_2_63", [] { return header(0, 1ull << 63).zeros(999).text(); }, "metadata keys"},
    {"items_billion", [] { return header(0, 1000000000).zeros(999).text(); }, "do not fit"},
    {"key_length_minus_1", [] { return header(0, 1).put(~0ull).zeros(64).text(); }, "are wanted"},
    {"key_of_a_gigabyte", [] { return header(0, 1).put(1ull << 30).zeros(64).text(); },
     "are wanted"},
    {"key_empty", [] { return with_item([](Bytes& b) { b.string("").put(kU8); }); }, "1 to 65535"},
    {"key_twice",
     [] {
       Bytes b = header(0, 2);
       for (int i = 0; i < 2; ++i) b.string("a").put(kU8).put('x');
       return b.text();
     },
     "twice"},
    {"key_not_utf8",
     [] { return with_item([](Bytes& b) { b.string("a\xFF").put(kU8).put('x'); }); }, "printable"},
    {"key_with_nul",
     [] {
       return with_item([](Bytes& b) { b.string(std::string_view("a\0b", 3)).put(kU8).put('x'); });
     },
     "printable"},
    {"type_99", [] { return with_item([](Bytes& b) { b.string("a").put(99u); }); }, "value type"},
    {"type_minus_1", [] { return with_item([](Bytes& b) { b.string("a").put(~0u); }); },
     "value type"},
    {"list_of_lists",
     [] { return with_item([](Bytes& b) { b.string("a").put(kArray).put(kArray).put(1ull); }); },
     "lists in lists"},
    {"list_of_2_63",
     [] {
       return with_item([](Bytes& b) { b.string("a").put(kArray).put(kF32Value).put(1ull << 63); });
     },
     "do not fit"},
    {"list_that_wraps",
     [] {
       return with_item(
           [](Bytes& b) { b.string("a").put(kArray).put(kF32Value).put((1ull << 62) + 1); });
     },
     "do not fit"},
    {"list_of_2_63_strings",
     [] {
       return with_item([](Bytes& b) { b.string("a").put(kArray).put(kString).put(1ull << 63); });
     },
     "do not fit"},
    {"string_past_the_end",
     [] { return with_item([](Bytes& b) { b.string("a").put(kString).put(1000ull); }); },
     "are wanted"},
    {"bool_of_2", [] { return with_item([](Bytes& b) { b.string("a").put(kBool).put('\2'); }); },
     "0 or 1"},
    {"alignment_0", [] { return with_alignment(0); }, "power of two"},
    {"alignment_13", [] { return with_alignment(13); }, "power of two"},
    {"alignment_1", [] { return with_alignment(1); }, "power of two"},
    {"alignment_2_31", [] { return with_alignment(1u << 31); }, "power of two"},
    {"alignment_of_wrong_type",
     [] {
       return with_item([](Bytes& b) { b.string("general.alignment").put(kString).string("32"); });
     },
     "expected a u32"},
    {"name_of_64", [] { return with_tensor(std::string(64, 'a'), {4}); }, "1 to 63"},
    {"name_empty", [] { return with_tensor("", {4}); }, "1 to 63"},
    {"name_twice",
     [] {
       Bytes b = header(2, 0);
       tensor(b, "a", {8}, kF32, 0);
       return tensor(b, "a", {8}, kF32, 32).pad().zeros(64).text();
     },
     "twice"},
    {"dimensions_0", [] { return with_tensor("a", {}); }, "dimensions, got 0"},
    {"dimensions_9", [] { return with_tensor("a", std::vector<std::int64_t>(9, 1)); }, "got 9"},
    {"dimension_of_0",
     [] {
       return with_tensor("a", {4, 0});
     },
     "absurd"},
    {"dimension_of_minus_1", [] { return with_tensor("a", {-1}); }, "absurd"},
    {"dimension_of_2_42",
     [] {
       return with_tensor("a", {(1ll << 42) + 1, 4});
     },
     "outside"},
    {"dimensions_that_wrap",
     [] {
       return with_tensor("a", {0x7FFFFFFFFFFFFFC0, 0x7FFFFFFFFFFFFFC0});
     },
     "absurd"},
    {"bytes_that_wrap",
     [] {
       return with_tensor("a", {1ll << 62, 1});
     },
     "64 bits"},
    {"part_of_a_block", [] { return with_tensor("a", {33}, kQ4_0); }, "whole blocks"},
    {"tensor_type_withdrawn", [] { return with_tensor("a", {32}, 4); }, "tensor type 4"},
    {"tensor_type_unknown", [] { return with_tensor("a", {32}, 1000); }, "forks"},
    {"offset_unaligned", [] { return with_tensor("a", {4}, kF32, 4); }, "expected offset 0"},
    {"offset_beyond", [] { return with_tensor("a", {4}, kF32, 1 << 20); }, "expected offset"},
    {"offset_that_wraps", [] { return with_tensor("a", {4}, kF32, ~0ull - 31); },
     "expected offset"},
    {"overlap",
     [] {
       Bytes b = header(2, 0);
       tensor(b, "a", {8}, kF32, 0);
       return tensor(b, "b", {8}, kF32, 0).pad().zeros(64).text();
     },
     "expected offset 32, got 0"},
    {"data_cut_off", [] { return with_tensor("a", {64}); }, "cut off"},
    {"trailing_junk", [] { return with_tensor("a", {4}) + std::string(64, 'x'); }, "follow"},
};

class GgufMalformed : public testing::TestWithParam<Malformed> {};

TEST_P(GgufMalformed, IsRefused) {
  const std::string message = refusal(GetParam().make());
  EXPECT_NE(message.find(GetParam().message), std::string::npos) << message;
  EXPECT_EQ(message.rfind("x.gguf", 0), 0u) << message;
}
INSTANTIATE_TEST_SUITE_P(All, GgufMalformed, testing::ValuesIn(kMalformed),
                         [](const auto& info) { return std::string(info.param.name); });

TEST(Gguf, CutOffAnywhereIsRefused) {
  const std::string whole = small();
  // The padding behind the last tensor may be missing; nothing else may.
  for (std::size_t n = 0; n < whole.size() - 16; ++n)
    EXPECT_NE(refusal(whole.substr(0, n)), "accepted") << n;
  EXPECT_EQ(refusal(whole.substr(0, whole.size() - 16)), "accepted");
}

TEST(GgufMetadata, KeysKeepTheirOrder) {
  GgufMetadata m;
  m.set("a", "1");
  m.set("b", "2");
  m.set("c", "3");
  m.set("b", std::uint32_t{7});
  m.remove("a");
  ASSERT_EQ(m.items().size(), 2u);
  EXPECT_EQ(m.items()[0].first, "b");
  EXPECT_EQ(m.integer("b"), 7);
  EXPECT_EQ(m.text("c"), "3");
  EXPECT_FALSE(m.contains("a"));
}

TEST(GgufMetadata, NothingIsReinterpreted) {
  GgufMetadata m;
  m.set("text", "1");
  m.set("number", 1.5f);
  m.set("large", ~std::uint64_t{0});
  const std::vector<std::int32_t> list = {1, 2};
  m.set("list", std::span<const std::int32_t>(list));
  EXPECT_THROW(m.integer("text"), Error);
  EXPECT_THROW(m.integer("number"), Error);
  EXPECT_THROW(m.integer("large"), Error);
  EXPECT_THROW(m.integer("list"), Error);
  EXPECT_THROW(m.list("list", GgufType::f32), Error);
  EXPECT_EQ(m.list("absent", GgufType::f32), nullptr);
  EXPECT_EQ(m.list("list", GgufType::i32)->count(), 2u);
}

}  // namespace
}  // namespace lathe::weights
