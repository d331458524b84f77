#include "lathe/model/weights/safetensors.h"

#include <gtest/gtest.h>

#include <cstring>

#include "lathe/base/error.h"
#include "lathe/base/memory_files.h"

namespace lathe::weights {
namespace {

std::string file_of(const std::string& header, std::size_t data) {
  std::string bytes(8, '\0');
  for (int i = 0; i < 8; ++i)
    bytes[static_cast<std::size_t>(i)] = static_cast<char>(header.size() >> 8 * i);
  return bytes + header + std::string(data, '\1');
}

std::string problem(const std::string& bytes) {
  try {
    const auto owner = std::make_shared<std::string>(bytes);
    SafetensorsFile::parse(MappedFile(owner->data(), owner->size(), owner), "f.safetensors");
  } catch (const Error& e) {
    return e.message();
  }
  return "";
}

TEST(Safetensors, WritesWhatItReads) {
  MemoryFiles files;
  const std::vector<float> values = {1, -2, 3.5f, 0, 5, 6};
  const Tensor a = Tensor::from(std::span<const float>(values), {2, 3});
  const Tensor b = Tensor::zeros({4}, DType::bf16), none = Tensor::zeros({0, 3}, DType::i32);
  write_safetensors(files, "/m", {{"a", a}, {"b", b}, {"none", none}}, {{"format", "pt"}});
  const auto file = SafetensorsFile::open("/m", files);
  EXPECT_EQ(file.names().size(), 3u);
  EXPECT_EQ(file.tensor("a").to_floats(), values);
  EXPECT_EQ(file.tensor("b").dtype(), DType::bf16);
  EXPECT_EQ(to_string(file.tensor("none").shape()), "[0,3]");
  EXPECT_EQ(file.metadata().at("format"), "pt");
  EXPECT_THROW(file.tensor("c"), Error);
}

TEST(Safetensors, RefusesWhatContradictsItself) {
  const auto one = [](const std::string& entry) { return "{\"t\":" + entry + "}"; };
  const std::string good = one(R"({"dtype":"F32","shape":[2],"data_offsets":[0,8]})");
  EXPECT_EQ(problem(file_of(good, 8)), "");
  EXPECT_NE(problem("abc").find("cut off"), std::string::npos);
  EXPECT_NE(problem(file_of(good, 8).substr(0, 20)).find("does not fit"), std::string::npos);
  EXPECT_NE(problem(file_of(good, 4)).find("outside"), std::string::npos);
  EXPECT_NE(problem(file_of("[1]", 0)).find("JSON object"), std::string::npos);
  EXPECT_NE(problem(file_of(one(R"({"dtype":"F32","shape":[3],"data_offsets":[0,8]})"), 8))
                .find("does not fill"),
            std::string::npos);
  EXPECT_NE(problem(file_of(one(R"({"dtype":"X9","shape":[2],"data_offsets":[0,8]})"), 8))
                .find("unknown type"),
            std::string::npos);
  EXPECT_NE(problem(file_of(one(R"({"dtype":"F32","shape":[-2],"data_offsets":[0,8]})"), 8))
                .find("whole number"),
            std::string::npos);
  EXPECT_NE(
      problem(
          file_of(one(R"({"dtype":"F32","shape":[4294967296,4294967296,2],"data_offsets":[0,8]})"),
                  8))
          .find("does not fill"),
      std::string::npos);
  const std::string overlap =
      R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})";
  EXPECT_NE(problem(file_of(overlap, 8)).find("overlaps"), std::string::npos);
  EXPECT_NE(problem(file_of(std::string(100000, '['), 0)).find("JSON object"), std::string::npos);
}

TEST(Safetensors, RefusesBytesThatBelongToNobodyOrToTwo) {
  const auto tensor = [](const char* name, int begin, int end) {
    return fmt::format(R"("{}":{{"dtype":"U8","shape":[{}],"data_offsets":[{},{}]}})", name,
                       end - begin, begin, end);
  };
  const auto header = [](const std::string& entries) { return "{" + entries + "}"; };
  const auto expect = [](const std::string& bytes, const char* part) {
    EXPECT_NE(problem(bytes).find(part), std::string::npos) << problem(bytes);
  };
  expect(file_of(header(tensor("a", 0, 4)), 5), "1 bytes behind the last tensor");
  expect(file_of(header(tensor("a", 1, 4)), 4), "leaves a gap");
  expect(file_of(header(tensor("a", 0, 2) + "," + tensor("b", 3, 4)), 4), "leaves a gap");
  expect(file_of(header(tensor("a", 0, 2) + "," + tensor("a", 2, 4)), 4), "'a' twice");
  expect(file_of(header(tensor("a", 0, 2) + "," + tensor("b", 0, 2)), 2), "overlaps");
  expect(file_of(header(tensor("a", 0, 4) + "," + tensor("b", 2, 2)), 4), "overlaps");
  EXPECT_EQ(problem(file_of(header(tensor("a", 0, 0) + "," + tensor("b", 0, 2)), 2)), "");
  expect(file_of(" " + header(tensor("a", 0, 4)), 4), "JSON object");
  expect(file_of("\xEF\xBB\xBF" + header(tensor("a", 0, 4)), 4), "JSON object");
  expect(file_of(header("\"__metadata__\":3," + tensor("a", 0, 4)), 4), "__metadata__");
  expect(file_of(header("\"__metadata__\":{\"x\":3}," + tensor("a", 0, 4)), 4),
         "expected a string");
  expect(file_of(header("\"\xFF\":" + tensor("a", 0, 4)), 4), "JSON object");
}

TEST(Safetensors, TensorsKeepTheFileAlive) {
  MemoryFiles files;
  write_safetensors(files, "/m", {{"a", Tensor::zeros({3}, DType::f32)}});
  Tensor a;
  {
    const auto file = SafetensorsFile::open("/m", files);
    a = file.tensor("a");
  }
  EXPECT_EQ(a.to_floats(), std::vector<float>({0, 0, 0}));
}

}  // namespace
}  // namespace lathe::weights
