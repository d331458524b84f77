// The safetensors container: an 8-byte header length, a JSON header, raw little-endian tensors.
// Source: the format's published description (huggingface/safetensors, "Format").
#pragma once

#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "lathe/base/files.h"
#include "lathe/engine/tensor/tensor.h"
#include "lathe/model/weights/weight_source.h"

namespace lathe::weights {

/// A file, mapped: nothing is read before it is used. Tensors keep the mapping alive.
class SafetensorsFile {
 public:
  /// Throws NotFound, Io, or Corrupt naming the file, the tensor and what is wrong with it: a
  /// header that is too long or no JSON, a name twice, an unknown type, a size that does not fit
  /// its offsets, offsets outside the file, overlapping or with gaps.
  static SafetensorsFile open(const std::string& path, const FileSystem& files = real_files());
  /// From bytes in memory; `subject` stands in messages where the path would.
  static SafetensorsFile parse(const MappedFile& file, const std::string& subject);

  /// Names in file order.
  const std::vector<std::string>& names() const { return names_; }
  bool contains(const std::string& name) const { return tensors_.contains(name); }
  /// Shape and type, also of types that tensor() refuses. Throws NotFound.
  StoredFacts facts(const std::string& name) const;
  /// A view of the mapping, read-only. Throws NotFound, or Unsupported for i64 and other types that
  /// the engine does not compute with.
  Tensor tensor(const std::string& name) const;
  const std::map<std::string, std::string>& metadata() const { return metadata_; }

 private:
  struct Entry {
    std::string dtype;
    Shape shape;
    std::size_t begin = 0, end = 0;  // bytes from the start of the file
  };

  const Entry& entry(const std::string& name) const;
  void take_order(std::vector<std::pair<std::size_t, std::string>>& order, std::size_t data_begin,
                  std::size_t data_size);

  std::string subject_;
  std::shared_ptr<Storage> storage_;
  std::vector<std::string> names_;
  std::map<std::string, Entry> tensors_;
  std::map<std::string, std::string> metadata_;
};

using NamedTensors = std::vector<std::pair<std::string, Tensor>>;

/// A tensor that is made only when it is written, so that a writer holds one at a time.
struct TensorSource {
  std::string name;
  DType dtype;
  Shape shape;
  std::function<Tensor()> read;
};

/// Writes all tensors in the given order; `subject` stands in messages where the path would. The
/// caller syncs and closes. Throws Io; InvalidArgument where a tensor is not contiguous memory, not
/// as announced, or a name comes twice.
void write_safetensors(FileWriter& writer, const std::string& subject,
                       const std::vector<TensorSource>& tensors,
                       const std::map<std::string, std::string>& metadata = {});
void write_safetensors(FileWriter& writer, const std::string& subject, const NamedTensors& tensors,
                       const std::map<std::string, std::string>& metadata = {});

/// The same into a file, synced. It is written as it is: put it into a folder that is renamed
/// afterwards, or write to a temporary name.
void write_safetensors(FileSystem& files, const std::string& path, const NamedTensors& tensors,
                       const std::map<std::string, std::string>& metadata = {});

}  // namespace lathe::weights
