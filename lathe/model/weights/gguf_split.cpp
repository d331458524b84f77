// Models in several files, as llama.cpp's gguf-split writes them.
#include <fmt/format.h>

#include "lathe/base/error.h"
#include "lathe/model/weights/gguf.h"

namespace lathe::weights {
namespace {

constexpr const char* kNumber = "split.no";  // from 0
constexpr const char* kCount = "split.count";
constexpr const char* kTensors = "split.tensors.count";  // of all parts
constexpr std::int64_t kMostParts = 65535;               // the key is a u16

std::string ending(std::int64_t number, std::int64_t count) {
  return fmt::format("-{:05}-of-{:05}.gguf", number + 1, count);
}

/// What all parts are called before their numbers. Throws where `path` is not the first part.
std::string common_name(const std::string& path, std::int64_t number, std::int64_t count) {
  if (count > kMostParts || number < 0 || number >= count)
    fail(ErrorCode::kCorrupt, "{}: part {} of {} makes no sense", path, number, count);
  const std::string own = ending(number, count);
  if (!path.ends_with(own))
    fail(ErrorCode::kInvalidArgument,
         "{}: part {} of {}: expected a name that ends in {}, by which the others are found", path,
         number + 1, count, own);
  const std::string common = path.substr(0, path.size() - own.size());
  if (number != 0)
    fail(ErrorCode::kInvalidArgument, "{}: this is part {} of {}; open the first one, {}", path,
         number + 1, count, common + ending(0, count));
  return common;
}

}  // namespace

GgufFile GgufFile::open(const std::string& path, const FileSystem& files) {
  GgufFile out = parse(files.map(path), path);
  const std::int64_t count = out.metadata_.integer(kCount).value_or(1);
  if (count > 1) out.join_parts(count, files);
  return out;
}

void GgufFile::join_parts(std::int64_t count, const FileSystem& files) {
  const std::string first = subject();
  const std::string common = common_name(first, metadata_.integer(kNumber).value_or(0), count);
  for (std::int64_t number = 1; number < count; ++number) {
    const std::string path = common + ending(number, count);
    if (!files.exists(path))
      fail(ErrorCode::kNotFound, "{}: part {} of {} is missing: {}", first, number + 1, count,
           path);
    const GgufFile part = parse(files.map(path), path);
    if (part.metadata_.integer(kNumber) != number || part.metadata_.integer(kCount) != count)
      fail(ErrorCode::kCorrupt, "{}: expected part {} of {} by its metadata, too ({}, {})", path,
           number + 1, count, kNumber, kCount);
    parts_.push_back(path);
    storages_.push_back(part.storages_.front());
    for (GgufTensor tensor : part.tensors_) {
      if (!index_.try_emplace(tensor.name, tensors_.size()).second)
        fail(ErrorCode::kCorrupt, "{}: tensor '{}' is also in another part", path, tensor.name);
      tensor.part = static_cast<std::size_t>(number);
      tensors_.push_back(std::move(tensor));
    }
  }
  const auto total = static_cast<std::int64_t>(tensors_.size());
  if (const auto expected = metadata_.integer(kTensors); expected && *expected != total)
    fail(ErrorCode::kCorrupt, "{}: expected {} tensors in {} parts, found {}", first, *expected,
         count, total);
  for (const char* key : {kNumber, kCount, kTensors}) metadata_.remove(key);
}

}  // namespace lathe::weights
