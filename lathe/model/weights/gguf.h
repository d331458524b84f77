// The GGUF container: metadata, a list of tensors, raw little-endian data.
// Source: the format's published description (ggml, docs/gguf.md), versions 2 and 3.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "lathe/base/files.h"
#include "lathe/engine/tensor/tensor.h"
#include "lathe/model/weights/gguf_metadata.h"

namespace lathe::weights {

/// A tensor as the file lists it. The shape is row-major, the reverse of the file's; the last
/// dimension is the row that is cut into blocks.
struct GgufTensor {
  std::string name;
  const GgufTensorType* type = nullptr;
  Shape shape;
  std::size_t part = 0;   // which file of a split model
  std::size_t begin = 0;  // bytes from the start of that file
  std::size_t bytes = 0;

  std::int64_t row_length() const { return shape.at(-1); }
  std::int64_t rows() const { return shape.count() / row_length(); }
};

/// A file, mapped: tensors are read when they are used, and keep the mapping alive.
class GgufFile {
 public:
  /// Of a split model ("name-00001-of-00003.gguf") the first part opens all as one: its metadata
  /// without the keys "split.*", and the tensors of all. Throws NotFound, Io; Unsupported for a
  /// version, byte order or tensor type that is not known; Corrupt naming the file, the key or
  /// tensor and what is wrong with it. Memory that is taken stays within the size of the file's
  /// head.
  static GgufFile open(const std::string& path, const FileSystem& files = real_files());
  /// From bytes in memory; `subject` stands in messages where the path would.
  static GgufFile parse(const MappedFile& file, const std::string& subject);

  const std::string& subject() const { return parts_.front(); }
  /// The paths of all files that the tensors lie in; parts()[0] is the subject.
  const std::vector<std::string>& parts() const { return parts_; }
  int version() const { return version_; }
  std::size_t alignment() const { return alignment_; }
  const GgufMetadata& metadata() const { return metadata_; }
  /// In file order.
  const std::vector<GgufTensor>& tensors() const { return tensors_; }
  const GgufTensor* find(std::string_view name) const;

  /// The data as it lies in the file, read-only: numbers in the tensor's shape, blocks as u8
  /// [rows, bytes of a row]. Throws Unsupported for types that are only listed.
  Tensor tensor(const GgufTensor& tensor) const;

 private:
  void join_parts(std::int64_t count, const FileSystem& files);

  std::vector<std::string> parts_;
  int version_ = 0;
  std::size_t alignment_ = 32;
  GgufMetadata metadata_;
  std::vector<GgufTensor> tensors_;
  std::map<std::string, std::size_t, std::less<>> index_;
  std::vector<std::shared_ptr<Storage>> storages_;  // one a part
};

}  // namespace lathe::weights
