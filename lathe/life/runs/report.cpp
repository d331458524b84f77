#include "lathe/life/runs/report.h"

#include <fmt/core.h>

#include <algorithm>

#include "lathe/base/error.h"
#include "lathe/base/format.h"
#include "lathe/base/toml.h"
#include "lathe/life/runs/format.h"
#include "lathe/life/runs/table.h"
#include "lathe/life/runs/text.h"
#include "lathe/life/runs/tree_values.h"

namespace lathe::runs {
namespace {

constexpr std::size_t kLastLines = 5;

std::string count_or_nothing(std::int64_t value) {
  return value > 0 ? human_count(static_cast<double>(value)) : "";
}

std::string progress_of(const RunRecord& run) {
  std::string text = count_or_nothing(run.tokens);
  const bool under_way = run.total_tokens > run.tokens && run.tokens > 0;
  if (under_way) text += "/" + count_or_nothing(run.total_tokens);
  return text;
}

std::string loss_or_nothing(const std::optional<double>& loss) {
  return loss ? human_loss(*loss) : "";
}

std::string head_of(const RunRecord& run) {
  std::string out = run.name;
  if (!run.id.empty()) out += fmt::format("  ({})", run.id);
  out += fmt::format("  {}", name(status_of(run)));
  if (!run.message.empty()) out += ": " + run.message;
  return printable(out) + "\n";
}

std::string facts_of(const RunRecord& run, bool folder_there) {
  std::string out;
  const auto fact = [&](std::string_view label, const std::string& value) {
    if (!value.empty()) out += fmt::format("  {:<12} {}\n", label, printable(value));
  };
  fact("folder", run.folder + (folder_there ? "" : "  (it is gone)"));
  if (run.created > 0) {
    fact("started", local_time(run.created) + (run.host.empty() ? "" : " on " + run.host));
  }
  if (run.seconds > 0) fact("trained", human_duration(run.seconds));
  fact("config", run.config);
  if (run.parameters > 0) {
    fact("parameters",
         fmt::format("{} ({})", count_or_nothing(run.parameters), grouped(run.parameters)));
  }
  fact("commit", run.commit);
  if (run.step > 0) fact("step", grouped(run.step));
  fact("tokens", progress_of(run));
  if (run.loss) fact("loss", human_loss(*run.loss) + " nats a token, last step");
  if (run.valid_bpb) fact("validation", human_loss(*run.valid_bpb) + " bits per byte, last");
  if (run.best_valid_bpb) fact("best", human_loss(*run.best_valid_bpb) + " bits per byte");
  if (run.tokens_per_second > 0) fact("speed", human_count(run.tokens_per_second) + " tokens/s");
  return out;
}

std::string settings_text(const RunRecord& run, const FileSystem& files) {
  try {
    std::string out = "\nsettings\n";
    for (const auto& [key, value] : settings_of(files, run.folder)) {
      out += fmt::format("  {} = {}\n", printable(key), printable(value));
    }
    return out;
  } catch (const Error& e) {
    return fmt::format("\nsettings\n  not known: {}\n", printable(e.message()));
  }
}

std::string problems_text(const MetricsFile& metrics) {
  std::string out;
  const auto broken = metrics.problem_count - (metrics.broken_last_line ? 1 : 0);
  if (broken > 0) {
    const MetricsProblem& first = metrics.problems[0];
    out += fmt::format("  {} unreadable line{}; line {}: {}\n", broken, broken == 1 ? "" : "s",
                       first.line, first.what);
  }
  if (metrics.broken_last_line) out += "  the last line is cut off\n";
  return out;
}

std::string last_lines_text(const MetricsFile& metrics) {
  Table table;
  for (const char* head : {"step", "tokens", "loss", "bpb", "valid bpb", "lr", "tok/s"}) {
    table.column(head, Table::Align::kRight);
  }
  const std::size_t n = metrics.rows.size();
  for (std::size_t i = n - std::min(n, kLastLines); i < n; ++i) {
    const StepMetrics& m = metrics.rows[i];
    table.row({grouped(m.step), count_or_nothing(m.tokens), human_loss(m.loss),
               loss_or_nothing(m.bits_per_byte), loss_or_nothing(m.valid_bpb), human_lr(m.lr),
               human_count(m.tokens_per_second)});
  }
  if (table.empty()) return "\nno steps yet\n";
  return "\nlast steps\n" + table.text(2);
}

std::string files_text(const RunRecord& run, const FileSystem& files) {
  Table table;
  table.column("name");
  table.column("size", Table::Align::kRight);
  for (const FolderEntry& entry : entries_of(files, run.folder)) {
    table.row({entry.name, human_bytes(static_cast<double>(entry.bytes))});
  }
  return table.empty() ? "" : "\nfiles\n" + table.text(2);
}

Tree empty_list() {
  Tree list;
  list.kind = Tree::Kind::array;
  return list;
}

Tree metrics_tree(const StepMetrics& metrics) {
  Tree tree = Tree::table();
  StepMetrics::each(metrics, [&](const char* key, const auto& value) {
    Tree member = tree_of(value);
    const bool absent = member.kind == Tree::Kind::null ||
                        (member.kind == Tree::Kind::string && member.text.empty());
    if (!absent) tree.add(key, std::move(member));
  });
  return tree;
}

}  // namespace

std::string list_text(const std::vector<RunRecord>& runs, const FileSystem& files, int width) {
  if (runs.empty()) return "no runs yet; `lathe train FILE.toml` makes one\n";
  Table table;
  for (const char* head : {"id", "name", "status", "started"}) table.column(head);
  for (const char* head : {"params", "tokens", "loss", "best bpb", "tok/s"}) {
    table.column(head, Table::Align::kRight);
  }
  table.column("config");
  for (const RunRecord& run : runs) {
    const bool there = files.is_directory(run.folder);
    const std::string speed = run.tokens_per_second > 0 ? human_count(run.tokens_per_second) : "";
    table.row({run.id, shorten(printable(run.name), 32),
               std::string(name(status_of(run))) + (there ? "" : ", folder gone"),
               local_time(run.created), count_or_nothing(run.parameters), progress_of(run),
               loss_or_nothing(run.loss), loss_or_nothing(run.best_valid_bpb), speed, run.config});
  }
  return table.text(0, width);
}

Tree list_tree(const std::vector<RunRecord>& runs) {
  Tree list = empty_list();
  for (const RunRecord& run : runs) list.items.push_back(tree_of(run));
  return list;
}

std::string show_text(const RunRecord& run, const FileSystem& files) {
  const bool there = files.is_directory(run.folder);
  std::string out = head_of(run) + facts_of(run, there);
  if (!there) return out;
  const MetricsFile metrics = metrics_of(files, run.folder);
  out += last_lines_text(metrics) + problems_text(metrics);
  return out + settings_text(run, files) + files_text(run, files);
}

Tree show_tree(const RunRecord& run, const FileSystem& files) {
  Tree tree = tree_of(run);
  if (!files.is_directory(run.folder)) return tree;
  try {
    const std::string path = join_path(run.folder, "config.toml");
    tree.add("settings", parse_toml(files.read_all(path), path));
  } catch (const Error&) {
    tree.add("settings", Tree());
  }
  const MetricsFile metrics = metrics_of(files, run.folder);
  Tree last = empty_list();
  const std::size_t n = metrics.rows.size();
  for (std::size_t i = n - std::min(n, kLastLines); i < n; ++i) {
    last.items.push_back(metrics_tree(metrics.rows[i]));
  }
  tree.add("last_steps", std::move(last));
  tree.add("unreadable_lines", Tree::of(metrics.problem_count));
  Tree entries = Tree::table();
  for (const FolderEntry& entry : entries_of(files, run.folder)) {
    entries.add(entry.name, Tree::of(static_cast<std::int64_t>(entry.bytes)));
  }
  tree.add("files", std::move(entries));
  return tree;
}

}  // namespace lathe::runs
