#include "lathe/life/runs/table.h"

#include <algorithm>

#include "lathe/life/runs/text.h"

namespace lathe::runs {

void Table::column(std::string head, Align align) { columns_.push_back({std::move(head), align}); }

void Table::row(std::vector<std::string> cells) {
  cells.resize(columns_.size());
  for (std::string& cell : cells) {
    cell = printable(cell);
    std::replace(cell.begin(), cell.end(), '\n', ' ');
  }
  rows_.push_back(std::move(cells));
}

std::string Table::text(int indent, int width) const {
  std::vector<int> widths(columns_.size(), 0);
  for (std::size_t c = 0; c < columns_.size(); ++c) {
    for (const auto& row : rows_) widths[c] = std::max(widths[c], columns(row[c]));
    if (widths[c] > 0) widths[c] = std::max(widths[c], columns(columns_[c].head));
  }
  std::string out;
  const auto line = [&](auto&& cell_of) {
    std::string text(static_cast<std::size_t>(indent), ' ');
    for (std::size_t c = 0; c < columns_.size(); ++c) {
      if (widths[c] == 0) continue;
      std::string cell = cell_of(c);
      const bool last = c + 1 == columns_.size();
      if (last && width > 0) cell = shorten(cell, std::max(8, width - columns(text)));
      text += columns_[c].align == Align::kRight ? pad_left(std::move(cell), widths[c])
                                                 : pad_right(std::move(cell), widths[c]);
      text += "  ";
    }
    text.resize(text.find_last_not_of(' ') + 1);
    out += text + "\n";
  };
  line([&](std::size_t c) { return columns_[c].head; });
  for (const auto& row : rows_) {
    line([&](std::size_t c) { return row[c]; });
  }
  return out;
}

}  // namespace lathe::runs
