#include "lathe/life/runs/tensorboard.h"

#include <unistd.h>

#include <array>
#include <bit>
#include <cmath>

#include "lathe/base/error.h"
#include "lathe/base/log.h"
#include "lathe/life/runs/host.h"
#include "lathe/life/runs/text.h"

namespace lathe::runs {
namespace {

constexpr std::array<std::uint32_t, 256> crc_table() {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < 256; ++i) {
    std::uint32_t c = i;
    for (int bit = 0; bit < 8; ++bit) c = (c >> 1) ^ ((c & 1) != 0 ? 0x82F63B78u : 0u);
    table[i] = c;
  }
  return table;
}

void put_fixed(std::string& out, std::uint64_t value, int bytes) {
  for (int i = 0; i < bytes; ++i) out += static_cast<char>(value >> (8 * i) & 0xFF);
}

std::uint32_t masked_crc(std::string_view bytes) {
  const std::uint32_t crc = crc32c(bytes);
  return std::rotr(crc, 15) + 0xa282ead8u;
}

// A protocol buffer message under construction; fields are appended in ascending number.
class Message {
 public:
  Message& varint(int field, std::uint64_t value) {
    key(field, 0);
    put_varint(value);
    return *this;
  }
  Message& number(int field, double value) {
    key(field, 1);
    put_fixed(bytes_, std::bit_cast<std::uint64_t>(value), 8);
    return *this;
  }
  Message& single(int field, float value) {
    key(field, 5);
    put_fixed(bytes_, std::bit_cast<std::uint32_t>(value), 4);
    return *this;
  }
  Message& bytes(int field, std::string_view value) {
    key(field, 2);
    put_varint(value.size());
    bytes_ += value;
    return *this;
  }
  Message& message(int field, const Message& value) { return bytes(field, value.bytes_); }

  const std::string& done() const { return bytes_; }

 private:
  void key(int field, int wire) { put_varint(static_cast<std::uint64_t>(field << 3 | wire)); }
  void put_varint(std::uint64_t value) {
    for (; value >= 0x80; value >>= 7) bytes_ += static_cast<char>(value | 0x80);
    bytes_ += static_cast<char>(value);
  }

  std::string bytes_;
};

Message event(double wall_time, std::int64_t step) {
  Message m;
  m.number(1, wall_time);
  if (step != 0) m.varint(2, static_cast<std::uint64_t>(step));  // zero is never written (proto3)
  return m;
}

// Four spaces make a line of Markdown stand as it is, whatever it holds.
std::string verbatim(std::string_view text) {
  std::string out = "    ";
  for (const char c : clean_utf8(text)) {
    out += c;
    if (c == '\n') out += "    ";
  }
  return out;
}

std::string safe_file_part(std::string text) {
  for (char& c : text) {
    const bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (!plain && c != '-' && c != '_') c = '-';
  }
  return text.substr(0, 64);
}

}  // namespace

std::uint32_t crc32c(std::string_view bytes) {
  static constexpr std::array<std::uint32_t, 256> kTable = crc_table();
  std::uint32_t crc = ~0u;
  for (const char c : bytes) crc = kTable[(crc ^ static_cast<std::uint8_t>(c)) & 0xFF] ^ (crc >> 8);
  return ~crc;
}

std::string tf_record(std::string_view payload) {
  std::string out;
  put_fixed(out, payload.size(), 8);
  put_fixed(out, masked_crc(out), 4);
  out += payload;
  put_fixed(out, masked_crc(payload), 4);
  return out;
}

std::string version_event(double wall_time) {
  return event(wall_time, 0).bytes(3, "brain.Event:2").done();
}

std::string restart_event(double wall_time, std::int64_t step) {
  constexpr std::uint64_t kStart = 1;
  return event(wall_time, step).message(7, Message().varint(1, kStart)).done();
}

std::string scalars_event(double wall_time, std::int64_t step, std::span<const Scalar> scalars) {
  Message summary;
  for (const Scalar& scalar : scalars) {
    const auto value = static_cast<float>(scalar.value);
    summary.message(1, Message().bytes(1, clean_utf8(scalar.tag)).single(2, value));
  }
  return event(wall_time, step).message(5, summary).done();
}

std::string text_event(double wall_time, std::int64_t step, std::string_view tag,
                       std::string_view text) {
  constexpr std::uint64_t kTypeString = 7, kClassTensor = 2;
  const Message shape = Message().message(2, Message().varint(1, 1));  // one dimension of size 1
  const Message tensor =
      Message().varint(1, kTypeString).message(2, shape).bytes(8, verbatim(text));
  const Message metadata = Message().message(1, Message().bytes(1, "text")).varint(4, kClassTensor);
  const Message value = Message().bytes(1, clean_utf8(tag)).message(8, tensor).message(9, metadata);
  return event(wall_time, step).message(5, Message().message(1, value)).done();
}

std::vector<Scalar> scalars_of(const StepMetrics& m) {
  std::vector<Scalar> out = {{"loss", m.loss}};
  const auto add = [&](std::string_view tag, const std::optional<double>& value) {
    if (value) out.push_back({tag, *value});
  };
  add("bits_per_byte", m.bits_per_byte);
  add("lr", m.lr);
  add("tokens_per_second", m.tokens_per_second);
  add("mfu", m.mfu);
  add("grad_norm", m.grad_norm);
  add("valid_loss", m.valid_loss);
  add("valid_bpb", m.valid_bpb);
  for (const auto& [name, value] : m.extra) out.push_back({name, value});
  return out;
}

EventWriter::EventWriter(FileSystem& files, const std::string& folder, double wall_time,
                         std::int64_t first_step) {
  const std::string stem =
      fmt::format("events.out.tfevents.{:010}.{}.{}", static_cast<std::int64_t>(wall_time),
                  safe_file_part(host_name()), ::getpid());
  try {
    int n = 0;
    do {
      path_ = join_path(folder, fmt::format("{}.{}", stem, n++));
    } while (files.exists(path_));
    file_ = files.open_for_write(path_, WriteMode::append);
  } catch (const Error& e) {
    log::warning("{}; training goes on without TensorBoard events", e.message());
    path_.clear();
    return;
  }
  append(version_event(wall_time));
  if (first_step > 0) append(restart_event(wall_time, first_step));
}

void EventWriter::write(double wall_time, const StepMetrics& metrics) {
  append(scalars_event(wall_time, metrics.step, scalars_of(metrics)));
}

void EventWriter::text(double wall_time, std::int64_t step, std::string_view tag,
                       std::string_view text) {
  append(text_event(wall_time, step, tag, text));
}

void EventWriter::append(std::string_view payload) {
  if (file_ == nullptr) return;
  try {
    file_->write(tf_record(payload));
  } catch (const Error& e) {
    // Half a record would make TensorBoard misread whatever follows, so nothing may follow.
    log::warning("{}; no more TensorBoard events in this session", e.message());
    file_.reset();
  }
}

void EventWriter::sync() {
  if (file_ == nullptr) return;
  try {
    file_->sync();
  } catch (const Error& e) {
    log::warning("{}", e.message());
  }
}

}  // namespace lathe::runs
