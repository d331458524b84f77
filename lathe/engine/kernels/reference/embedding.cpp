#include "lathe/engine/kernels/embedding.h"

#include "lathe/engine/kernels/reference/canonical.h"

namespace lathe::kernels::reference {
namespace {

template <typename T>
void gather(const EmbeddingArgs& a) {
  for (std::int64_t n = 0; n < a.ids.count(); ++n) {
    const std::int64_t id = a.ids.as<std::int32_t>()[n];
    const bool inside = id >= 0 && id < rows_of(a.table);
    const Row<T> row(a.table, inside ? id : 0), out(a.out, n);
    for (std::int64_t i = 0; i < columns_of(a.table); ++i) out.set(i, inside ? row[i] : T{0});
  }
}

template <typename T>
void accumulate(const EmbeddingAccArgs& a) {
  for (std::int64_t n = 0; n < a.ids.count(); ++n) {
    const std::int64_t id = a.ids.as<std::int32_t>()[n];
    if (id < 0 || id >= rows_of(a.dtable_acc)) continue;
    const Row<T> dy(a.dy, n), row(a.dtable_acc, id);
    for (std::int64_t i = 0; i < columns_of(a.dy); ++i) row.set(i, row[i] + dy[i]);
  }
}

}  // namespace

void embedding(const EmbeddingArgs& args) noexcept {
  args.table.dtype == DType::f64 ? gather<double>(args) : gather<float>(args);
}

void embedding_acc(const EmbeddingAccArgs& args) noexcept {
  args.dtable_acc.dtype == DType::f64 ? accumulate<double>(args) : accumulate<float>(args);
}

}  // namespace lathe::kernels::reference
