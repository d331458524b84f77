#include "lathe/data/records.h"

#include <algorithm>
#include <utility>

#include "lathe/base/error.h"
#include "lathe/base/format.h"
#include "lathe/data/line_reader.h"
#include "lathe/data/text.h"

namespace lathe::data {
namespace {

using Use = std::function<void(const Record&)>;

bool is_blank(std::string_view line) {
  return line.find_first_not_of(" \t\r\n") == std::string_view::npos;
}

/// Of raw bytes that hold several lines: how many come before the first that ends in CR LF.
std::int64_t lines_before_crlf(std::string_view raw) {
  const std::size_t at = std::min(raw.find("\r\n"), raw.size());
  return at == raw.size() ? 0 : std::count(raw.begin(), raw.begin() + at, '\n');
}

/// What both formats share: decoding a record and telling the intake.
class Scanner {
 protected:
  Scanner(Format format, const SourceOptions& options, Intake& intake, const Use& use)
      : options_(options), intake_(intake), use_(use), decoder_(format, options.field) {}

  /// Hands on a sound record and returns true; otherwise notes why not.
  bool emit(std::string_view raw, Record record) {
    const auto decoded = decoder_.decode(raw);
    if (!decoded.ok) {
      std::int64_t line = record.line;
      const std::string detail = decoder_.explain(raw, line);
      intake_.note(decoded.issue, line, detail);
      return false;
    }
    if (decoded.text.empty()) {
      intake_.note(Issue::kEmptyDocument, record.line, "expected text, got an empty document");
      return false;
    }
    if (decoded.crlf > 0) note_crlf(record.line + lines_before_crlf(raw), decoded.crlf);
    record.length = static_cast<std::uint32_t>(raw.size());
    record.text = decoded.text;
    intake_.report().parts += 1;
    intake_.report().text_bytes += static_cast<std::int64_t>(decoded.text.size());
    use_(record);
    return true;
  }

  void note_crlf(std::int64_t line, std::int64_t count) {
    intake_.note(Issue::kCrlf, line, "expected line ends of LF, got CR LF", count);
  }

  void note_start(const LineReader& lines) {
    if (lines.had_byte_order_mark())
      intake_.note(Issue::kByteOrderMark, 1, "expected text, got a byte order mark before it");
  }

  void note_end(const LineReader& lines, bool any) {
    intake_.report().read_bytes += static_cast<std::int64_t>(lines.offset());
    if (!any) intake_.note(Issue::kEmptyFile, 1, "expected text, got an empty file");
  }

  const SourceOptions& options_;
  Intake& intake_;
  const Use& use_;
  RecordDecoder decoder_;
};

class JsonScanner final : Scanner {
 public:
  JsonScanner(const SourceOptions& options, Intake& intake, const Use& use)
      : Scanner(Format::kJsonLines, options, intake, use) {}

  void scan(LineReader& lines) {
    note_start(lines);
    const auto limit = static_cast<std::size_t>(options_.max_line_bytes);
    LineReader::Piece piece;
    bool any = false;
    while (lines.next(piece, limit + 2)) {  // 2: CR LF
      std::string_view line = piece.bytes;
      const bool crlf = line.ends_with("\r\n");
      if (piece.ends_line) line.remove_suffix(crlf ? 2 : 1);
      if (line.size() > limit) {
        any = true;
        pass_over(lines, piece);
      } else if (is_blank(line)) {
        intake_.note(Issue::kBlankLine, piece.line, "expected a JSON object, got a blank line");
      } else {
        any = true;
        if (crlf) note_crlf(piece.line, 1);
        if (emit(line, {.offset = piece.offset, .line = piece.line}))
          intake_.report().documents += 1;
      }
    }
    note_end(lines, any);
  }

 private:
  void pass_over(LineReader& lines, LineReader::Piece piece) {
    const std::int64_t line = piece.line;
    std::uint64_t length = piece.bytes.size();
    while (!piece.ends_line && lines.next(piece, 1 << 16)) length += piece.bytes.size();
    intake_.note(Issue::kTooLong, line,
                 fmt::format("expected a line of at most {}, got {}",
                             human_bytes(static_cast<double>(options_.max_line_bytes)),
                             human_bytes(static_cast<double>(length))));
  }
};

/// .txt: gathers the bytes of a document and hands them on in parts.
class TextScanner final : Scanner {
 public:
  TextScanner(const SourceOptions& options, Intake& intake, const Use& use)
      : Scanner(Format::kText, options, intake, use),
        part_bytes_(static_cast<std::size_t>(options.part_bytes)) {}

