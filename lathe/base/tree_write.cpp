#include "lathe/base/tree.h"

namespace lathe {
namespace {

class Writer final : public Fields {
 public:
  Tree tree = Tree::table();

 protected:
  void visit(const FieldInfo& f, bool& v) override { put(f, v); }
  void visit(const FieldInfo& f, std::int64_t& v) override { put(f, v); }
  void visit(const FieldInfo& f, double& v) override { put(f, v); }
  void visit(const FieldInfo& f, std::string& v) override { put(f, v); }
  void visit(const FieldInfo& f, std::vector<std::int64_t>& v) override { put(f, v); }
  void visit(const FieldInfo& f, std::vector<double>& v) override { put(f, v); }
  void visit(const FieldInfo& f, std::vector<std::string>& v) override { put(f, v); }

  void visit_table(const FieldInfo& f, bool* present,
                   const std::function<void(Fields&)>& inside) override {
    if (present == nullptr || *present) tree.add(std::string(f.name), write_tree(inside));
  }

  void visit_tables(const FieldInfo& f, std::size_t size, const std::function<void(std::size_t)>&,
                    const std::function<void(std::size_t, Fields&)>& at) override {
    Tree list;
    list.kind = Tree::Kind::array;
    for (std::size_t i = 0; i < size; ++i)
      list.items.push_back(write_tree([&](Fields& fields) { at(i, fields); }));
    tree.add(std::string(f.name), std::move(list));
  }

  void visit_optional(const FieldInfo&, bool& present,
                      const std::function<void(Fields&)>& value) override {
    if (present) value(*this);
  }

 private:
  template <typename T>
  void put(const FieldInfo& f, const T& value) {
    tree.add(std::string(f.name), Tree::of(value));
  }
};

}  // namespace

Tree write_tree(const FieldsOf& fields) {
  Writer writer;
  fields(writer);
  return std::move(writer.tree);
}

}  // namespace lathe
