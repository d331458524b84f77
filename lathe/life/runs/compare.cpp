#include "lathe/life/runs/compare.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>

#include "lathe/base/format.h"
#include "lathe/life/runs/curve.h"
#include "lathe/life/runs/format.h"
#include "lathe/life/runs/table.h"
#include "lathe/life/runs/text.h"
#include "lathe/life/runs/tree_values.h"

namespace lathe::runs {
namespace {

constexpr int kBlocks = 10;
constexpr double kStudent9 = 2.2622;  // two-sided 95%, 9 degrees of freedom

std::string setting_of(const ComparedRun& run, const std::string& key) {
  for (const auto& [name, value] : run.settings) {
    if (name == key) return value;
  }
  return "-";
}

bool decides_data(const std::string& key) {
  return key == "seed" || key.starts_with("data.") || key == "train.batch_tokens" ||
         key == "train.context" || key.starts_with("tokenizer.");
}

bool same_data(const ComparedRun& a, const ComparedRun& b) {
  if (a.settings.empty() || b.settings.empty()) return false;
  const auto covered = [](const ComparedRun& one, const ComparedRun& other) {
    return std::all_of(one.settings.begin(), one.settings.end(), [&](const Setting& s) {
      return !decides_data(s.first) || setting_of(other, s.first) == s.second;
    });
  };
  return covered(a, b) && covered(b, a);
}

// Loss of B minus loss of A at equal tokens, ascending in tokens.
std::vector<Point> differences(const ComparedRun& a, const ComparedRun& b) {
  std::map<std::int64_t, double> of_a;
  for (const StepMetrics& row : a.rows) of_a[row.tokens] = row.loss;
  std::vector<Point> out;
  for (const StepMetrics& row : b.rows) {
    const auto pair = of_a.find(row.tokens);
    if (pair == of_a.end()) continue;
    const double difference = row.loss - pair->second;
    if (std::isfinite(difference)) out.push_back({static_cast<double>(row.tokens), difference});
  }
  return out;
}

double last_tokens(const ComparedRun& run) {
  return run.rows.empty() ? 0 : static_cast<double>(run.rows.back().tokens);
}

double last_valid_before(const ComparedRun& run, double tokens) {
  double value = std::nan("");
  for (const StepMetrics& row : run.rows) {
    if (static_cast<double>(row.tokens) > tokens) break;
    if (row.valid_bpb) value = *row.valid_bpb;
  }
  return value;
}

std::vector<std::string> distinct_names(const std::vector<ComparedRun>& runs) {
  std::vector<std::string> names;
  for (const ComparedRun& run : runs) {
    const auto same = std::count_if(runs.begin(), runs.end(), [&](const ComparedRun& other) {
      return other.record.name == run.record.name;
    });
    const std::string& mark = run.record.id.empty() ? run.record.folder : run.record.id;
    names.push_back(same > 1 ? fmt::format("{} ({})", run.record.name, mark) : run.record.name);
  }
  return names;
}

std::vector<Comparison::Difference> differing(const std::vector<ComparedRun>& runs) {
  std::vector<std::string> keys;
  for (const ComparedRun& run : runs) {
    for (const auto& [key, value] : run.settings) {
      if (std::find(keys.begin(), keys.end(), key) == keys.end()) keys.push_back(key);
    }
  }
  std::vector<Comparison::Difference> out;
  for (const std::string& key : keys) {
    Comparison::Difference difference{key, {}};
    for (const ComparedRun& run : runs) difference.values.push_back(setting_of(run, key));
    const auto& v = difference.values;
    if (std::adjacent_find(v.begin(), v.end(), std::not_equal_to<>()) != v.end()) {
      out.push_back(std::move(difference));
    }
  }
  return out;
}

std::string cell(double value) { return std::isnan(value) ? "-" : human_loss(value); }

std::string paired_line(const Comparison& c, std::size_t i) {
  const PairedDifference& p = *c.paired[i];
  const std::string verdict = p.mean == 0 && p.half_width == 0 ? "equal at every step"
                              : !p.certain()                   ? "no certain difference"
                              : p.mean < 0 ? fmt::format("{} is better", c.names[i])
                                           : fmt::format("{} is better", c.names[0]);
  return fmt::format("  {} - {}: {:+.4f} ± {:.4f} nats a token (95%) over {} steps: {}{}\n",
                     c.names[i], c.names[0], p.mean, p.half_width, grouped(p.steps), verdict,
                     p.same_data ? "" : "; seed or data differ, so the batches may too");
}

}  // namespace

std::optional<PairedDifference> paired_difference(const ComparedRun& a, const ComparedRun& b) {
  std::vector<Point> pairs = differences(a, b);
  const double common = std::min(last_tokens(a), last_tokens(b));
  std::erase_if(pairs, [&](const Point& p) { return p.x <= common / 2; });
  if (pairs.size() < 2 * kBlocks) return std::nullopt;
  std::array<double, kBlocks> means{};
  PairedDifference out;
  for (std::size_t k = 0; k < kBlocks; ++k) {
    const std::size_t begin = pairs.size() * k / kBlocks, end = pairs.size() * (k + 1) / kBlocks;
    for (std::size_t i = begin; i < end; ++i) {
      means[k] += pairs[i].y / static_cast<double>(end - begin);
    }
    out.mean += means[k] / kBlocks;
  }
  double squares = 0;
  for (const double mean : means) squares += (mean - out.mean) * (mean - out.mean);
  out.half_width = kStudent9 * std::sqrt(squares / (kBlocks - 1) / kBlocks);
  out.steps = static_cast<std::int64_t>(pairs.size());
  out.same_data = same_data(a, b);
  return out;
}

Comparison compare_runs(const std::vector<ComparedRun>& runs) {
  Comparison out;
  out.names = distinct_names(runs);
  out.settings = differing(runs);
  double common = last_tokens(runs[0]);
  std::vector<std::vector<Point>> curves;
  for (const ComparedRun& run : runs) {
    common = std::min(common, last_tokens(run));
    curves.push_back(smooth(series(run.rows, Series::kLoss)));
  }
  for (int quarter = 1; quarter <= 4 && common > 0; ++quarter) {
    Comparison::Checkpoint at{common * quarter / 4, {}, {}};
    for (std::size_t i = 0; i < runs.size(); ++i) {
      at.loss.push_back(value_at(curves[i], at.tokens));
      at.valid_bpb.push_back(last_valid_before(runs[i], at.tokens));
    }
    out.at_tokens.push_back(std::move(at));
  }
  out.paired.emplace_back();
  for (std::size_t i = 1; i < runs.size(); ++i) {
    out.paired.push_back(paired_difference(runs[0], runs[i]));
  }
  return out;
}

std::string comparison_text(const Comparison& c, const std::vector<ComparedRun>& runs) {
  std::string out;
  Table settings;
  settings.column("setting");
  for (const std::string& name : c.names) settings.column(name);
  for (const Comparison::Difference& d : c.settings) {
    std::vector<std::string> cells = {d.key};
    for (const std::string& value : d.values) cells.push_back(shorten(printable(value), 60));
    settings.row(std::move(cells));
  }
  const bool all_known = std::none_of(runs.begin(), runs.end(),
                                      [](const ComparedRun& r) { return r.settings.empty(); });
  out += c.settings.empty() ? (all_known ? "no setting differs\n" : "settings are not known\n")
                            : "settings that differ\n" + settings.text(2);

  Table metrics;
  metrics.column("tokens", Table::Align::kRight);
  for (const std::string& name : c.names) metrics.column(name + " loss", Table::Align::kRight);
  for (const std::string& name : c.names) metrics.column(name + " bpb", Table::Align::kRight);
  for (const Comparison::Checkpoint& at : c.at_tokens) {
    std::vector<std::string> cells = {human_count(at.tokens)};
    for (const double loss : at.loss) cells.push_back(cell(loss));
    for (const double bpb : at.valid_bpb) cells.push_back(cell(bpb));
    metrics.row(std::move(cells));
  }
  out += metrics.empty() ? "\nno tokens that all runs have seen\n"
                         : "\nat equal tokens (loss smoothed; bpb: last validation, bits per "
                           "byte)\n" +
                               metrics.text(2);

  out += "\npaired difference of the training loss, second half of the common tokens\n";
  for (std::size_t i = 1; i < c.paired.size(); ++i) {
    out += c.paired[i] ? paired_line(c, i)
                       : fmt::format("  {} - {}: fewer than 20 steps at equal tokens\n", c.names[i],
                                     c.names[0]);
  }
  return out;
}

namespace {

Tree numbers(const std::vector<double>& values) {
  Tree list;
  list.kind = Tree::Kind::array;
  for (const double value : values) list.items.push_back(Tree::of(value));
  return list;
}

Tree paired_tree(const std::optional<PairedDifference>& paired) {
  if (!paired) return {};
  Tree tree = Tree::table();
  tree.add("steps", Tree::of(paired->steps));
  tree.add("mean", Tree::of(paired->mean));
  tree.add("low", Tree::of(paired->mean - paired->half_width));
  tree.add("high", Tree::of(paired->mean + paired->half_width));
  tree.add("same_data", Tree::of(paired->same_data));
  return tree;
}

}  // namespace

Tree comparison_tree(const Comparison& c, const std::vector<ComparedRun>& runs) {
  Tree run_list, settings = Tree::table(), at_tokens, paired;
  run_list.kind = at_tokens.kind = paired.kind = Tree::Kind::array;
  for (const ComparedRun& run : runs) run_list.items.push_back(tree_of(run.record));
  for (const Comparison::Difference& d : c.settings) settings.add(d.key, Tree::of(d.values));
  for (const Comparison::Checkpoint& at : c.at_tokens) {
    Tree row = Tree::table();
    row.add("tokens", Tree::of(at.tokens));
    row.add("loss", numbers(at.loss));
    row.add("valid_bpb", numbers(at.valid_bpb));
    at_tokens.items.push_back(std::move(row));
  }
  for (std::size_t i = 1; i < c.paired.size(); ++i) {
    paired.items.push_back(paired_tree(c.paired[i]));
  }
  Tree tree = Tree::table();
  tree.add("runs", std::move(run_list));
  tree.add("settings", std::move(settings));
  tree.add("at_tokens", std::move(at_tokens));
  tree.add("paired_with_first", std::move(paired));
  return tree;
}

}  // namespace lathe::runs
