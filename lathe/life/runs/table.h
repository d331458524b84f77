// Aligned tables of text for terminals.
#pragma once

#include <string>
#include <vector>

namespace lathe::runs {

class Table {
 public:
  enum class Align { kLeft, kRight };

  void column(std::string head, Align align = Align::kLeft);
  void row(std::vector<std::string> cells);
  bool empty() const { return rows_.empty(); }

  /// Two spaces between columns, `indent` before the first, a line feed after each row; nothing
  /// behind the last cell. Columns whose cells are all empty are left out. `width` > 0 shortens
  /// the last column to what is left of it, to no less than 8.
  std::string text(int indent = 0, int width = 0) const;

 private:
  struct Column {
    std::string head;
    Align align;
  };
  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace lathe::runs
