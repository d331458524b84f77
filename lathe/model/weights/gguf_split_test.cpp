#include <fmt/format.h>
#include <gtest/gtest.h>

#include "lathe/base/error.h"
#include "lathe/base/memory_files.h"
#include "lathe/model/weights/gguf.h"
#include "lathe/model/weights/gguf_weights.h"
#include "lathe/model/weights/gguf_write.h"

namespace lathe::weights {
namespace {

std::string part_name(int number, int count) {
  return fmt::format("m-{:05}-of-{:05}.gguf", number + 1, count);
}

/// A part as gguf-split writes it: numbers in all, the model's own keys in the first.
void write_part(FileSystem& files, const std::string& path, int number, int count, int tensors,
                const std::vector<std::pair<std::string, float>>& values) {
  GgufMetadata m;
  if (number == 0) m.set("general.architecture", "llama");
  m.set("split.no", static_cast<std::uint16_t>(number));
  m.set("split.count", static_cast<std::uint16_t>(count));
  m.set("split.tensors.count", static_cast<std::int32_t>(tensors));
  std::vector<GgufTensorSource> sources;
  for (const auto& [name, value] : values)
    sources.push_back({name, find_tensor_type("F32"), {2, 2}, [value](const auto& write) {
                         const std::vector<float> all(4, value);
                         write({reinterpret_cast<const char*>(all.data()), 16});
                       }});
  const auto writer = files.open_for_write(path, WriteMode::truncate);
  write_gguf(*writer, path, m, sources);
  writer->close();
}

/// Three parts, the first without tensors, as --no-tensor-first-split makes it.
void write_three_parts(MemoryFiles& files) {
  write_part(files, part_name(0, 3), 0, 3, 3, {});
  write_part(files, part_name(1, 3), 1, 3, 3, {{"output.weight", 1}, {"token_embd.weight", 2}});
  write_part(files, part_name(2, 3), 2, 3, 3, {{"blk.0.ffn_up.weight", 3}});
}

Error error_of(const FileSystem& files, const std::string& path) {
  try {
    GgufFile::open(path, files);
  } catch (const Error& error) {
    return error;
  }
  return Error(ErrorCode::kInternal, "nothing was thrown");
}

void expect_error(const FileSystem& files, const std::string& path, ErrorCode code,
                  const std::string& part) {
  const Error error = error_of(files, path);
  EXPECT_EQ(error.code(), code);
  EXPECT_NE(error.message().find(part), std::string::npos) << error.message();
}

TEST(GgufSplit, TheFirstPartOpensAll) {
  MemoryFiles files;
  write_three_parts(files);
  const GgufFile file = GgufFile::open(part_name(0, 3), files);
  EXPECT_EQ(file.parts().size(), 3u);
  EXPECT_EQ(file.tensors().size(), 3u);
  EXPECT_FALSE(file.metadata().contains("split.count"));  // it is a whole now
  EXPECT_EQ(file.tensor(*file.find("token_embd.weight")).to_floats(), std::vector<float>(4, 2));
  const GgufWeights w(file, {1, 1});
  EXPECT_EQ(w.get("model.layers.0.mlp.up_proj.weight").tensor.to_floats(),
            std::vector<float>(4, 3));
  EXPECT_EQ(w.file_of("model.layers.0.mlp.up_proj.weight"), part_name(2, 3));
}

TEST(GgufSplit, MissingAndWrongPartsAreNamed) {
  MemoryFiles files;
  write_three_parts(files);
  expect_error(files, part_name(1, 3), ErrorCode::kInvalidArgument, "open the first one, m-00001-");
  files.rename(part_name(2, 3), "elsewhere");
  expect_error(files, part_name(0, 3), ErrorCode::kNotFound,
               "part 3 of 3 is missing: " + part_name(2, 3));
  write_part(files, part_name(2, 3), 1, 3, 3, {{"blk.0.ffn_up.weight", 3}});
  expect_error(files, part_name(0, 3), ErrorCode::kCorrupt, "expected part 3 of 3");
  write_part(files, part_name(2, 3), 2, 3, 3, {{"output.weight", 3}});
  expect_error(files, part_name(0, 3), ErrorCode::kCorrupt, "also in another part");
  write_part(files, part_name(2, 3), 2, 3, 3, {});
  expect_error(files, part_name(0, 3), ErrorCode::kCorrupt, "expected 3 tensors in 3 parts");
  files.rename(part_name(0, 3), "renamed.gguf");
  expect_error(files, "renamed.gguf", ErrorCode::kInvalidArgument, "-00001-of-00003.gguf");
}

TEST(GgufSplit, JoinedAgainItIsNoPart) {
  MemoryFiles files;
  write_part(files, "m.gguf", 0, 0, 1, {{"output.weight", 1}});  // --merge leaves a count of 0
  EXPECT_EQ(GgufFile::open("m.gguf", files).parts().size(), 1u);
}

}  // namespace
}  // namespace lathe::weights