  void scan(LineReader& lines) {
    note_start(lines);
    const bool whole = options_.split == "file";
    LineReader::Piece piece;
    bool any = false, line_starts = true;
    while (lines.next(piece, part_bytes_)) {
      const bool blank = line_starts && piece.ends_line && is_blank(piece.bytes);
      line_starts = piece.ends_line;
      any = any || whole || !blank;
      if (whole) {
        append(piece.bytes, piece);
      } else if (blank) {
        if (options_.split == "line")
          intake_.note(Issue::kBlankLine, piece.line, "expected text, got a blank line");
        finish();
      } else {
        append_line(piece);
        if (options_.split == "line" && piece.ends_line) finish();
      }
    }
    finish();
    note_end(lines, any);
  }

 private:
  /// Line ends inside a document belong to it, the one after it does not: each waits for the next
  /// line of the same document.
  void append_line(const LineReader::Piece& piece) {
    std::string_view bytes = piece.bytes;
    std::string_view end;
    if (piece.ends_line) {
      const std::size_t n = bytes.ends_with("\r\n") ? 2 : 1;
      end = bytes.substr(bytes.size() - n);
      bytes.remove_suffix(n);
    }
    if (!line_end_.empty()) {
      LineReader::Piece before = piece;
      before.offset -= line_end_.size();
      before.line -= 1;
      append(std::exchange(line_end_, {}), before);
    }
    append(bytes, piece);
    line_end_ = end;
  }

  void append(std::string_view bytes, const LineReader::Piece& piece) {
    if (bytes.empty()) return;
    if (buffer_.empty()) {
      offset_ = piece.offset;
      line_ = piece.line;
    }
    buffer_ += bytes;
    while (buffer_.size() > part_bytes_) {
      const std::size_t cut = cut_point(buffer_, part_bytes_);
      hand_on(std::string_view(buffer_).substr(0, cut), true);
      line_ +=
          std::count(buffer_.begin(), buffer_.begin() + static_cast<std::ptrdiff_t>(cut), '\n');
      buffer_.erase(0, cut);
      offset_ += cut;
    }
  }

  void finish() {
    // The line end after a document is not part of it, but a CR LF there is still worth a notice.
    if (line_end_.size() == 2) note_crlf(line_, 1);
    line_end_.clear();
    if (!buffer_.empty()) hand_on(buffer_, false);
    if (parts_ > 1) {
      intake_.note(
          Issue::kCutInParts, first_line_,
          fmt::format("a text longer than {} bytes comes in {} parts", part_bytes_, parts_));
    }
    if (kept_ > 0) intake_.report().documents += 1;
    buffer_.clear();
    parts_ = kept_ = 0;
  }

  void hand_on(std::string_view raw, bool continues) {
    if (parts_++ == 0) first_line_ = line_;
    if (emit(raw, {.offset = offset_, .continues = continues, .line = line_})) ++kept_;
  }

  std::size_t part_bytes_;
  std::string buffer_;
  std::string line_end_;
  std::uint64_t offset_ = 0;     // of buffer_[0] in the file
  std::int64_t line_ = 1;        // of buffer_[0]
  std::int64_t first_line_ = 1;  // of the document
  std::int64_t parts_ = 0, kept_ = 0;
};

}  // namespace

RecordDecoder::Decoded RecordDecoder::decode(std::string_view raw) {
  Decoded decoded;
  if (format_ == Format::kJsonLines) {
    outcome_ = json_.parse(raw, field_);
    decoded.ok = outcome_.ok;
    decoded.text = outcome_.text;
    decoded.issue = outcome_.issue;
  } else {
    decoded.ok = is_utf8(raw);
    decoded.text = raw;
  }
  if (decoded.ok && decoded.text.find("\r\n") != std::string_view::npos) {
    converted_ = decoded.text;
    decoded.crlf = convert_crlf(converted_);
    decoded.text = converted_;
  }
  return decoded;
}

std::string RecordDecoder::explain(std::string_view raw, std::int64_t& line) const {
  if (format_ == Format::kJsonLines) return json_.explain(raw, field_, outcome_);
  const std::size_t bad = first_bad_utf8(raw);
  const std::string_view before = raw.substr(0, bad);
  line += std::count(before.begin(), before.end(), '\n');
  const std::size_t start =
      before.rfind('\n') == std::string_view::npos ? 0 : before.rfind('\n') + 1;
  return explain_bad_utf8(raw.substr(start));
}

void scan_records(ByteStream& stream, Format format, const SourceOptions& options, Intake& intake,
                  const Use& use) {
  intake.report().files += 1;
  LineReader lines(stream);
  if (format == Format::kJsonLines) {
    JsonScanner(options, intake, use).scan(lines);
  } else {
    TextScanner(options, intake, use).scan(lines);
  }
}

}  // namespace lathe::data
