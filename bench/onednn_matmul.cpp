#include "bench/onednn_matmul.h"

#ifdef LATHE_HAS_ONEDNN

#include <omp.h>

#include <dnnl.hpp>

namespace lathe::bench {
namespace {

dnnl::engine& engine() {
  static dnnl::engine instance(dnnl::engine::kind::cpu, 0);
  return instance;
}

dnnl::memory::desc describe(const View& v) {
  const auto type =
      v.dtype == DType::bf16 ? dnnl::memory::data_type::bf16 : dnnl::memory::data_type::f32;
  return dnnl::memory::desc({v.dims[0], v.dims[1]}, type,
                            dnnl::memory::dims{v.strides[0], v.strides[1]});
}

class Prepared : public OnednnMatmul {
 public:
  explicit Prepared(const kernels::MatmulArgs& args) : stream_(engine()) {
    const auto a = describe(args.a), b = describe(args.b), c = describe(args.c);
    dnnl::primitive_attr attributes;
    if (args.accumulate) {
      dnnl::post_ops sum;
      sum.append_sum(1.0f);
      attributes.set_post_ops(sum);
    }
    matmul_ = dnnl::matmul({dnnl::matmul::desc(a, b, c), attributes, engine()});
    arguments_ = {{DNNL_ARG_SRC, {a, engine(), args.a.data}},
                  {DNNL_ARG_WEIGHTS, {b, engine(), args.b.data}},
                  {DNNL_ARG_DST, {c, engine(), args.c.data}}};
  }

  void run() override {
    matmul_.execute(stream_, arguments_);
    stream_.wait();
  }

 private:
  dnnl::stream stream_;
  dnnl::matmul matmul_;
  std::unordered_map<int, dnnl::memory> arguments_;
};

}  // namespace

bool has_onednn() { return true; }

void set_up_onednn(kernels::Isa level, int threads) {
  if (level == kernels::Isa::avx2) dnnl::set_max_cpu_isa(dnnl::cpu_isa::avx2);
  if (level == kernels::Isa::avx512) dnnl::set_max_cpu_isa(dnnl::cpu_isa::avx512_core_vnni);
  set_onednn_threads(threads);
}

void set_onednn_threads(int threads) { omp_set_num_threads(threads); }

std::unique_ptr<OnednnMatmul> onednn_matmul(const kernels::MatmulArgs& args) {
  try {
    return std::make_unique<Prepared>(args);
  } catch (const dnnl::error&) {
    return nullptr;
  }
}

}  // namespace lathe::bench

#else

namespace lathe::bench {
bool has_onednn() { return false; }
void set_up_onednn(kernels::Isa, int) {}
void set_onednn_threads(int) {}
std::unique_ptr<OnednnMatmul> onednn_matmul(const kernels::MatmulArgs&) { return nullptr; }
}  // namespace lathe::bench

#endif
