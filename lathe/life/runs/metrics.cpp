#include "lathe/life/runs/metrics.h"

#include <algorithm>
#include <cmath>
#include <type_traits>

#include "lathe/base/error.h"
#include "lathe/base/json.h"
#include "lathe/base/log.h"
#include "lathe/base/result.h"
#include "lathe/life/runs/format.h"
#include "lathe/life/runs/text.h"
#include "lathe/life/runs/tree_values.h"

namespace lathe::runs {
namespace {

constexpr std::size_t kLongestLine = 1 << 20;
constexpr std::size_t kMostPending = 1 << 20;
constexpr std::size_t kMostProblems = 20;

template <typename T>
constexpr bool kIsOptional = requires(T value) { value.has_value(); };

std::string json_string(std::string_view text) { return print_json(Tree::of(clean_utf8(text))); }

void put(std::string& out, std::string_view name, const std::string& value) {
  out += out.size() == 1 ? "\"" : ",\"";
  out += name;
  out += "\":";
  out += value;
}

template <typename T>
std::string value_text(const T& value) {
  if constexpr (std::is_same_v<T, std::string>) {
    return json_string(value);
  } else if constexpr (std::is_same_v<T, double>) {
    return json_number(value);
  } else {
    return std::to_string(value);
  }
}

bool is_member(std::string_view name) {
  bool found = false;
  StepMetrics m;
  StepMetrics::each(m, [&](std::string_view member, auto&) { found = found || member == name; });
  return found;
}

Result<Tree> parse_object(std::string_view line) {
  if (line.size() > kLongestLine) {
    return Error(ErrorCode::kCorrupt, "the line is longer than 1 MiB");
  }
  try {
    Tree json = parse_json(line, "line");
    if (json.kind == Tree::Kind::table) return json;
  } catch (const Error&) {
  }
  return Error(ErrorCode::kCorrupt, "not a JSON object");
}

Result<StepMetrics> parse_line(std::string_view line) {
  Result<Tree> json = parse_object(line);
  if (!json) return json.error();
  StepMetrics out;
  std::string wrong;
  StepMetrics::each(out, [&](const char* name, auto& member) {
    const Tree* found = json->find(name);
    if (found != nullptr && !take(*found, member)) wrong = name;
  });
  if (!wrong.empty()) return Error(ErrorCode::kCorrupt, "'" + wrong + "' has the wrong type");
  if (json->find("step") == nullptr) return Error(ErrorCode::kCorrupt, "'step' is missing");
  for (std::size_t i = 0; i < json->items.size(); ++i) {
    const std::string& name = json->keys[i];
    if (!is_number(json->items[i]) || is_member(name)) continue;
    out.extra.emplace_back(name, number_of(json->items[i]));
  }
  return out;
}

// A second line of the same step brings what the first one lacked, for instance validation.
void merge(StepMetrics& into, StepMetrics&& from) {
  StepMetrics::each(into, [&](std::string_view name, auto& member) {
    StepMetrics::each(from, [&](std::string_view other, auto& value) {
      using T = std::remove_reference_t<decltype(member)>;
      if constexpr (std::is_same_v<T, std::remove_reference_t<decltype(value)>>) {
        if (name != other) return;
        bool given = true;
        if constexpr (kIsOptional<T>) given = value.has_value();
        if constexpr (std::is_same_v<T, std::string>) given = !value.empty();
        if constexpr (std::is_same_v<T, std::int64_t>) given = value != 0;
        if constexpr (std::is_same_v<T, double>) given = std::isfinite(value) && value != 0;
        if (given) member = std::move(value);
      }
    });
  });
  for (auto& [name, value] : from.extra) into.extra.emplace_back(name, value);
}

void add_row(std::vector<StepMetrics>& rows, StepMetrics&& row) {
  while (!rows.empty() && rows.back().step > row.step) rows.pop_back();
  if (!rows.empty() && rows.back().step == row.step) {
    merge(rows.back(), std::move(row));
  } else {
    rows.push_back(std::move(row));
  }
}

struct Line {
  std::string_view text;  // without the line feed
  bool complete;          // ended in a line feed
};

Line next_line(std::string_view& rest) {
  const std::size_t end = rest.find('\n');
  const bool complete = end != std::string_view::npos;
  const Line line{rest.substr(0, complete ? end : rest.size()), complete};
  rest.remove_prefix(complete ? end + 1 : rest.size());
  return line;
}

bool blank(std::string_view line) { return line.find_first_not_of(" \t\r") == line.npos; }

}  // namespace

std::string to_json_line(const StepMetrics& metrics) {
  std::string out = "{";
  StepMetrics::each(metrics, [&](std::string_view name, const auto& value) {
    using T = std::remove_cvref_t<decltype(value)>;
    if constexpr (kIsOptional<T>) {
      if (value) put(out, name, value_text(*value));
    } else if constexpr (std::is_same_v<T, std::string>) {
      if (!value.empty()) put(out, name, value_text(value));
    } else {
      put(out, name, value_text(value));
    }
  });
  for (const auto& [name, value] : metrics.extra) {
    if (is_member(name)) continue;
    const std::string key = json_string(name);
    put(out, std::string_view(key).substr(1, key.size() - 2), json_number(value));
  }
  return out + "}";
}

MetricsFile parse_metrics(std::string_view text) {
  MetricsFile out;
  std::string_view rest = text;
  for (std::int64_t number = 1; !rest.empty(); ++number) {
    const Line line = next_line(rest);
    if (blank(line.text)) continue;
    Result<StepMetrics> row = parse_line(line.text);
    if (row) {
      add_row(out.rows, std::move(*row));
      continue;
    }
    out.broken_last_line = !line.complete;
    ++out.problem_count;
    const std::string what = line.complete ? row.error().message() : "the last line is cut off";
    if (out.problems.size() < kMostProblems) out.problems.push_back({number, what});
  }
  return out;
}

MetricsFile read_metrics(const FileSystem& files, const std::string& path) {
  return parse_metrics(files.read_all(path));
}

std::string keep_until(std::string_view text, std::int64_t keep_step) {
  std::string out;
  std::string_view rest = text;
  while (!rest.empty()) {
    const Line line = next_line(rest);
    const Result<StepMetrics> row = parse_line(line.text);
    if (!row || row->step > keep_step) continue;
    out += line.text;
    out += '\n';
  }
  return out;
}

MetricsWriter::MetricsWriter(FileSystem& files, const std::string& path, std::int64_t keep_step) {
  if (files.exists(path)) {
    const std::string old = files.read_all(path);
    const std::string kept = keep_until(old, keep_step);
    if (kept != old) write_file_atomically(files, path, kept);
  }
  file_ = files.open_for_write(path, WriteMode::append);
}

void MetricsWriter::write(const StepMetrics& metrics) {
  std::string line = to_json_line(metrics) + "\n";
  if (pending_.size() + line.size() > kMostPending) return;  // the warning has been given
  pending_ += line;
  append_pending();
}

void MetricsWriter::sync() {
  append_pending();
  try {
    file_->sync();
  } catch (const Error& e) {
    warn(e.message());
  }
}

void MetricsWriter::append_pending() {
  if (pending_.empty()) return;
  try {
    // The line feed ends what a failed write may have left; readers skip such a line.
    file_->write(torn_ ? "\n" + pending_ : pending_);
    pending_.clear();
    torn_ = warned_ = false;
  } catch (const Error& e) {
    torn_ = true;
    warn(e.message());
  }
}

void MetricsWriter::warn(std::string_view what) {
  if (warned_) return;
  warned_ = true;
  log::warning("{}; training goes on, metrics wait in memory", what);
}

}  // namespace lathe::runs
