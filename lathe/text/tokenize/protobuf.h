// The fields of a protocol buffer message, one after another, inside the bytes there are.
// Source: protobuf.dev/programming-guides/encoding.
#pragma once

#include <bit>
#include <cstdint>
#include <string_view>

#include "lathe/base/error.h"

namespace lathe::tokenize {

/// Reads one message. Throws kCorrupt with the message's name for what is cut off or no wire type.
class ProtoMessage {
 public:
  ProtoMessage(std::string_view bytes, std::string_view name) : left_(bytes), name_(name) {}

  /// Steps to the next field; false at the end. Values are those of the field stepped to.
  bool next() {
    if (left_.empty()) return false;
    const std::uint64_t tag = take_varint();
    field_ = tag >> 3;
    switch (tag & 7) {
      case 0:
        number_ = take_varint();
        bytes_ = {};
        return true;
      case 1:
        bytes_ = take(8);
        return true;
      case 2:
        bytes_ = take(take_varint());
        return true;
      case 5:
        bytes_ = take(4);
        number_ = 0;
        for (int i = 3; i >= 0; --i)
          number_ = number_ << 8 | static_cast<unsigned char>(bytes_[static_cast<std::size_t>(i)]);
        return true;
      default:
        fail(ErrorCode::kCorrupt, "{}: field {} has the wire type {}, which is none", name_, field_,
             tag & 7);
    }
  }

  std::uint64_t field() const { return field_; }
  std::string_view bytes() const { return bytes_; }  // strings, messages
  bool flag() const { return number_ != 0; }
  std::int32_t int32() const { return static_cast<std::int32_t>(number_); }
  float number() const { return std::bit_cast<float>(static_cast<std::uint32_t>(number_)); }

 private:
  std::uint64_t take_varint() {
    std::uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      const auto byte = static_cast<unsigned char>(take(1)[0]);
      value |= std::uint64_t{byte & 0x7Fu} << shift;
      if (byte < 0x80) return value;
    }
    fail(ErrorCode::kCorrupt, "{}: a number of more than 64 bits", name_);
  }
  std::string_view take(std::uint64_t size) {
    if (size > left_.size())
      fail(ErrorCode::kCorrupt, "{}: field {} has {} bytes, but {} are left", name_, field_, size,
           left_.size());
    const std::string_view taken = left_.substr(0, size);
    left_.remove_prefix(size);
    return taken;
  }

  std::string_view left_, name_, bytes_;
  std::uint64_t field_ = 0, number_ = 0;
};

}  // namespace lathe::tokenize
