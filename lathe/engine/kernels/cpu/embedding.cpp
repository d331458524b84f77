#include "lathe/engine/kernels/embedding.h"

#include "lathe/engine/kernels/cpu/lanes.h"

namespace lathe::kernels::LATHE_ISA {

void embedding(const EmbeddingArgs& args) noexcept {
  if (args.table.dtype == DType::f64) return reference::embedding(args);
  const std::int64_t columns = columns_of(args.table), vocabulary = rows_of(args.table);
  const std::int32_t* ids = args.ids.as<std::int32_t>();
  parallel_for(args.ids.count(), row_grain(columns), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t n = begin; n < end; ++n) {
      const bool inside = ids[n] >= 0 && ids[n] < vocabulary;
      const Row row(args.table, inside ? ids[n] : 0), out(args.out, n);
      each16(columns, [&](std::int64_t i, auto some) {
        out.set(i, inside ? row.at(i, some) : zero(), some);
      });
    }
  });
}

void embedding_acc(const EmbeddingAccArgs& args) noexcept {
  if (args.dtable_acc.dtype == DType::f64) return reference::embedding_acc(args);
  const std::int64_t vocabulary = rows_of(args.dtable_acc), tokens = args.ids.count();
  const std::int32_t* ids = args.ids.as<std::int32_t>();
  parallel_for(columns_of(args.dy), kColumnGrain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t t = 0; t < tokens; ++t) {
      if (ids[t] < 0 || ids[t] >= vocabulary) continue;
      const Row dy(args.dy, t), row(args.dtable_acc, ids[t]);
      each16(end - begin, [&](std::int64_t i, auto n) {
        row.set(begin + i, row.at(begin + i, n) + dy.at(begin + i, n), n);
      });
    }
  });
}

}  // namespace lathe::kernels::LATHE_ISA
